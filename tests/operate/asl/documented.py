"""A stand-in for TestState: answers as AWS's documents say it does, and refuses what botocore's model does not have."""

import json
from typing import Any

import botocore.session
from botocore.validate import validate_parameters

from operate.asl.answers import AN_ITEM, alone
from operate.asl.paths import StateError
from operate.asl.stepper import Call, Entered, steps

_MODEL = botocore.session.get_session().get_service_model("stepfunctions").operation_model("TestState")


class DocumentedTestState:
    """Errors by the rules of the state that is sent; what a state comes to by our evaluator, since what is tested with
    this is what is sent and what is read of the answer."""

    def __init__(self) -> None:
        self.calls = 0

    def test_state(self, **request: Any) -> dict[str, Any]:
        self.calls += 1
        validate_parameters(request, _MODEL.input_shape)
        state, mocked = json.loads(request["definition"]), request.get("mock", {})
        if "errorOutput" not in mocked:
            return _came(state, request, json.loads(mocked.get("result", "null")))
        error = mocked["errorOutput"]["error"]
        for place, retrier in enumerate(state.get("Retry", ())):
            if error in retrier["ErrorEquals"]:
                if request.get("stateConfiguration", {}).get("retrierRetryCount", 0) < retrier["MaxAttempts"]:
                    return {"status": "RETRIABLE", "inspectionData": {"errorDetails": {"retryIndex": place}}}
                break
        for catcher in state.get("Catch", ()):
            if error in catcher["ErrorEquals"] or catcher["ErrorEquals"] == ["States.ALL"]:
                return {"status": "CAUGHT_ERROR", "nextState": catcher["Next"]}
        return {"status": "FAILED", "error": error}


def _came(state: dict[str, Any], request: dict[str, Any], result: Any) -> dict[str, Any]:
    asked: list[Any] = []
    answer: Any = None
    running = steps(alone("It", state), json.loads(request["input"]), json.loads(request["context"]))
    try:
        while True:
            action = running.send(answer)
            answer = None
            if isinstance(action, Entered) and action.state not in ("It", AN_ITEM):
                return _succeeded(state, action.data, asked, nextState=action.state)
            if isinstance(action, Call):
                asked.append(action.parameters)
                answer = result[len(asked) - 1] if state["Type"] == "Map" else result
    except StateError as error:
        return {"status": "FAILED", "error": error.error}
    except StopIteration as end:
        return _succeeded(state, end.value, asked)


def _succeeded(state: dict[str, Any], output: Any, asked: list[Any], **more: str) -> dict[str, Any]:
    inspected = {}
    if state["Type"] == "Map":
        inspected["afterItemSelector"] = json.dumps([one["Payload"]["item"] for one in asked])
    elif state["Type"] == "Task":
        inspected["afterParameters"] = json.dumps(asked[0])
    return {"status": "SUCCEEDED", "output": json.dumps(output), "inspectionData": inspected, **more}

"""Who is asked: our evaluator, or AWS itself through TestState, which creates nothing.

TestState tells of one attempt. So of an error it is asked twice where there is a retrier: before its last retry, and
after it. https://docs.aws.amazon.com/step-functions/latest/apireference/API_TestState.html
"""

import json
from collections.abc import Mapping
from typing import Any

from operate.asl.error_cases import ErrorCase, Handled
from operate.asl.paths import StateError
from operate.asl.state_cases import Came, StateCase, variable_parts
from operate.asl.stepper import Call, Entered, Sleep, steps

AN_ITEM = "AnItem"
"""What a Map does with each item when it is asked alone."""
_MOMENT = "2026-01-01T00:00:00Z"


def with_lone_items(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    """A Map whose items are each one task without rules; another state as it is."""
    if definition["Type"] != "Map":
        return definition
    given = {"item.$": "$"}
    item = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "TimeoutSeconds": 60, "End": True}
    processor = {
        "ProcessorConfig": {"Mode": "INLINE"},
        "StartAt": AN_ITEM,
        "States": {AN_ITEM: {**item, "Parameters": {"FunctionName": "f", "Payload": given}}},
    }
    return {**definition, "ItemProcessor": processor, "MaxConcurrency": 1}


def alone(state: str, definition: Mapping[str, Any]) -> dict[str, Any]:
    """A machine of this state; whatever follows it succeeds at once."""
    rules = [*definition.get("Catch", ()), *definition.get("Choices", ())]
    following = {rule["Next"] for rule in rules} | {definition[one] for one in ("Next", "Default") if one in definition}
    beyond = {name: {"Type": "Succeed"} for name in sorted(following)}
    return {"StartAt": state, "States": {**beyond, state: with_lone_items(definition)}}


def of_our_evaluator(case: ErrorCase) -> Handled:
    """How the evaluator in this package handles an error."""
    running = steps(alone(case.state, case.definition), case.data, dict(case.context))
    retrier, retries, action = None, 0, next(running)
    try:
        while True:
            if isinstance(action, Sleep):
                retrier, retries, action = action.retrier, retries + 1, next(running)
            elif not isinstance(action, Entered):
                action = running.throw(StateError(case.error, "mocked"))
            elif action.state not in (case.state, AN_ITEM):
                return Handled(retrier, retries, action.state)
            else:
                action = running.send(_MOMENT)
    except StateError as error:
        if error.error != case.error:
            raise
        return Handled(retrier, retries, None)


def came_of_our_evaluator(case: StateCase) -> Came:
    """What the evaluator in this package makes of a state."""
    running = steps(alone(case.state, case.definition), case.data, dict(case.context))
    asked: list[Any] = []
    answer: Any = None
    try:
        while True:
            action = running.send(answer)
            answer = None
            if isinstance(action, Entered):
                if action.state not in (case.state, AN_ITEM):
                    return came(case, action.state, action.data, asked)
                answer = _MOMENT
            elif isinstance(action, Call):
                asked.append(action.parameters)
                answer = case.result[len(asked) - 1] if case.definition["Type"] == "Map" else case.result
    except StateError as error:
        return Came(None, error=error.error)
    except StopIteration as end:
        return came(case, None, end.value, asked)


def came(case: StateCase, goes_to: str | None, output: Any, asked: list[Any]) -> Came:
    """`asked`: the parameters of each call that was made."""
    of_items = [one["Payload"]["item"] for one in asked] if case.definition["Type"] == "Map" else None
    return Came(goes_to, output, asked=of_items or (_variable(case, asked[0]) if asked else None))


def _variable(case: StateCase, parameters: Any) -> Any:
    return variable_parts(case.template, parameters)


def of_test_state(client: Any, case: ErrorCase) -> Handled:
    """How AWS handles an error. Two calls at most; the error and its count are mocked, nothing is invoked.

    `retries` is one more than expected when AWS would retry again, and 0 when it would not retry the last time.
    """
    expected = case.expected
    retrier, retries = None, 0
    if expected.retrier is not None:
        answer = _failed(client, case, max(expected.retries - 1, 0))
        if answer["status"] == "RETRIABLE":
            retrier, retries = answer["inspectionData"]["errorDetails"]["retryIndex"], expected.retries
    last = _failed(client, case, expected.retries)
    if last["status"] == "RETRIABLE":
        retrier, retries = last["inspectionData"]["errorDetails"]["retryIndex"], expected.retries + 1
    return Handled(retrier, retries, last.get("nextState") if last["status"] == "CAUGHT_ERROR" else None)


def came_of_test_state(client: Any, case: StateCase) -> Came:
    """What AWS makes of a state. One call."""
    mocked = {} if case.result is None else {"mock": {"result": json.dumps(case.result)}}
    answer = _tested(client, case, mocked)
    if answer["status"] != "SUCCEEDED":
        return Came(None, error=answer.get("error", answer["status"]))
    inspected, asked = answer.get("inspectionData", {}), None
    if case.definition["Type"] == "Map":
        asked = json.loads(inspected["afterItemSelector"])
    elif case.definition["Type"] == "Task":
        asked = _variable(case, json.loads(inspected["afterParameters"]))
    return Came(answer.get("nextState"), json.loads(answer["output"]), asked=asked)


def _failed(client: Any, case: ErrorCase, retried: int) -> dict[str, Any]:
    """`retried` is left out where no retrier is expected: then there is no count to mock."""
    counted = {} if case.expected.retrier is None else {"stateConfiguration": {"retrierRetryCount": retried}}
    return _tested(client, case, {"mock": {"errorOutput": {"error": case.error, "cause": "mocked"}}, **counted})


def _tested(client: Any, case: ErrorCase | StateCase, more: Mapping[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = client.test_state(
        definition=json.dumps(case.definition),
        input=json.dumps(case.data),
        context=json.dumps(case.context),
        inspectionLevel="DEBUG",
        **more,
    )
    return answer

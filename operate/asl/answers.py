"""Who is asked how an error is handled: our evaluator, or AWS itself through TestState, which creates nothing.

TestState tells of one attempt. So it is asked twice where there is a retrier: before its last retry, and after it.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_TestState.html
"""

import json
from typing import Any

from operate.asl.error_cases import ErrorCase, Handled
from operate.asl.paths import StateError
from operate.asl.stepper import Entered, Sleep, steps


def of_our_evaluator(case: ErrorCase) -> Handled:
    """How the evaluator in this package handles it."""
    beyond = {catch["Next"]: {"Type": "Succeed"} for catch in case.definition.get("Catch", ())}
    alone = {"States": {**beyond, case.state: case.definition}}
    running = steps(alone, case.data, dict(case.context), begin=case.state)
    retrier, retries, action = None, 0, next(running)
    try:
        while True:
            if isinstance(action, Sleep):
                retrier, retries, action = action.retrier, retries + 1, next(running)
            elif not isinstance(action, Entered):
                action = running.throw(StateError(case.error, "mocked"))
            elif action.state != case.state:
                return Handled(retrier, retries, action.state)
            else:
                action = running.send("2026-01-01T00:00:00Z")
    except StateError as error:
        if error.error != case.error:
            raise
        return Handled(retrier, retries, None)


def of_test_state(client: Any, case: ErrorCase) -> Handled:
    """How AWS handles it. Two calls at most; the error and its count are mocked, nothing is invoked.

    `retries` is one more than expected when AWS would retry again, and 0 when it would not retry the last time.
    """
    expected = case.expected
    retrier, retries = None, 0
    if expected.retrier is not None:
        answer = _tested(client, case, max(expected.retries - 1, 0))
        if answer["status"] == "RETRIABLE":
            retrier, retries = answer["inspectionData"]["errorDetails"]["retryIndex"], expected.retries
    last = _tested(client, case, expected.retries)
    if last["status"] == "RETRIABLE":
        retrier, retries = last["inspectionData"]["errorDetails"]["retryIndex"], expected.retries + 1
    return Handled(retrier, retries, last.get("nextState") if last["status"] == "CAUGHT_ERROR" else None)


def _tested(client: Any, case: ErrorCase, retried: int) -> dict[str, Any]:
    """`retried` is left out where no retrier is expected: then there is no count to mock."""
    counted = {} if case.expected.retrier is None else {"stateConfiguration": {"retrierRetryCount": retried}}
    answer: dict[str, Any] = client.test_state(
        definition=json.dumps(case.definition),
        input=json.dumps(case.data),
        context=json.dumps(case.context),
        inspectionLevel="DEBUG",
        mock={"errorOutput": {"error": case.error, "cause": "mocked"}},
        **counted,
    )
    return answer

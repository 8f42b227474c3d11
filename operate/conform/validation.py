"""The definition and the event pattern, validated by the services that will read them."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from operate.conform.rows import Outcome, Row, Whose

DEFINITION: Final = "Definition"
PATTERN: Final = "Event pattern"
_VALIDATE: Final = (
    "https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinition.html"
)
_EVENTS: Final = "https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html"
MACHINE_ARN: Final = "arn:aws:states:us-east-1:123456789012:stateMachine:compaction"

STATUS_PATTERN: Final[Mapping[str, Any]] = {
    "source": ["aws.states"],
    "detail-type": ["Step Functions Execution Status Change"],
    "detail": {"stateMachineArn": [MACHINE_ARN]},
}
"""The pattern of the deployed rule, but for the machine; a test holds both together."""
STATUS_EVENT: Final[Mapping[str, Any]] = {
    "version": "0",
    "id": "315c1398-40ff-a850-213b-158f73e60175",
    "detail-type": "Step Functions Execution Status Change",
    "source": "aws.states",
    "account": "123456789012",
    "time": "2026-02-26T19:42:21Z",
    "region": "us-east-1",
    "resources": ["arn:aws:states:us-east-1:123456789012:execution:compaction:words-stream-1"],
    "detail": {
        "executionArn": "arn:aws:states:us-east-1:123456789012:execution:compaction:words-stream-1",
        "stateMachineArn": MACHINE_ARN,
        "name": "words-stream-1",
        "status": "FAILED",
        "startDate": 1551225146847,
        "stopDate": 1551225151881,
        "input": "{}",
        "inputDetails": {"included": True},
        "output": None,
        "outputDetails": None,
    },
}
"""As AWS documents the event of an execution that failed."""


def definition_rows(client: Any, machine: Mapping[str, Any]) -> Iterator[Row]:
    """What Step Functions says of the whole definition; it creates nothing."""
    answer = client.validate_state_machine_definition(
        definition=json.dumps(machine), type="STANDARD", severity="WARNING"
    )
    outcome = Outcome.HELD if answer["result"] == "OK" else Outcome.BROKEN
    yield Row(DEFINITION, "the whole of it", "OK", answer["result"], Whose.AWS, outcome, source=_VALIDATE)
    for said in answer["diagnostics"]:
        what = f"{said['severity'].lower()} at {said.get('location', 'no place')}"
        failed = Outcome.BROKEN if said["severity"] == "ERROR" else Outcome.MEASURED
        told = f"{said['code']}: {said['message']}"
        yield Row(DEFINITION, what, "none", told, Whose.AWS, failed, failed is Outcome.BROKEN, _VALIDATE)


def pattern_rows(
    matches: Callable[[str, str], bool],
    whose: Whose,
    *,
    event: Mapping[str, Any] = STATUS_EVENT,
) -> Iterator[Row]:
    """Whether the rule takes the events of this machine and no others."""
    other = {**event, "detail": {**event["detail"], "stateMachineArn": f"{MACHINE_ARN}-other"}}
    cases = [
        *((f"an execution is {one}", _with_status(event, one), True) for one in ("RUNNING", "SUCCEEDED", "FAILED")),
        *((f"an execution is {one}", _with_status(event, one), True) for one in ("TIMED_OUT", "ABORTED")),
        ("an execution of another machine", other, False),
        ("an event of another service", {**event, "source": "aws.ec2"}, False),
    ]
    for what, one, expected in cases:
        seen = matches(json.dumps(STATUS_PATTERN), json.dumps(one))
        outcome = Outcome.HELD if seen is expected else Outcome.BROKEN
        yield Row(PATTERN, what, _taken(expected), _taken(seen), whose, outcome, source=_EVENTS)


def matches_on_aws(client: Any) -> Callable[[str, str], bool]:
    """TestEventPattern, which creates nothing."""
    return lambda pattern, event: bool(client.test_event_pattern(EventPattern=pattern, Event=event)["Result"])


def _with_status(event: Mapping[str, Any], status: str) -> dict[str, Any]:
    return {**event, "detail": {**event["detail"], "status": status}}


def _taken(taken: bool) -> str:
    return "taken" if taken else "left"

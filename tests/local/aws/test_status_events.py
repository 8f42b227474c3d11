"""Events of executions: their shape, and what happens to them on the way to the recorder."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from local.aws.status_events import MAX_DATA_BYTES, StatusChange, StatusEvents
from local.errors import InvokesRefused, TooManyRequests
from local.lambdas.invocation import InvocationResult

ARN = "arn:aws:states:us-east-1:123456789012:execution:compaction:words-stream-1"
STARTED = datetime(2026, 1, 1, 0, 0, 0, 123_400, UTC)
RUNNING = StatusChange(
    arn=ARN,
    state_machine_arn="arn:aws:states:us-east-1:123456789012:stateMachine:compaction",
    name="words-stream-1",
    status="RUNNING",
    started_at=STARTED,
    input='{"collection": "words"}',
)
SUCCEEDED = replace(RUNNING, status="SUCCEEDED", stopped_at=datetime(2026, 1, 1, 0, 0, 5, 0, UTC), output='{"a": 1}')
OK = InvocationResult("r", b"{}")
FAILED = InvocationResult("r", b'{"errorMessage": "no table"}', "Unhandled")


def test_a_start_is_an_event_as_eventbridge_sends_it() -> None:
    assert RUNNING.to_event("id-1") == {
        "version": "0",
        "id": "id-1",
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": "123456789012",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": [ARN],
        "detail": {
            "executionArn": ARN,
            "stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:compaction",
            "name": "words-stream-1",
            "status": "RUNNING",
            "startDate": 1_767_225_600_123,
            "stopDate": None,
            "input": '{"collection": "words"}',
            "inputDetails": {"included": True},
            "output": None,
            "outputDetails": None,
        },
    }


def test_an_end_has_its_date_and_its_output_if_it_has_one() -> None:
    event = SUCCEEDED.to_event("id-1")
    assert event["time"] == "2026-01-01T00:00:05Z"
    detail = event["detail"]
    assert (detail["stopDate"], detail["output"]) == (1_767_225_605_000, '{"a": 1}')
    assert detail["outputDetails"] == {"included": True}
    failed = replace(SUCCEEDED, status="FAILED", output=None).to_event("2")["detail"]
    assert (failed["output"], failed["outputDetails"]) == (None, None)


def test_no_event_says_why_an_execution_failed_since_aws_documents_no_such_field() -> None:
    failed = replace(SUCCEEDED, status="FAILED", output=None).to_event("2")["detail"]
    assert not {"error", "cause"} & set(failed)


def test_what_is_too_large_for_an_event_is_left_out_the_input_first() -> None:
    half = json.dumps("x" * (MAX_DATA_BYTES * 2 // 3))
    detail = replace(SUCCEEDED, input=half, output=half).to_event("1")["detail"]
    assert (detail["input"], detail["inputDetails"]) == (None, {"included": False})
    assert (detail["output"], detail["outputDetails"]) == (half, {"included": True})
    detail = replace(SUCCEEDED, output=json.dumps("x" * MAX_DATA_BYTES)).to_event("1")["detail"]
    assert (detail["output"], detail["outputDetails"]) == (None, {"included": False})
    assert detail["inputDetails"] == {"included": True}


class Recorder:
    """Answers from a list, then with success; keeps what it got."""

    def __init__(self, *answers: InvocationResult | Exception) -> None:
        self.answers = list(answers)
        self.got: list[dict[str, Any]] = []
        self.open = threading.Event()
        self.open.set()

    def __call__(self, payload: bytes) -> InvocationResult:
        assert self.open.wait(10)
        self.got.append(json.loads(payload))
        answer = self.answers.pop(0) if self.answers else OK
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def names(self) -> list[str]:
        return [event["detail"]["name"] for event in self.got]


Make = Callable[[Recorder | None], StatusEvents]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[StatusEvents] = []

    def make(recorder: Recorder | None) -> StatusEvents:
        events = StatusEvents(recorder, attempts=3, backoff_seconds=0.01)
        made.append(events)
        events.start()
        return events

    yield make
    for events in made:
        events.stop()


def tell(events: StatusEvents, *names: str) -> None:
    for name in names:
        events.tell(replace(RUNNING, name=name))


def test_events_are_delivered_in_the_order_in_which_they_were_told(make: Make) -> None:
    recorder = Recorder()
    events = make(recorder)
    names = [f"n{number}" for number in range(20)]
    tell(events, *names)
    assert events.wait_delivered(10)
    assert recorder.names == names
    assert len({event["id"] for event in recorder.got}) == 20


def test_telling_never_waits_for_the_recorder(make: Make) -> None:
    recorder = Recorder()
    recorder.open.clear()
    events = make(recorder)
    tell(events, "a", "b")
    assert not events.wait_delivered(0.05)
    recorder.open.set()
    assert events.wait_delivered(10)
    assert recorder.names == ["a", "b"]


def test_a_failed_delivery_is_tried_again_with_the_same_event(make: Make) -> None:
    recorder = Recorder(FAILED, TooManyRequests("busy"))
    events = make(recorder)
    tell(events, "a", "b")
    assert events.wait_delivered(10)
    assert recorder.names == ["a", "a", "a", "b"]
    assert len({event["id"] for event in recorder.got}) == 2


def test_what_fails_every_time_is_lost_and_the_log_says_so(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(*[FAILED] * 3)
    events = make(recorder)
    with caplog.at_level(logging.WARNING, logger="local"):
        tell(events, "a", "b")
        assert events.wait_delivered(10)
    assert recorder.names == ["a", "a", "a", "b"]
    assert "no table" in caplog.text
    assert "RUNNING of a is lost after 3 attempts" in caplog.text


def test_a_stack_that_goes_down_is_no_reason_to_try_again(make: Make) -> None:
    recorder = Recorder(InvokesRefused("going down"))
    events = make(recorder)
    tell(events, "a", "b")
    assert events.wait_delivered(10)
    assert recorder.names == ["a", "b"]


def test_what_is_given_up_is_neither_delivered_nor_tried_again(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(FAILED)
    recorder.open.clear()
    events = make(recorder)
    tell(events, "a", "b", "c")
    assert not events.wait_delivered(0.05)
    with caplog.at_level(logging.WARNING, logger="local"):
        events.forget()
    assert "3 status events" in caplog.text
    assert events.wait_delivered(0)
    recorder.open.set()
    tell(events, "d")
    assert events.wait_delivered(10)
    assert recorder.names == ["a", "d"]


def test_stopping_ends_it_while_a_delivery_waits_to_be_tried_again() -> None:
    recorder = Recorder(*[FAILED] * 3)
    events = StatusEvents(recorder, backoff_seconds=600)
    events.start()
    tell(events, "a", "b")
    events.stop()
    tell(events, "c")
    assert set(recorder.names) <= {"a"}


def test_without_a_recorder_nothing_is_kept(make: Make) -> None:
    events = make(None)
    tell(events, "a")
    assert events.wait_delivered(0)

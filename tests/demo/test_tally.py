from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.aws.executions import Execution
from local.demo.tally import ENDINGS, count_endings, ending, median_seconds

START = datetime(2026, 7, 28, tzinfo=UTC)


def execution(status: str, outcome: str | None = None, error: str | None = None) -> Execution:
    output = {"result": {"outcome": outcome}} if status == "SUCCEEDED" else None
    return Execution("arn", "name", status, {"collection": "words"}, output, error, None, START, None)


@pytest.mark.parametrize(
    ("ended", "counted"),
    [
        (execution("SUCCEEDED", "published"), "published"),
        (execution("SUCCEEDED", "coalesced"), "coalesced"),
        (execution("SUCCEEDED", "nothing_pending"), "nothing_pending"),
        (execution("SUCCEEDED", "unchanged"), "nothing_pending"),
        (execution("SUCCEEDED", "paused"), "nothing_pending"),
        (execution("FAILED", error="Fenced"), "fenced"),
        (execution("FAILED", error="ShardInvalid"), "failed"),
        (execution("FAILED"), "failed"),
        (execution("TIMED_OUT"), "failed"),
        (execution("ABORTED"), "aborted"),
    ],
)
def test_every_way_to_end_is_counted_once(ended: Execution, counted: str) -> None:
    assert ending(ended) == counted
    assert count_endings([ended]) == {name: int(name == counted) for name in ENDINGS}


def test_an_execution_that_runs_has_no_ending_yet() -> None:
    assert sum(count_endings([execution("RUNNING")]).values()) == 0


def event(kind: str, name: str, seconds: float) -> dict[str, Any]:
    details = f"state{kind}EventDetails"
    return {"type": f"TaskState{kind}", details: {"name": name}, "timestamp": START + timedelta(seconds=seconds)}


def test_a_states_time_is_the_median_over_executions() -> None:
    histories = [
        [event("Entered", "SwapPointer", 10), event("Exited", "SwapPointer", 10 + took)] for took in (1.0, 2.0, 9.0)
    ]
    assert median_seconds(histories) == {"SwapPointer": 2.0}


def test_parallel_states_of_one_name_and_those_that_never_ended_do_no_harm() -> None:
    history = [
        event("Entered", "MergeDeltas", 0),
        event("Entered", "MergeDeltas", 1),
        event("Exited", "MergeDeltas", 2),
        event("Exited", "MergeDeltas", 5),
        event("Entered", "SettleChanges", 6),
        {"type": "ExecutionAborted", "timestamp": START},
    ]
    assert median_seconds([history]) == {"MergeDeltas": 3.0}

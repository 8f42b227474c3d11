"""How long a round waits for the next commit: never longer than the interval, whatever two clocks say."""

from datetime import UTC, datetime, timedelta

import pytest
from receipt_dynamo_stream.control.head import Head
from receipt_dynamo_stream.round.planning import seconds_to_wait

COMMITTED = datetime(2026, 1, 1, 12, tzinfo=UTC)
INTERVAL = timedelta(seconds=15)


@pytest.mark.parametrize(
    ("after", "waits"),
    [
        (timedelta(0), 15),
        (timedelta(seconds=4.2), 11),
        (INTERVAL, 0),
        (timedelta(days=400), 0),
        (timedelta(hours=-2), 15),
        (timedelta(days=-400), 15),
    ],
    ids=["at once", "in between", "when it is over", "a clock that is ahead", "one that is behind", "one far behind"],
)
def test_a_round_waits_for_what_is_left_of_the_interval(after: timedelta, waits: int) -> None:
    head = Head("words", committed_at=COMMITTED.isoformat())
    assert seconds_to_wait(head, INTERVAL, COMMITTED + after) == waits


def test_without_an_interval_or_a_commit_no_clock_makes_it_wait() -> None:
    assert (
        seconds_to_wait(Head("words", committed_at=COMMITTED.isoformat()), timedelta(0), COMMITTED.replace(year=2025))
        == 0
    )
    assert seconds_to_wait(Head("words"), INTERVAL, COMMITTED) == 0

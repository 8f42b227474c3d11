"""The numbers of the overview's picture: how long changes waited, version by version, over time."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receipt_dynamo_stream.control.versions import VersionRow

from console.web.charts import HEIGHT, WIDTH, Freshness, Wait, freshness

NOON = datetime(2026, 7, 28, 12, tzinfo=UTC)


def row(version: int, changed: str | None, committed: str | None) -> VersionRow:
    return VersionRow(snapshot_id=f"{version:010d}-0000000001-0", first_changed_at=changed, committed_at=committed)


def test_a_versions_wait_is_from_its_oldest_change_to_its_commit() -> None:
    rows = [
        row(2, "2026-07-28T12:00:00+00:00", "2026-07-28T12:00:30+00:00"),
        row(1, "2026-07-28T11:00:00+00:00", "2026-07-28T11:00:02+00:00"),
    ]
    fresh = freshness(rows)
    assert [(wait.version, wait.seconds) for wait in fresh.waits] == [(1, 2.0), (2, 30.0)]
    assert fresh.waits[1].at == NOON + timedelta(seconds=30)
    assert (fresh.usual, fresh.longest) == (16.0, 30.0)


def test_what_was_never_committed_or_merged_nothing_has_no_wait() -> None:
    rows = [row(1, "2026-07-28T11:00:00+00:00", None), row(2, None, "2026-07-28T11:00:00+00:00")]
    assert freshness(rows) == Freshness(())
    assert (freshness(rows).usual, freshness(rows).longest, freshness(rows).bars()) == (None, None, ())


@pytest.mark.parametrize(
    ("longest", "top"),
    [
        (0, "1 s"),
        (1, "1 s"),
        (1.2, "2 s"),
        (31, "1 min"),
        (61, "2 min"),
        (3_000, "1 h"),
        (100_000, "2 d"),
        (4e8, "4629 d"),
    ],
)
def test_the_axis_ends_at_a_whole_number_of_a_unit(longest: float, top: str) -> None:
    assert Freshness((Wait(1, longest, NOON),)).top_says == top


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=80))
def test_bars_lie_in_the_picture_in_the_order_of_time_and_grow_with_the_wait(given: list[tuple[int, int]]) -> None:
    times = itertools.accumulate(gap for gap, _ in given)
    waits = [
        Wait(version, seconds, NOON + timedelta(seconds=at))
        for version, (at, (_, seconds)) in enumerate(zip(times, given, strict=True), 1)
    ]
    bars = Freshness(tuple(waits)).bars()
    assert [bar.version for bar in bars] == [wait.version for wait in waits]
    assert all(bar.x <= following.x for bar, following in itertools.pairwise(bars))
    assert all(bar.x >= 0 and bar.x + bar.width <= WIDTH + 0.02 for bar in bars)
    assert all(abs(bar.y + bar.height - HEIGHT) <= 0.02 and bar.height <= HEIGHT for bar in bars)
    tallest = max(bars, key=lambda bar: bar.height)
    assert waits[tallest.version - 1].seconds >= 0.9 * max(wait.seconds for wait in waits)


def test_a_rollback_of_the_clock_draws_nothing_outside_the_picture() -> None:
    bars = Freshness((Wait(1, 1, NOON), Wait(2, 1, NOON - timedelta(hours=1)))).bars()
    assert all(0 <= bar.x <= WIDTH for bar in bars)

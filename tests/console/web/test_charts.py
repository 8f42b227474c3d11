"""The numbers of the overview's picture: how long changes waited, version by version."""

import itertools

from hypothesis import given
from hypothesis import strategies as st
from receipt_dynamo_stream.control.versions import VersionRow

from console.web.charts import HEIGHT, WIDTH, Freshness, freshness


def row(version: int, changed: str | None, committed: str | None) -> VersionRow:
    return VersionRow(snapshot_id=f"{version:010d}-0000000001-0", first_changed_at=changed, committed_at=committed)


def test_a_versions_wait_is_from_its_oldest_change_to_its_commit() -> None:
    rows = [
        row(2, "2026-07-28T12:00:00+00:00", "2026-07-28T12:00:30+00:00"),
        row(1, "2026-07-28T11:00:00+00:00", "2026-07-28T11:00:02+00:00"),
    ]
    fresh = freshness(rows)
    assert fresh.waits == ((1, 2.0), (2, 30.0))
    assert (fresh.usual, fresh.longest) == (16.0, 30.0)


def test_what_was_never_committed_or_merged_nothing_has_no_wait() -> None:
    rows = [row(1, "2026-07-28T11:00:00+00:00", None), row(2, None, "2026-07-28T11:00:00+00:00")]
    assert freshness(rows) == Freshness(())
    assert (freshness(rows).usual, freshness(rows).longest, freshness(rows).bars()) == (None, None, ())


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=80))
def test_bars_lie_in_the_picture_side_by_side_and_grow_with_the_wait(waits: list[int]) -> None:
    bars = Freshness(tuple(enumerate(waits, 1))).bars()
    assert [bar.version for bar in bars] == list(range(1, len(waits) + 1))
    for bar, following in itertools.pairwise(bars):
        assert bar.x + bar.width <= following.x + 0.02
    assert all(bar.x >= 0 and bar.x + bar.width <= WIDTH + 0.02 for bar in bars)
    assert all(abs(bar.y + bar.height - HEIGHT) <= 0.02 for bar in bars)
    tallest = max(bars, key=lambda bar: bar.height)
    assert waits[tallest.version - 1] >= 0.9 * max(waits)

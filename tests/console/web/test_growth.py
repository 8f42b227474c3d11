"""The numbers of the overview's other pictures: records and bytes of versions over time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receipt_dynamo_stream.control.versions import VersionRow

from console.web.charts import HEIGHT
from console.web.growth import growth

from ...toy_stack.toy import ToyStack
from .conftest import Visitor


def row(version: int, records: int, bytes: int = 0, *, committed: bool = True) -> VersionRow:
    at = f"2026-07-28T12:{version % 60:02d}:00+00:00" if committed else None
    return VersionRow(snapshot_id=f"{version:010d}-0000000001-0", records=records, bytes=bytes, committed_at=at)


def test_it_has_what_every_committed_version_had_the_oldest_first() -> None:
    records, size = growth([row(3, 70_035, 674_000_000), row(1, 7, 900), row(2, 9, committed=False)])
    assert [(one.version, one.value) for one in records.levels] == [(1, 7), (3, 70_035)]
    assert [(one.version, one.value) for one in size.levels] == [(1, 900), (3, 674_000_000)]
    assert [bar.says for bar in records.bars()] == [
        "version 1, 2026-07-28 12:01:00 UTC: 7 records",
        "version 3, 2026-07-28 12:03:00 UTC: 70,035 records",
    ]
    assert (records.top_says, size.top_says) == ("100,000 records", "1 GB")


def test_before_the_first_version_there_is_nothing_to_draw() -> None:
    assert growth([]) == growth([row(1, 7, committed=False)]) == ()


@pytest.mark.parametrize(("most", "top"), [(0, 1), (1, 1), (2, 2), (3, 5), (6, 10), (10, 10), (11, 20), (501, 1_000)])
def test_the_axis_ends_at_one_two_or_five_times_a_power_of_ten(most: int, top: int) -> None:
    assert growth([row(1, most)])[0].top == top


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=59))
def test_bars_lie_in_the_picture_and_grow_with_the_value(values: list[int]) -> None:
    records, _ = growth([row(version, value) for version, value in enumerate(values, 1)])
    bars = records.bars()
    assert [bar.version for bar in bars] == list(range(1, len(values) + 1))
    assert all(bar.height <= HEIGHT and abs(bar.y + bar.height - HEIGHT) <= 0.02 for bar in bars)
    order = sorted(range(len(values)), key=values.__getitem__)
    heights = [bars[place].height for place in order]
    assert heights == sorted(heights)
    assert max(values) < 2 or heights[-1] >= 0.4 * HEIGHT


def test_the_overview_has_records_and_bytes_with_their_units_and_when(visitor: Visitor, stack: ToyStack) -> None:
    stack.published("words", 2)
    lines, words = visitor.open("/").split('id="card-words"')
    assert "Records and bytes, over time" not in lines
    chart = words[words.index("Records and bytes, over time") :]
    assert ">20 records<" in chart
    assert ">1 MB<" in chart
    assert "first 10 records, last 20 records; from 2026-07-28 12:01:00 UTC" in chart
    assert 'href="/snapshots/words/2"' in chart

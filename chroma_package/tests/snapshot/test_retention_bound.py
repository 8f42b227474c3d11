"""Retention with a bound: older versions are given up, however many are kept and however new they are."""

from datetime import UTC, datetime, timedelta

import pytest
from receipt_chroma.snapshot.retention import Retention
from receipt_dynamo_stream.control.head import snapshot_id_of
from receipt_dynamo_stream.control.versions import VersionRow

NOW = datetime(2026, 7, 28, 12, tzinfo=UTC)
IDS = {number: snapshot_id_of(number, number, 0) for number in range(1, 6)}


def row(number: int, *, pinned: str | None = None, age: timedelta = timedelta(hours=7)) -> VersionRow:
    return VersionRow(
        snapshot_id=IDS[number],
        parent=IDS.get(number - 1),
        manifest_key="",
        created_at=(NOW - age).isoformat(),
        committed_at=NOW.isoformat(),
        pinned=pinned,
    )


def leaving(rows: list[VersionRow], before: int) -> list[int]:
    retention = Retention(keep=10, grace=timedelta(hours=6), now=NOW, before=before)
    kept = retention.kept(IDS[5], iter(rows))
    return sorted(int(one.snapshot_id[:10]) for one in rows if retention.may_expire(one, kept))


@pytest.mark.parametrize(
    ("before", "given_up"), [(0, []), (1, []), (4, [1, 2, 3]), (5, [1, 2, 3, 4]), (99, [1, 2, 3, 4])]
)
def test_what_is_older_than_the_bound_is_given_up_and_heads_own_never(before: int, given_up: list[int]) -> None:
    assert leaving([row(number) for number in (5, 4, 3, 2, 1)], before) == given_up


def test_what_is_pinned_or_within_the_grace_stays(  # its makers may still be at work
) -> None:
    rows = [row(5), row(4, age=timedelta(hours=1)), row(3, pinned="audit"), row(2), row(1)]
    assert leaving(rows, 5) == [1, 2]

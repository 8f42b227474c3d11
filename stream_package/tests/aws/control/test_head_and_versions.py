import pytest
from receipt_dynamo_stream.control.head import (
    Head,
    Pointer,
    SnapshotId,
    parse_snapshot_id,
    require_pointer_or_empty,
    snapshot_id_of,
)
from receipt_dynamo_stream.control.versions import Brought, VersionRow
from receipt_dynamo_stream.errors import KeyMalformed, PointerMissing

from ...samples import LATER, NOW, number, text
from ..conftest import Tables

POINTER = Pointer(3, snapshot_id_of(3, 7, 0), "snapshots/words/manifests/x.json", "ab" * 32)


def put_head(tables: Tables, **attributes: object) -> None:
    tables.put_control("COLLECTION#words", "HEAD", **attributes)


def test_there_is_no_head_before_the_first_execution(tables: Tables) -> None:
    assert tables.control_table.head("words").read() is None
    assert tables.control_table.head("words").raise_projected_version(1) is False
    assert tables.control_item("COLLECTION#words", "HEAD") is None


def test_a_head_of_a_lease_only_has_defaults(tables: Tables) -> None:
    put_head(tables, holder=text("arn"), fence=number(1))
    assert tables.control_table.head("words").read() == Head("words", holder="arn", fence=1)


def test_a_full_head_is_read_whole(tables: Tables) -> None:
    put_head(
        tables,
        holder=text("arn"),
        acquired_at=text(NOW),
        fence=number(7),
        rerun={"BOOL": True},
        paused=text("rollback by ada"),
        version=number(3),
        snapshot_id=text(POINTER.snapshot_id),
        manifest_key=text(POINTER.manifest_key),
        manifest_sha256=text(POINTER.manifest_sha256),
        projected_version=number(2),
        shards=number(4),
        committed_at=text(NOW),
        execution=text("words-1"),
    )
    head = tables.control_table.head("words").read()
    assert head == Head("words", "arn", NOW, 7, "set", "rollback by ada", POINTER, 3, 2, 4, NOW, "words-1")
    assert Pointer.from_json(POINTER.to_json()) == POINTER


def test_the_projected_version_only_grows(tables: Tables) -> None:
    put_head(tables, fence=number(1), version=number(3))
    assert tables.control_table.head("words").raise_projected_version(2) is True
    assert tables.control_table.head("words").raise_projected_version(2) is False
    assert tables.control_table.head("words").raise_projected_version(1) is False
    assert tables.control_table.head("words").raise_projected_version(10) is True
    head = tables.control_table.head("words").read()
    assert head is not None
    assert head.projected_version == 10


@pytest.mark.parametrize("head", [None, Head("words", fence=1)])
def test_a_collection_without_published_versions_starts_empty(head: Head | None) -> None:
    assert require_pointer_or_empty(head, []) is None
    assert require_pointer_or_empty(head, ["candidate"]) is None


def test_a_head_with_a_pointer_gives_it() -> None:
    assert require_pointer_or_empty(Head("words", pointer=POINTER, version=3), ["committed"]) is POINTER


@pytest.mark.parametrize(
    ("head", "states"),
    [
        (None, ["committed"]),
        (Head("words", fence=1), ["EXPIRED", "candidate"]),
        (Head("words", fence=1, version=3), []),
    ],
)
def test_a_lost_pointer_is_an_error_and_never_an_empty_collection(head: Head | None, states: list[str]) -> None:
    with pytest.raises(PointerMissing, match="restore HEAD"):
        require_pointer_or_empty(head, states)


def test_a_snapshot_id_is_read_back_and_sorts_by_version() -> None:
    assert snapshot_id_of(12, 3, 0) == "0000000012-0000000003-0"
    assert parse_snapshot_id("0000000012-0000000003-0") == SnapshotId(12, 3, 0)
    assert snapshot_id_of(9, 99, 1) < snapshot_id_of(10, 1, 0)


@pytest.mark.parametrize(
    "text", ["", "12-3-0", "0000000012-0000000003", "0000000012-0000000003-x", "0000000012-0000000003-01"]
)
def test_another_text_is_no_snapshot_id(text: str) -> None:
    with pytest.raises(KeyMalformed):
        parse_snapshot_id(text)


ROW = VersionRow(
    snapshot_id=POINTER.snapshot_id,
    parent=snapshot_id_of(2, 6, 0),
    manifest_key=POINTER.manifest_key,
    manifest_sha256=POINTER.manifest_sha256,
    plan_key="plans/words/e/0-a.json.gz",
    execution="e",
    trigger="stream",
    created_at=NOW,
    records=100,
    bytes=1_000_000_000_000,
    counts={"added": 3},
    seconds={"merge": 1.25},
    receipts=4,
    runs=3,
    refused=1,
    first_changed_at=NOW,
    rollback=snapshot_id_of(1, 5, 0),
)


def test_a_candidate_is_read_back_whole(tables: Tables) -> None:
    versions = tables.control_table.versions("words")
    assert versions.put_candidate(ROW) is True
    assert versions.list() == [ROW]
    assert versions.read(ROW.snapshot_id) == ROW
    assert versions.read(snapshot_id_of(9, 9, 9)) is None
    assert ROW.version == 3


def test_a_version_goes_from_candidate_to_committed_to_expired_and_never_back(tables: Tables) -> None:
    versions, id_ = tables.control_table.versions("words"), ROW.snapshot_id
    assert versions.mark_committed(id_, committed_at=LATER) is False
    assert versions.mark_expired(id_) is False
    assert versions.list() == []
    versions.put_candidate(ROW)
    assert versions.put_candidate(ROW) is True
    assert versions.mark_committed(id_, committed_at=LATER, brought=Brought(counts={"added": 5}), seconds={"a": 0.5})
    assert versions.put_candidate(ROW) is False
    row = versions.read(id_)
    assert row is not None
    assert (row.state, row.committed_at, row.counts) == ("committed", LATER, {"added": 5})
    assert row.seconds == {"merge": 1.25, "a": 0.5}
    assert versions.mark_expired(id_, now=LATER) is True
    assert versions.mark_expired(id_, now=LATER) is False
    assert versions.put_candidate(ROW) is False
    assert versions.mark_committed(id_, committed_at=LATER) is False
    row = versions.read(id_)
    assert row is not None
    assert (row.state, row.expired_at) == ("EXPIRED", LATER)


def test_steps_add_to_a_row_and_the_first_time_of_each_stays(tables: Tables) -> None:
    versions, id_ = tables.control_table.versions("words"), ROW.snapshot_id
    versions.put_candidate(VersionRow(id_, seconds={"read": 1.0}))
    assert versions.mark_committed(id_, committed_at=NOW, seconds={"swap": 0.5})
    for again in range(2):
        settled = Brought(
            seconds={"read": 9.0, "stage": 2.0 + again},
            counts={"added": 5},
            receipts=4,
            runs=3,
            refused=1,
            first_changed_at="2026-07-28T11:59:58+00:00",
        )
        assert versions.mark_committed(id_, committed_at=LATER, brought=settled)
    assert versions.mark_committed(id_, committed_at=LATER, seconds={"swap": 7.0})
    row = versions.read(id_)
    assert row is not None
    assert row.seconds == {"read": 1.0, "swap": 0.5, "stage": 2.0}
    assert (row.committed_at, row.counts, row.receipts, row.runs, row.refused) == (NOW, {"added": 5}, 4, 3, 1)
    assert row.visible_after_seconds == 2.0


def test_a_row_from_before_these_attributes_has_their_defaults(tables: Tables) -> None:
    versions = tables.control_table.versions("words")
    tables.put_control(
        "COLLECTION#words", f"VERSION#{ROW.snapshot_id}", state=text("committed"), committed_at=text(NOW)
    )
    (row,) = versions.list()
    assert row == VersionRow(ROW.snapshot_id, state="committed", committed_at=NOW)
    assert (row.receipts, row.runs, row.refused, row.first_changed_at, row.visible_after_seconds) == (
        0,
        0,
        0,
        None,
        None,
    )
    assert VersionRow(ROW.snapshot_id, first_changed_at=NOW).visible_after_seconds is None


def test_an_execution_that_lost_its_lease_expires_nothing(tables: Tables) -> None:
    versions = tables.control_table.versions("words")
    versions.put_candidate(ROW)
    id_ = ROW.snapshot_id
    assert versions.mark_expired(id_, fence=7) is False
    put_head(tables, fence=number(8))
    assert versions.mark_expired(id_, fence=7) is False
    assert versions.mark_expired(id_, fence=8, now=LATER) is True
    assert versions.mark_expired(id_, fence=8) is False


def test_a_pinned_version_is_never_expired(tables: Tables) -> None:
    versions = tables.control_table.versions("words")
    versions.put_candidate(ROW)
    assert versions.pin(ROW.snapshot_id, "audit") is True
    assert versions.mark_expired(ROW.snapshot_id) is False
    assert [row.pinned for row in versions.list()] == ["audit"]
    assert versions.unpin(ROW.snapshot_id) is True
    assert [row.pinned for row in versions.list()] == [None]
    assert versions.mark_expired(ROW.snapshot_id) is True


def test_what_is_expired_or_gone_is_never_pinned(tables: Tables) -> None:
    versions = tables.control_table.versions("words")
    assert versions.pin(ROW.snapshot_id, "audit") is False
    assert versions.list() == []
    versions.put_candidate(ROW)
    versions.mark_expired(ROW.snapshot_id)
    assert (versions.pin(ROW.snapshot_id, "audit"), versions.unpin(ROW.snapshot_id)) == (False, False)
    assert [row.pinned for row in versions.list()] == [None]


def test_versions_are_listed_oldest_first_and_head_is_none_of_them(tables: Tables) -> None:
    versions = tables.control_table.versions("words")
    put_head(tables, fence=number(1))
    ids = [snapshot_id_of(version, 1, round_) for version, round_ in ((10, 0), (2, 10), (2, 9))]
    for id_ in ids:
        versions.put_candidate(VersionRow(id_))
    assert [row.snapshot_id for row in versions.list()] == ids[::-1]


def test_a_range_of_versions_is_read_with_every_attempt_at_them(tables: Tables) -> None:
    versions = tables.control_table.versions("words")
    put_head(tables, fence=number(1))
    ids = [snapshot_id_of(*parts) for parts in ((8, 1, 0), (9, 2, 0), (9, 11, 10), (10, 12, 0), (11, 13, 0))]
    for id_ in ids:
        versions.put_candidate(VersionRow(id_))

    def found(first: int, last: int) -> list[str]:
        rows = versions.between(first, last)
        return [row.snapshot_id for row in rows]

    assert found(9, 10) == ids[1:4]
    assert found(9, 9) == ids[1:3]
    assert found(0, 99) == ids
    assert found(-1, 8) == ids[:1]
    assert found(12, 99) == found(10, 9) == []

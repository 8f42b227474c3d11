"""Rows that have been EXPIRED for long leave the live partition, and stay readable."""

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from receipt_dynamo_stream.control.head import snapshot_id_of
from receipt_dynamo_stream.control.versions import Archived, VersionRow, Versions

from ...samples import LATER, NOW
from ..conftest import Tables

ROW = VersionRow(snapshot_id_of(1, 1, 0), parent=None, manifest_key="key", counts={"added": 3}, created_at=NOW)


@pytest.fixture
def versions(tables: Tables) -> Versions:
    """Nine versions, the first seven of them EXPIRED."""
    versions = tables.control_table.versions("words")
    for number in range(1, 10):
        assert versions.put_candidate(replace(ROW, snapshot_id=id_of(number)))
        versions.mark_committed(id_of(number), committed_at=NOW)
        if number < 8:
            assert versions.mark_expired(id_of(number), now=LATER)
    return versions


def id_of(number: int) -> str:
    return snapshot_id_of(number, number, 0)


def live(versions: Versions) -> list[int]:
    return [row.version for row in versions.list()]


def archived(versions: Versions) -> list[int]:
    return [row.version for row in versions.archived(limit=100)]


def test_expired_rows_move_whole_and_stay_readable_by_id_by_number_and_by_page(versions: Versions) -> None:
    before = {row.snapshot_id: row for row in versions.list()}
    moved = versions.archive(lambda row: row.version != 3, at_most=100)
    assert moved == Archived(tuple(id_of(number) for number in (1, 2, 4, 5, 6, 7)), more=False)
    assert live(versions) == [3, 8, 9]
    assert archived(versions) == [7, 6, 5, 4, 2, 1]
    assert {one: versions.read(one) for one in before} == before
    assert {row.snapshot_id: row for row in versions.between(0, 99)} == before
    assert [row.version for row in versions.between(2, 4)] == [2, 3, 4]
    assert [row.version for row in versions.archived(before=id_of(6), limit=2)] == [5, 4]
    assert [row.version for row in versions.newest_first()] == [9, 8, 3]


def test_what_is_not_expired_never_moves(versions: Versions) -> None:
    versions.archive(lambda _row: True, at_most=100)
    assert live(versions) == [8, 9]


def test_many_rows_move_in_parts_the_oldest_first(versions: Versions) -> None:
    assert versions.archive(lambda _row: True, at_most=3).more
    assert live(versions) == [4, 5, 6, 7, 8, 9]
    assert not versions.archive(lambda _row: True, at_most=100).more
    assert archived(versions) == [7, 6, 5, 4, 3, 2, 1]


def test_a_dry_run_moves_nothing(versions: Versions) -> None:
    assert len(versions.archive(lambda _row: True, at_most=100, dry_run=True).snapshot_ids) == 7
    assert (len(live(versions)), archived(versions)) == (9, [])


def test_a_moved_row_is_never_committed_pinned_or_marked_again(versions: Versions) -> None:
    versions.archive(lambda _row: True, at_most=100)
    assert versions.mark_committed(id_of(1), committed_at=LATER) is False
    assert versions.pin(id_of(1), "audit") is False
    assert versions.mark_expired(id_of(1)) is False
    row = versions.read(id_of(1))
    assert row is not None
    assert (row.state, row.pinned) == ("EXPIRED", None)


def test_a_late_candidate_of_a_moved_row_takes_nothing_back(versions: Versions) -> None:
    versions.archive(lambda _row: True, at_most=100)
    first = versions.archived(limit=100)
    assert versions.put_candidate(replace(ROW, snapshot_id=id_of(1), counts={}))  # nobody knows it any more
    assert versions.mark_expired(id_of(1), now=LATER)
    assert versions.archive(lambda _row: True, at_most=100).snapshot_ids == (id_of(1),)
    assert versions.archived(limit=100) == first, "the copy that knew more stays"
    assert live(versions) == [8, 9]


class Torn:
    """A DynamoDB client that refuses transactions and ends the process after some single writes."""

    def __init__(self, client: Any, writes: int) -> None:
        self._client, self._writes = client, writes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **request: Any) -> Any:
        reasons = [{"Code": "ConditionalCheckFailed"} for _ in request["TransactItems"]]
        error: Any = {"Error": {"Code": "TransactionCanceledException", "Message": ""}, "CancellationReasons": reasons}
        raise ClientError(error, "TransactWriteItems")

    def put_item(self, **request: Any) -> Any:
        self._count()
        return self._client.put_item(**request)

    def delete_item(self, **request: Any) -> Any:
        self._count()
        return self._client.delete_item(**request)

    def _count(self) -> None:
        if not self._writes:
            raise KeyboardInterrupt
        self._writes -= 1


@pytest.mark.parametrize("writes", [0, 1, 2, 3])
def test_wherever_a_move_ends_in_between_each_row_is_somewhere_and_the_next_one_goes_on(
    versions: Versions, writes: int
) -> None:
    before = versions.between(0, 99)
    with pytest.raises(KeyboardInterrupt):
        replace(versions, client=Torn(versions.client, writes)).archive(lambda _row: True, at_most=100)
    assert versions.between(0, 99) == before
    versions.archive(lambda _row: True, at_most=100)
    assert versions.between(0, 99) == before
    assert (live(versions), archived(versions)) == ([8, 9], [7, 6, 5, 4, 3, 2, 1])


def test_other_errors_of_a_move_are_raised(versions: Versions, monkeypatch: pytest.MonkeyPatch) -> None:
    def throttled(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow"}}, "TransactWriteItems")

    monkeypatch.setattr(versions.client, "transact_write_items", throttled)
    with pytest.raises(ClientError, match="Throttling"):
        versions.archive(lambda _row: True, at_most=100)


def test_a_pinned_version_says_that_it_was_published(tables: Tables) -> None:
    versions = tables.control_table.versions("words")
    assert versions.put_candidate(ROW)
    assert versions.pin(ROW.snapshot_id, "audit")
    row = versions.read(ROW.snapshot_id)
    assert row is not None
    assert row.committed_at == NOW

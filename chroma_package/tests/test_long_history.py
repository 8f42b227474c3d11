"""Expiry and rollback read what is retained: a million versions of history cost what a hundred do."""

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from receipt_chroma.errors import RollbackRefused
from receipt_chroma.expire import ROWS_A_ROUND, Expired, expire_snapshots
from receipt_chroma.rollback import rollback_target
from receipt_chroma.snapshot.manifest import Manifest
from receipt_chroma.snapshot.retention import Retention
from receipt_chroma.storage.tree import manifest_path, object_key
from receipt_dynamo_stream.attributes import number, string
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Head, Pointer, head_key, snapshot_id_of
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.control.version_row import EXPIRED, VersionRow, candidate_item, row_key

from .retained import MemoryS3

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MANY = 1_000_000
KEPT = 10
PAGE_ROWS = 700
"""A row of a version has about 1.4 KB; a page of DynamoDB 1 MB."""

EACH = {"added": 12, "removed": 3, "replaced": 0, "updated": 1, "unchanged": 5}
ROW = VersionRow(
    snapshot_id="",
    manifest_sha256="ab" * 32,
    execution="arn:aws:states:us-east-1:123456789012:execution:compaction:words-stream-" + "0" * 32,
    trigger="stream",
    counts=EACH,
    seconds={f"step{place}": 0.123456 for place in range(12)},
)


def id_of(version: int) -> str:
    return snapshot_id_of(version, version, 0)


class LongTable:
    """DynamoDB with VERSION rows that are made when a page of them is read, so that there may be a million.

    `newest` is the current version. Rows are EXPIRED up to `expired`; those up to `archived` are in the archive.
    """

    def __init__(self, newest: int, *, expired: int, archived: int) -> None:
        self.newest, self.expired, self.archived = newest, expired, archived
        self.requests: list[str] = []

    def get_item(self, *, Key: Any, **_: Any) -> Any:  # noqa: N803 - boto3's names
        self.requests.append("get")
        if Key == head_key("words"):
            said = {"fence": number(self.newest), "version": number(self.newest)}
            pointer = Pointer(self.newest, id_of(self.newest), "key", "ab" * 32)
            texts = {name: string(value) for name, value in pointer.to_json().items() if isinstance(value, str)}
            return {"Item": {**Key, **said, **texts}}
        version = int(Key["SK"]["S"].split("#")[1][:10])
        here = version <= self.archived if "EXPIRED" in Key["PK"]["S"] else self.archived < version <= self.newest
        return {"Item": self._item(version)} if here else {}

    def query(self, **asked: Any) -> Any:
        self.requests.append("query")
        forward = asked["ScanIndexForward"]
        places = range(self.archived + 1, self.newest + 1)
        assert asked["ExpressionAttributeValues"][":pk"] == string("COLLECTION#words"), "the archive is not read"
        start = asked.get("ExclusiveStartKey")
        ordered = iter(places) if forward else reversed(places)
        page = list(_from(ordered, start, PAGE_ROWS))
        last = page[-1] if page and page[-1] not in (self.newest if forward else places[0],) else None
        return {"Items": [self._item(one) for one in page], **({"LastEvaluatedKey": last} if last else {})}

    def transact_write_items(self, *, TransactItems: list[Any]) -> None:  # noqa: N803
        self.requests.append("transact")
        for one in TransactItems:
            if "Update" in one:
                self.expired = max(self.expired, int(one["Update"]["Key"]["SK"]["S"].split("#")[1][:10]))
            if "Delete" in one:
                assert int(one["Delete"]["Key"]["SK"]["S"].split("#")[1][:10]) == self.archived + 1
                self.archived += 1

    def _item(self, version: int) -> Any:
        row = replace(ROW, snapshot_id=id_of(version), parent=id_of(version - 1) if version > 1 else None)
        row = replace(row, created_at=(NOW - timedelta(minutes=self.newest - version)).isoformat())
        item = {**row_key("words", row.snapshot_id), **candidate_item(row), "committed_at": string(row.created_at)}
        if version <= self.expired:
            item |= {"state": string(EXPIRED), "expired_at": string((NOW - timedelta(hours=2)).isoformat())}
        return item


def _from(ordered: Iterator[int], start: int | None, count: int) -> Iterator[int]:
    for one in ordered:
        if start is not None:
            start = None if one == start else start
            continue
        yield one
        count -= 1
        if not count:
            return


class Long:
    """A collection with a long history; its manifests are those of the versions that are kept."""

    def __init__(self, folder: Path, table: LongTable) -> None:
        self.table, self.folder = table, folder
        self.s3 = MemoryS3(lambda: NOW - timedelta(days=9))
        for version in range(max(1, table.newest - 200), table.newest + 1):
            manifest = _manifest(version)
            self.s3.put_object(Key=object_key("words", manifest_path(manifest.snapshot_id)), Body=manifest.encode())

    @property
    def control(self) -> ControlTable:
        return ControlTable(self.table, "control")  # type: ignore[arg-type]

    def expire(self, *, dry_run: bool = False) -> Expired:
        self.table.requests.clear()
        return expire_snapshots(
            self.control,
            Bucket(self.s3, "bucket"),  # type: ignore[arg-type]
            efs_root=self.folder,
            collection="words",
            fence=self.table.newest,
            retention=Retention(keep=KEPT, grace=timedelta(hours=1), now=NOW),
            dry_run=dry_run,
        )


def _manifest(version: int) -> Manifest:
    return Manifest(
        collection="words",
        version=version,
        snapshot_id=id_of(version),
        parent=None,
        dimension=None,
        space="l2",
        chromadb_version="1",
        shard_count=1,
        records=0,
        digest="0" * 64,
        shards=(),
        plan_key="plan",
        execution="execution",
        trigger="stream",
        created_at=NOW.isoformat(),
    )


def peak_mib(act: Any) -> tuple[Any, float]:
    tracemalloc.start()
    try:
        return act(), tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("versions", [1_000, MANY])
def test_a_round_of_expiry_asks_ten_times_at_most_however_long_the_history_is(tmp_path: Path, versions: int) -> None:
    # A version a minute: the newest sixty are younger than the grace, sixty more were marked within the hour.
    long = Long(tmp_path, LongTable(versions, expired=versions - 61, archived=versions - 62))
    done, mib = peak_mib(long.expire)
    assert (done.archived, done.more, done.fenced) == ((id_of(versions - 61),), False, False)
    deletions = len(done.manifests)  # each after a look at HEAD
    assert len(long.table.requests) - deletions <= 10, long.table.requests
    assert mib < 30


@pytest.mark.parametrize("versions", [MANY])
def test_a_table_from_before_the_archive_is_worked_off_round_by_round(tmp_path: Path, versions: int) -> None:
    long = Long(tmp_path, LongTable(versions, expired=versions - 61, archived=0))
    for moved in (1, 2):
        done, mib = peak_mib(long.expire)
        assert (len(done.archived), done.more, done.manifests) == (ROWS_A_ROUND, True, ())
        assert long.table.archived == moved * ROWS_A_ROUND
        assert len(long.table.requests) <= 10, long.table.requests
        assert mib < 30


@pytest.mark.parametrize("versions", [MANY])
def test_a_table_whose_rows_were_never_marked_is_worked_off_too(tmp_path: Path, versions: int) -> None:
    long = Long(tmp_path, LongTable(versions, expired=0, archived=0))
    done, mib = peak_mib(long.expire)
    assert (len(done.expired), done.more, done.manifests) == (ROWS_A_ROUND, True, ())
    assert long.table.expired == ROWS_A_ROUND
    assert mib < 30


def test_it_comes_to_an_end_and_then_files_go(tmp_path: Path) -> None:
    long = Long(tmp_path, LongTable(1_000, expired=939, archived=0))
    rounds = 0
    while (done := long.expire()).more:
        rounds += 1
    assert rounds == 939 // ROWS_A_ROUND
    assert len(done.manifests) > 100
    assert long.table.archived == 939


@pytest.mark.parametrize("versions", [1_000, MANY])
def test_a_rollback_finds_its_target_without_reading_the_history(tmp_path: Path, versions: int) -> None:
    table = LongTable(versions, expired=versions - 61, archived=versions - 62)
    rows = ControlTable(table, "control").versions("words")  # type: ignore[arg-type]
    head = Head("words", fence=versions, pointer=Pointer(versions, id_of(versions), "key", "ab" * 32), version=versions)
    assert rollback_target(head, rows, id_of(versions - 5)).version == versions - 5
    for expired in (1, versions // 2, versions - 62, versions - 61):
        with pytest.raises(RollbackRefused, match="is EXPIRED"):
            rollback_target(head, rows, id_of(expired))
    with pytest.raises(RollbackRefused, match="never published"):
        rollback_target(head, rows, id_of(versions + 9))
    assert len(table.requests) <= 15

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from receipt_chroma import expire as expire_module
from receipt_chroma.errors import SnapshotDamaged
from receipt_chroma.expire import Expired, expire_snapshots
from receipt_chroma.reader import SnapshotReader
from receipt_chroma.snapshot.retention import Retention, parent_chain
from receipt_dynamo_stream.control.head import head_key
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.control.versions import EXPIRED, VersionRow, row_key

from .samples import facts, receipt, run, word
from .world import World

GRACE = timedelta(hours=1)
LATER = timedelta(days=1)
NOW = datetime.now(UTC)
KEEP_ONE = Retention(keep=1, grace=GRACE, now=NOW + LATER)
"""The tests move the caller's clock: files are as old as the test, `now` is given."""


class History:
    """A collection with some versions, and expiry as a handler calls it."""

    def __init__(self, world: World, dynamodb: Any, table: str) -> None:
        self.world, self.dynamodb, self.table = world, dynamodb, table
        self.control = ControlTable(dynamodb, table)

    def publish(self, name: str) -> None:
        """One more version; the merchant's name is all that changes."""
        before = self.world.pointer
        self.world.publish(facts([(1, 1)], runs=[run(1)], place={"merchant_name": name}))
        pointer = self.world.pointer
        assert pointer is not None
        row = VersionRow(
            snapshot_id=pointer.snapshot_id,
            parent=before.snapshot_id if before else None,
            manifest_key=pointer.manifest_key,
            created_at=NOW.isoformat(),
        )
        self.control.versions(self.world.collection).put_candidate(row)
        self.lead(self.world.fence)

    def lead(self, fence: int) -> None:
        """HEAD names the current snapshot and this fence."""
        pointer = self.world.pointer
        assert pointer is not None
        item = {
            **head_key(self.world.collection),
            "fence": {"N": str(fence)},
            "version": {"N": str(pointer.version)},
            "snapshot_id": {"S": pointer.snapshot_id},
            "manifest_key": {"S": pointer.manifest_key},
            "manifest_sha256": {"S": pointer.manifest_sha256},
        }
        self.dynamodb.put_item(TableName=self.table, Item=item)

    def expire(
        self, *, keep: int = 1, after: timedelta = LATER, fence: int | None = None, dry_run: bool = False
    ) -> Expired:
        return expire_snapshots(
            self.control,
            self.world.store,
            efs_root=self.world.efs,
            collection=self.world.collection,
            fence=self.world.fence if fence is None else fence,
            retention=Retention(keep=keep, grace=GRACE, now=NOW + after),
            dry_run=dry_run,
        )

    def rows(self) -> list[VersionRow]:
        return self.control.versions(self.world.collection).list()

    def pin(self, row: VersionRow) -> None:
        self.dynamodb.update_item(
            TableName=self.table,
            Key=row_key(self.world.collection, row.snapshot_id),
            UpdateExpression="SET pinned = :why",
            ExpressionAttributeValues={":why": {"S": "audit"}},
        )

    def stored(self) -> tuple[set[str], set[str]]:
        """Versions that EFS and S3 have, by shard directories and manifests."""
        folder, prefix = self.world.folder, f"snapshots/{self.world.collection}/"
        on_efs = {path.name for path in folder.glob("shards/*/*")} | {path.stem for path in folder.glob("manifests/*")}
        pages = self.world.s3.get_paginator("list_objects_v2").paginate(Bucket=self.world.bucket, Prefix=prefix)
        keys = [entry["Key"].removeprefix(prefix) for page in pages for entry in page.get("Contents", ())]
        keys.remove("CURRENT")  # which stays, whatever goes
        on_s3 = {key.split("/")[2] if key.startswith("shards/") else Path(key).stem for key in keys}
        return {name[:21] for name in on_efs}, {name[:21] for name in on_s3}

    def versions(self) -> list[int]:
        """Versions that are whole in both places."""
        on_efs, on_s3 = self.stored()
        assert on_efs == on_s3
        return sorted(int(name[:10]) for name in on_efs)


@pytest.fixture
def history(world: World, dynamodb: Any, control_table: str) -> History:
    """Four versions."""
    world.upload(run(1), [word(1, 1)])
    history = History(world, dynamodb, control_table)
    for name in ("one", "two", "three", "four"):
        history.publish(name)
    return history


def test_what_is_old_is_marked_first_and_deleted_an_hour_later(history: History) -> None:
    marked = history.expire(keep=2)
    assert [row.state for row in history.rows()] == [EXPIRED, EXPIRED, "candidate", "candidate"]
    assert marked.expired == tuple(row.snapshot_id for row in history.rows()[:2])
    assert marked.shards == marked.manifests == ()
    assert history.versions() == [1, 2, 3, 4]
    assert history.expire(keep=2, after=LATER + timedelta(minutes=59)).manifests == ()
    deleted = history.expire(keep=2, after=LATER + timedelta(hours=1))
    assert history.versions() == [3, 4]
    assert (len(deleted.manifests), len(deleted.shards)) == (2, 2)
    assert deleted.bytes > 100_000
    assert history.expire(keep=2, after=LATER * 3) == Expired(dry_run=False)


def test_retained_is_readable_after_expiry(history: History) -> None:
    history.expire(keep=2)
    history.expire(keep=2, after=LATER * 2)
    with SnapshotReader(history.world.efs, "words") as reader:
        assert reader.records()[0].metadata["merchant_name"] == "four"
    for row in history.rows()[2:]:
        assert (history.world.folder / "manifests" / f"{row.snapshot_id}.json").exists()


def test_a_dry_run_only_says(history: History) -> None:
    said = history.expire(dry_run=True)
    assert len(said.expired) == 3
    assert {row.state for row in history.rows()} == {"candidate"}
    history.expire()
    assert len(history.expire(after=LATER * 2, dry_run=True).shards) == 3
    assert history.versions() == [1, 2, 3, 4]


def test_what_is_young_or_pinned_or_current_is_kept(history: History) -> None:
    assert history.expire(after=timedelta(minutes=59)).expired == ()
    history.pin(history.rows()[0])
    history.expire(keep=0)
    history.expire(keep=0, after=LATER * 2)
    assert history.versions() == [1, 4]


def test_shards_that_a_kept_version_shares_with_an_expired_one_stay(
    world: World, dynamodb: Any, control_table: str
) -> None:
    world.shards = 2
    world.upload(run(1), [word(1, 1)])
    known = []
    for number in range(2, 8):
        world.upload(run(number), [word(1, 1, of=receipt(number))])
        known.append(facts([(1, 1)], of=receipt(number), runs=[run(number)]))
    world.publish(*known)
    first = {shard.path for shard in world.manifest.shards}
    history = History(world, dynamodb, control_table)
    history.publish("of another receipt")
    assert len(first & {shard.path for shard in world.manifest.shards}) == 1
    history.expire()
    history.expire(after=LATER * 2)
    assert len(world.read()) == 7
    assert len(list(world.folder.glob("shards/*/*"))) == 2


def test_files_of_lost_attempts_go_after_the_grace(history: History) -> None:
    world = history.world
    plan = world.plan(facts([(1, 1)], runs=[run(1)], place={"merchant_name": "lost"}))
    lost = world.merge(plan, attempt="lost")
    unnamed = world.write_manifest(plan, [world.merge(plan, attempt="unnamed")])
    history.lead(world.fence)
    assert lost.staged is not None
    young = history.expire(keep=9, after=timedelta(minutes=30))
    assert (young.manifests, young.shards, young.staging) == ((), (), ())
    old = history.expire(keep=9)
    assert old.manifests == (f"manifests/{unnamed.snapshot_id}.json",)
    assert {path.rsplit("-", 1)[1] for path in old.shards} == {"lost", "unnamed"}
    assert f"staging/{plan.execution}" in old.staging
    assert not any((world.folder / "staging").iterdir())
    assert history.versions() == [1, 2, 3, 4]


def test_an_execution_that_lost_its_lease_marks_and_deletes_nothing(history: History) -> None:
    assert history.expire(fence=99) == Expired(dry_run=False, fenced=True)
    assert {row.state for row in history.rows()} == {"candidate"}


def test_losing_the_lease_in_between_stops_the_deletion(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    history.expire()
    delete = expire_module.delete_entry

    def delete_and_lose(*arguments: Any) -> None:
        delete(*arguments)
        history.lead(history.world.fence + 1)

    monkeypatch.setattr(expire_module, "delete_entry", delete_and_lose)
    assert history.expire(after=LATER * 2).fenced
    on_efs, on_s3 = history.stored()
    assert len(on_efs) == len(on_s3) == 4, "manifests go last, so each is still there"


def test_a_crash_between_two_deletions_is_made_good_by_the_next_run(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.expire()
    delete, calls = expire_module.delete_entry, []

    def crash(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        delete(*arguments)

    monkeypatch.setattr(expire_module, "delete_entry", crash)
    with pytest.raises(KeyboardInterrupt):
        history.expire(after=LATER * 2)
    monkeypatch.undo()
    history.expire(after=LATER * 2)
    assert history.versions() == [4]


def test_without_a_kept_manifest_nothing_is_deleted(history: History) -> None:
    history.expire()
    kept = history.rows()[-1]
    world = history.world
    world.s3.delete_object(Bucket=world.bucket, Key=kept.manifest_key)
    assert history.expire(after=LATER * 2, dry_run=True).shards, "EFS still has it"
    (world.folder / "manifests" / f"{kept.snapshot_id}.json").unlink()
    with pytest.raises(SnapshotDamaged, match="nothing was deleted"):
        history.expire(after=LATER * 2)
    assert len(list(world.folder.glob("shards/*/*"))) == 4


def test_a_torn_temp_file_beside_the_manifests_does_not_stop_expiry(history: History) -> None:
    torn = history.world.folder / "manifests" / ".0000000009-0000000009-1.json.x1y2"
    torn.write_bytes(b"{")
    history.expire(after=timedelta(minutes=30))
    assert torn.exists()
    history.expire()
    assert not torn.exists()


def test_a_collection_without_a_head_or_a_pointer_is_left_alone(
    world: World, dynamodb: Any, control_table: str
) -> None:
    history = History(world, dynamodb, control_table)
    assert history.expire(fence=1).fenced
    dynamodb.put_item(TableName=control_table, Item={**head_key("words"), "fence": {"N": "1"}})
    assert history.expire(fence=1) == Expired(dry_run=False)


ROW = VersionRow(snapshot_id="", created_at=NOW.isoformat())


def row(number: int, parent: int | None, **more: Any) -> VersionRow:
    ids = [f"{one:010d}-{one:010d}-1" if one is not None else None for one in (number, parent)]
    return replace(ROW, snapshot_id=str(ids[0]), parent=ids[1], **more)


def test_the_newest_of_heads_chain_are_kept_not_the_newest_rows() -> None:
    rows = [row(1, None), row(2, 1), row(3, 2), row(4, 2)]
    head = rows[3].snapshot_id
    assert list(parent_chain(head, rows[::-1])) == [rows[3], rows[1], rows[0]]
    retention = Retention(keep=2, grace=GRACE, now=NOW + LATER)
    kept = retention.kept(head, rows[::-1])
    assert [one for one in rows if retention.may_expire(one, kept)] == [rows[0], rows[2]]


def test_a_chain_that_bites_its_tail_ends() -> None:
    rows = [row(1, 2), row(2, 1)]
    assert list(parent_chain(rows[0].snapshot_id, rows[::-1])) == [rows[0]]


def test_a_pinned_row_is_not_even_proposed() -> None:
    assert not KEEP_ONE.may_expire(row(1, None, pinned="audit"), ())


def test_a_row_without_a_readable_time_is_kept() -> None:
    assert not KEEP_ONE.may_expire(row(1, None, created_at=""), ())


def test_files_younger_than_the_grace_are_kept_whatever_their_name(history: History) -> None:
    stray = history.world.folder / "shards" / "0000" / "stray"
    stray.mkdir()
    (stray / "file").write_bytes(b"x")
    os.utime(stray / "file", ((NOW + LATER).timestamp(), (NOW + LATER).timestamp()))
    history.expire(after=LATER + timedelta(minutes=59))
    assert stray.exists()
    history.expire(after=LATER + timedelta(hours=2))
    assert not stray.exists()

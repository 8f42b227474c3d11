"""A projection is checked, not believed: what readers lost on EFS is brought back by the next scheduled execution."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from receipt_chroma.errors import CurrentGone, SnapshotUnavailable
from receipt_chroma.reader import SnapshotReader
from receipt_chroma.snapshot.pointer import Current, read_current
from receipt_dynamo_stream.keys import ReceiptId

from .world import World, word_ids

STORED = "snapshots/words/CURRENT"
A, B, C = ReceiptId("aaaa", 1), ReceiptId("bbbb", 1), ReceiptId("cccc", 1)


def scheduled(world: World) -> Any:
    """What the schedule starts; how it ended."""
    return world.end_of(world.stack.schedule.trigger_now("words"))


def files(world: World) -> dict[str, int]:
    """Every file of the current snapshot on EFS, by path, with its size."""
    manifest = manifest_of(world)
    shards = [shard["path"] for shard in manifest["shards"] if shard["path"]]
    found = [path for shard in shards for path in (world.efs / "words" / shard).rglob("*") if path.is_file()]
    return {path.relative_to(world.efs / "words").as_posix(): path.stat().st_size for path in found}


def manifest_of(world: World) -> dict[str, Any]:
    pointer = world.head().pointer
    assert pointer is not None
    answer = world.s3.get_object(Bucket=world.names.bucket, Key=pointer.manifest_key)
    value: dict[str, Any] = json.loads(answer["Body"].read())
    return value


def current(world: World) -> Path:
    return world.efs / "words/CURRENT"


def a_file(world: World) -> Path:
    """A file of the current snapshot's first base."""
    shard = next(shard for shard in manifest_of(world)["shards"] if shard["path"])
    return world.efs / "words" / shard["path"] / shard["files"][0]["name"]


def manifest_on_efs(world: World) -> Path:
    return world.efs / f"words/manifests/{read_current(world.efs, 'words').snapshot_id}.json"


def gone(world: World) -> None:
    current(world).unlink()


def garbage(world: World) -> None:
    current(world).write_text("{")


def folder(world: World) -> None:
    current(world).unlink()
    current(world).mkdir()


def everything(world: World) -> None:
    shutil.rmtree(world.efs / "words")


def a_file_for_the_folder(world: World) -> None:
    everything(world)
    (world.efs / "words").write_text("no folder")


def file_cut(world: World) -> None:
    path = a_file(world)
    path.write_bytes(path.read_bytes()[:-1])


def folder_for_a_file(world: World) -> None:
    a_file(world).unlink()
    a_file(world).mkdir()


def manifest_damaged(world: World) -> None:
    manifest_on_efs(world).write_text("{}")


def manifest_gone(world: World) -> None:
    manifest_on_efs(world).unlink()


def older(world: World) -> None:
    """What a backup of EFS brings: CURRENT as it was a version ago."""
    before = read_current(world.efs, "words").before
    assert before is not None
    world.put_current(before)


def stored(world: World) -> bytes:
    """CURRENT in the bucket."""
    answer = world.s3.get_object(Bucket=world.names.bucket, Key=STORED)
    return bytes(answer["Body"].read())


def stored_gone(world: World) -> None:
    world.s3.delete_object(Bucket=world.names.bucket, Key=STORED)


def stored_garbage(world: World) -> None:
    world.s3.put_object(Bucket=world.names.bucket, Key=STORED, Body=b"{")


def stored_older(world: World) -> None:
    """What SwapPointer leaves that was ended between the one CURRENT and the other, once it counted as projected."""
    before = read_current(world.efs, "words").before
    assert before is not None
    world.s3.put_object(Bucket=world.names.bucket, Key=STORED, Body=before.encode())


DAMAGES = {
    "current in the bucket": (stored_gone, stored_garbage, stored_older),
    "current": (gone, garbage, folder, older),
    "files": (file_cut, folder_for_a_file, manifest_damaged, manifest_gone),
    "everything": (everything, a_file_for_the_folder),
}


def is_brought_back(world: World, damage: Callable[[World], None], outcome: str) -> None:
    before, names = world.head(), files(world)
    world.change_head("REMOVE restored")
    damage(world)
    assert scheduled(world).outcome == outcome, damage.__name__
    assert world.ids() == word_ids(A) | word_ids(B), damage.__name__
    assert files(world) == names, damage.__name__
    assert stored(world) == current(world).read_bytes(), damage.__name__
    head = world.head()
    assert (head.pointer, head.projected_version, head.holder) == (before.pointer, before.version, None)
    assert (head.unseen, head.went_back, head.paused) == (None, None, before.paused)
    assert head.restored is not None


@pytest.mark.slow
@pytest.mark.parametrize("lost", DAMAGES)
def test_what_readers_lost_is_brought_back_by_the_next_scheduled_execution_with_nothing_pending(
    world: World, lost: str
) -> None:
    world.published(A)
    world.published(B)
    for damage in DAMAGES[lost]:
        is_brought_back(world, damage, "nothing_pending")


@pytest.mark.slow
def test_so_it_is_while_the_collection_is_paused(world: World) -> None:
    world.published(A)
    world.published(B)
    world.change_head("SET paused = :why", {":why": {"S": "a test"}})
    for damage in (everything, older):
        is_brought_back(world, damage, "paused")


def test_an_idle_round_of_the_schedule_looks_once_and_changes_nothing(world: World) -> None:
    world.published(A)
    before = world.head()
    arn = world.stack.schedule.trigger_now("words")
    world.end_of(arn)
    assert world.states_of(arn).count("SwapCommitted") == 1
    assert world.head().restored is before.restored is None
    assert "SwapCommitted" not in world.states_of(world.run_arn())


@pytest.mark.slow
def test_a_file_that_is_lost_on_both_sides_has_a_name_and_leaves_readers_what_they_have(world: World) -> None:
    world.published(A)
    world.published(B)
    lost = a_file(world)
    with SnapshotReader(world.efs, "words", cache_dir=world.efs.parent) as serving:
        lost.unlink()
        key = f"snapshots/words/{lost.relative_to(world.efs / 'words').as_posix()}"
        world.s3.delete_object(Bucket=world.names.bucket, Key=key)
        seen = current(world).read_text()
        ended = scheduled(world)
        assert ended.error == "SnapshotDamaged"
        assert key in (ended.cause or "")
        assert current(world).read_text() == seen
        serving.refresh()
        assert serving.count() == 6
    assert world.ids() == word_ids(A)
    assert "lacks 1 of its files" in (world.head().unseen or "")
    before = read_current(world.efs, "words").before
    assert before is not None
    assert world.run(mode="rollback", snapshot_id=before.snapshot_id).outcome == "rolled_back"
    assert world.ids() == word_ids(A)
    assert world.head().unseen is None


@pytest.mark.slow
def test_a_rollback_is_the_way_out_of_a_commit_that_can_never_be_projected(world: World) -> None:
    world.published(A)
    old = world.head().pointer
    assert old is not None
    world.published(B)
    lost = a_file(world)
    lost.unlink()
    key = f"snapshots/words/{lost.relative_to(world.efs / 'words').as_posix()}"
    world.s3.delete_object(Bucket=world.names.bucket, Key=key)
    world.change_head("SET projected_version = :old", {":old": {"N": str(old.version)}})
    assert scheduled(world).error == "SnapshotDamaged"
    assert world.run(mode="rollback", snapshot_id=old.snapshot_id).outcome == "rolled_back"
    assert world.ids() == word_ids(A)


@pytest.mark.slow
def test_a_lost_object_of_the_bucket_changes_nothing_while_efs_has_the_file(world: World) -> None:
    world.published(A)
    key = f"snapshots/words/{a_file(world).relative_to(world.efs / 'words').as_posix()}"
    world.s3.delete_object(Bucket=world.names.bucket, Key=key)
    assert scheduled(world).outcome == "nothing_pending"
    assert world.ids() == word_ids(A)


@pytest.mark.slow
def test_readers_tell_never_published_from_gone_and_one_that_serves_goes_on(world: World) -> None:
    world.published(A)
    with SnapshotReader(world.efs, "words", cache_dir=world.efs.parent) as serving:
        for damage in (gone, everything):
            damage(world)
            with pytest.raises(CurrentGone):
                SnapshotReader(world.efs, "words")
            serving.refresh()
            assert serving.count() == 3
            assert "gone" in (serving.fallback_reason or "")
            scheduled(world)
            serving.refresh()
            assert serving.fallback_reason is None
        folder(world)
        with pytest.raises(SnapshotUnavailable):
            SnapshotReader(world.efs, "words")


@pytest.mark.slow
def test_where_current_is_ahead_of_a_restored_head_its_snapshot_is_published_again_past_it(world: World) -> None:
    """VersionsOnlyGrow: the content goes back, the numbers do not; whoever served the later one goes forward to it."""
    world.published(A)
    back = world.head_item()
    world.published(B)
    world.published(C)
    later = read_current(world.efs, "words")
    with SnapshotReader(world.efs, "words", cache_dir=world.efs.parent) as serving:
        assert serving.count() == 9
        world.put_head(back)
        assert scheduled(world).outcome == "nothing_pending"
        head = world.head()
        assert head.version == later.version + 1 == head.projected_version
        assert head.pointer is not None
        assert read_current(world.efs, "words") == Current.of(head.pointer, world.pointer_in(back))
        assert stored(world) == current(world).read_bytes()
        assert serving.refresh()
        assert (serving.version, serving.count()) == (head.version, 3)
    assert head.went_back is not None
    row = world.control.versions("words").read(head.pointer.snapshot_id)
    assert row is not None
    assert (row.kind, row.state, row.parent) == ("restore", "committed", back["snapshot_id"]["S"])
    assert world.ids() == word_ids(A)
    world.mark(B)
    world.mark(C)
    assert world.run().outcome == "published"
    assert world.ids() == word_ids(A) | word_ids(B) | word_ids(C)
    assert world.head().version == later.version + 2


@pytest.mark.slow
def test_the_bucket_still_knows_where_efs_and_the_table_were_restored_to_one_moment(world: World) -> None:
    world.published(A)
    back, shown = world.head_item(), current(world).read_bytes()
    world.published(B)
    later = read_current(world.efs, "words")
    world.put_head(back)
    current(world).write_bytes(shown)
    assert scheduled(world).outcome == "nothing_pending"
    head = world.head()
    assert head.version == head.projected_version == later.version + 1
    assert head.went_back is not None
    assert world.ids() == word_ids(A)
    assert stored(world) == current(world).read_bytes()


@pytest.mark.slow
def test_a_commit_over_a_restored_head_is_seen_although_current_was_ahead(world: World) -> None:
    world.published(A)
    back = world.head_item()
    world.published(B)
    world.published(C)
    later = read_current(world.efs, "words")
    world.put_head(back)
    world.change_head("ADD fence :more", {":more": {"N": "100"}})
    world.mark(B)
    assert world.run().outcome == "published"
    head = world.head()
    assert head.projected_version == head.version == later.version + 1
    assert world.ids() == word_ids(A) | word_ids(B)
    assert world.pending() == []


@pytest.mark.slow
def test_a_snapshot_id_that_a_restored_head_gives_again_overwrites_nothing_and_the_schedule_goes_past_it(
    world: World,
) -> None:
    world.published(A)
    back = world.head_item()
    world.published(B)
    later = read_current(world.efs, "words")
    world.put_head(back)
    world.mark(C)
    world.put_receipt(C)
    world.announce(C)
    world.stack.poller.wait_caught_up(timeout=60)
    world.until(lambda: not world.stack.executions.running, "the stream's execution to end")
    assert world.head().version == 1
    assert read_current(world.efs, "words") == later
    assert scheduled(world).outcome == "published"
    assert world.ids() == word_ids(A) | word_ids(C)
    assert world.head().version == later.version + 2


@pytest.mark.slow
def test_a_collection_whose_head_is_lost_is_not_taken_for_a_new_one(world: World) -> None:
    world.published(A)
    world.published(B)
    world.forget_head()
    world.mark(A)
    for ended in (world.run(), scheduled(world)):
        assert ended.error == "PointerMissing"
        assert "--head-from-bucket" in (ended.cause or "")
    assert world.ids() == word_ids(A) | word_ids(B)


def test_a_restore_by_hand_says_what_it_brought_back(world: World) -> None:
    world.published(A)
    names = files(world)
    everything(world)
    result = (world.run(mode="restore").output or {})["result"]
    assert (result["outcome"], result["files"], result["bytes"]) == ("restored", len(names), sum(names.values()))
    assert "CURRENT is gone" in result["found"]
    assert world.ids() == word_ids(A)
    again = (world.run(mode="restore").output or {})["result"]
    assert (again["found"], again["files"], again["moved"]) == ("", 0, False)
    assert world.head().holder is None


@pytest.mark.slow
def test_verify_proves_what_readers_open(world: World) -> None:
    world.published(A)
    world.published(B)
    for damage in (gone, garbage, folder, older, manifest_damaged, manifest_gone, a_file_for_the_folder):
        damage(world)
        ended = world.run(mode="verify")
        assert ended.error == "SnapshotDamaged", damage.__name__
        assert "CURRENT" in (ended.cause or "") or "manifest" in (ended.cause or ""), damage.__name__
        assert world.run(mode="restore").outcome == "restored"
    assert world.run(mode="verify").outcome == "verified"
    ahead = read_current(world.efs, "words")
    later = replace(ahead, version=9, fence=9, snapshot_id="0000000009-0000000009-0")
    world.put_current(later)
    assert world.run(mode="verify").error == "SnapshotDamaged"

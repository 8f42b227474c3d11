"""A fold from beginning to end: what starts it, and that it changes no record."""

import pytest
from receipt_dynamo_stream.keys import ReceiptId

from .world import FoldWorld, should_be

pytestmark = pytest.mark.slow  # the simulator and the pipeline tests hold the same laws in less time

A, B, C, D = (ReceiptId(letter * 4, 1) for letter in "abcd")


def test_small_changes_are_published_as_segments_and_the_one_that_passes_the_bound_is_followed_by_a_fold(
    world: FoldWorld,
) -> None:
    world.published(A)
    world.published(B)
    shard = world.shard()
    assert (shard.path, len(shard.segments), world.head().fold_due) == (None, 2, 0)
    assert world.folds() == []
    world.published(C)
    assert world.folds() == ["folded"]
    shard, manifest = world.shard(), world.manifest()
    assert (shard.base_records, shard.segments, shard.records) == (9, (), 9)
    assert (manifest.kind, manifest.version, world.head().fold_due) == ("fold", 4, 0)
    assert manifest.parent is not None
    assert manifest.parent.version == 3
    assert world.content() == should_be([A, B, C])
    assert world.ids() == set(should_be([A, B, C]))
    world.published(D)
    assert [len(segment.receipts) for segment in world.shard().segments] == [1]
    assert world.content() == should_be([A, B, C, D])


def test_the_row_of_a_fold_says_that_it_is_one_and_brings_nothing(world: FoldWorld) -> None:
    world.published(A)
    arn = world.start(mode="fold", all=True)
    result = (world.end_of(arn).output or {})["result"]
    assert (result["outcome"], result["version"], result["records"], result["shards"]) == ("folded", 2, 3, 1)
    before, row = world.control.versions("words").list()
    assert (row.state, row.parent, row.folded, row.counts, row.receipts) == ("committed", before.snapshot_id, 1, {}, 0)
    assert row.execution == arn
    assert {"read", "write", "stage", "manifest", "swap"} <= set(row.seconds)
    assert world.head().projected_version == 2


@pytest.mark.slow
def test_a_fold_by_hand_takes_every_shard_that_has_a_segment_and_then_there_is_nothing_to_fold(
    world: FoldWorld,
) -> None:
    world.published(A)
    assert world.run(mode="fold").outcome == "nothing_to_fold"
    assert world.run(mode="fold", all=True).outcome == "folded"
    before = world.head()
    assert world.run(mode="fold", all=True).outcome == "nothing_to_fold"
    assert world.head() == before
    assert world.content() == should_be([A])


def test_there_is_nothing_to_fold_before_the_first_version(world: FoldWorld) -> None:
    assert world.run(mode="fold", all=True).outcome == "nothing_to_fold"


@pytest.mark.slow
def test_a_deleted_receipt_is_gone_after_the_fold(world: FoldWorld) -> None:
    world.published(A, B)
    world.run(mode="fold", all=True)
    key = {"PK": {"S": A.pk}, "SK": {"S": A.sk}}
    world.dynamodb.delete_item(TableName=world.names.receipts_table, Key=key)
    world.settle_down()
    assert world.content() == should_be([B])
    assert world.run(mode="fold", all=True).outcome == "folded"
    assert (world.shard().segments, world.content()) == ((), should_be([B]))


@pytest.mark.slow
def test_a_fold_that_rebuilds_leaves_no_byte_of_a_deleted_receipt_in_what_readers_open(world: FoldWorld) -> None:
    world.published(A, B)
    world.run(mode="fold", all=True)
    world.dynamodb.delete_item(TableName=world.names.receipts_table, Key={"PK": {"S": A.pk}, "SK": {"S": A.sk}})
    world.settle_down()
    assert world.run(mode="fold", rebuild=True).outcome == "folded"
    shard = world.shard()
    base = world.efs / "words" / str(shard.path)
    assert (shard.segments, shard.tombstones, world.content()) == ((), 0, should_be([B]))
    assert not any(A.key.encode() in file.read_bytes() for file in base.rglob("*") if file.is_file())


def test_a_change_beyond_the_bound_writes_a_base_at_once(world: FoldWorld) -> None:
    world.put_receipt(A, words=8)
    world.announce(A, words=8)
    world.settle_down()
    assert (world.shard().base_records, world.shard().segments) == (8, ())
    assert world.content() == should_be([A], words=8)


def test_versions_before_and_after_a_fold_can_be_verified_and_rolled_back_to(world: FoldWorld) -> None:
    world.published(A)
    old = world.manifest().snapshot_id
    world.run(mode="fold", all=True)
    folded = world.manifest().snapshot_id
    world.published(B)
    for snapshot_id in (old, folded, world.manifest().snapshot_id):
        assert world.run(mode="verify", snapshot_id=snapshot_id).outcome == "verified"
    for snapshot_id in (old, folded):
        assert world.run(mode="rollback", snapshot_id=snapshot_id).outcome == "rolled_back"
        assert world.content() == should_be([A])


@pytest.mark.slow
def test_a_scrub_finds_a_damaged_segment(world: FoldWorld) -> None:
    world.published(A)
    assert world.run(mode="verify").outcome == "verified"
    file = world.efs / "words" / world.shard().segments[0].path
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)
    assert world.run(mode="verify").error == "SegmentInvalid"

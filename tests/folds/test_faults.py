"""Damaged segments: what is staged is refused, what is published comes back from S3."""

from pathlib import Path

import pytest
from receipt_dynamo_stream.keys import ReceiptId

from tests.pipeline.faults import after_report

from .world import FoldWorld, should_be

pytestmark = pytest.mark.slow  # the simulator has each crash point of a fold in the fast suite

A, B = ReceiptId("aaaa", 1), ReceiptId("bbbb", 1)


def damage(file: Path, how: str) -> None:
    data = bytearray(file.read_bytes())
    if how == "remove":
        file.unlink()
        return
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data if how == "flip" else data[: len(data) // 2])


@pytest.mark.parametrize(
    "how", ["flip", pytest.param("truncate", marks=pytest.mark.slow), pytest.param("remove", marks=pytest.mark.slow)]
)
def test_a_damaged_segment_on_efs_is_fetched_again_from_s3_by_the_round_that_needs_it(
    world: FoldWorld, how: str
) -> None:
    world.published(A)
    damage(world.efs / "words" / world.shard().segments[0].path, how)
    world.announce(A, seed=7, created_at="2026-01-01T00:00:09+00:00")  # its old rows are needed
    world.settle_down()
    assert world.content() == should_be([A], seed=7)
    assert world.run(mode="verify").outcome == "verified"


@pytest.mark.parametrize("how", [pytest.param("flip", marks=pytest.mark.slow), "remove"])
def test_a_damaged_segment_on_efs_is_fetched_again_by_a_fold(world: FoldWorld, how: str) -> None:
    world.published(A)
    damage(world.efs / "words" / world.shard().segments[0].path, how)
    assert world.run(mode="fold", all=True).outcome == "folded"
    assert world.content() == should_be([A])


@pytest.mark.slow
def test_a_segment_that_is_damaged_on_s3_too_is_not_folded(world: FoldWorld) -> None:
    world.published(A)
    before, path = world.head().pointer, world.shard().segments[0].path
    damage(world.efs / "words" / path, "flip")
    world.s3.put_object(Bucket=world.names.bucket, Key=f"snapshots/words/{path}", Body=b"no segment")
    assert world.run(mode="fold", all=True).error == "SnapshotDamaged"
    assert (world.head().pointer, world.head().holder) == (before, None)


def test_a_staged_segment_that_is_not_what_was_merged_is_never_published(world: FoldWorld) -> None:
    world.stack.poller.pause()
    try:
        world.put_receipt(A)
        world.announce(A)
        world.mark(A)

        def damage_what_is_staged() -> None:
            (file,) = (world.efs / "words/staging").rglob("*.arrow")
            damage(file, "flip")

        with after_report(damage_what_is_staged) as staged:
            assert world.run().error == "SegmentInvalid"
        assert staged
        assert world.head().pointer is None
        assert world.run().outcome == "published"
        assert world.content() == should_be([A])
    finally:
        world.stack.poller.resume()


def test_a_staged_base_that_is_not_what_was_folded_is_never_published(world: FoldWorld) -> None:
    world.published(A)
    before = world.head().pointer

    def damage_what_is_staged() -> None:
        (file,) = (world.efs / "words/staging").rglob("data_level0.bin")
        damage(file, "flip")

    with after_report(damage_what_is_staged) as staged:
        assert world.run(mode="fold", all=True).error == "ShardInvalid"
    assert staged
    assert (world.head().pointer, world.head().holder) == (before, None)
    assert world.run(mode="fold", all=True).outcome == "folded"
    assert world.content() == should_be([A])

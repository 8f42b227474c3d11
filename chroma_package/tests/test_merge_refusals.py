"""What a merge refuses: a damaged base, another number of shards, vectors of another length."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from receipt_chroma.errors import (
    SnapshotDamaged,
)
from receipt_dynamo_stream.facts import ReceiptFacts
from receipt_dynamo_stream.round.report import MergeCounts
from receipt_dynamo_stream.sharding import shard_of

from .samples import label, receipt, word
from .uploads import damage_flip, damage_truncate, publish_receipts, receipt_facts, upload
from .world import World


class TestDimension:
    """The dimension of a collection comes from its first delta."""

    def two(self, world: World, first: int, second: int) -> tuple[ReceiptFacts, ReceiptFacts]:
        one, two = receipt_facts(1), receipt_facts(2, runs=(2,))
        upload(world, one, [word(1, 1, 7, of=receipt(1), dimension=first)])
        upload(world, two, [word(1, 1, 7, of=receipt(2), dimension=second)])
        return one, two

    def test_of_two_first_deltas_that_disagree_the_later_is_refused_in_whatever_shard(self, world: World) -> None:
        world.shards = 8
        one, two = self.two(world, 5, 6)
        assert shard_of(one.receipt.image_id, 1, 8) != shard_of(two.receipt.image_id, 1, 8)
        reports = world.publish(two, one)
        assert [(r.run_id, r.error) for report in reports for r in report.refusals] == [("2-run-2", "WrongDimension")]
        assert world.manifest.dimension == 5

    def test_an_unreadable_first_delta_does_not_decide(self, world: World) -> None:
        one, two = self.two(world, 5, 6)
        world.s3.put_object(Bucket=world.bucket, Key=one.runs[0].delta_prefix + "delta.arrow", Body=b"broken")
        world.publish(one, two)
        assert world.manifest.dimension == 6

    def test_a_later_delta_of_another_dimension_is_refused(self, world: World) -> None:
        one, two = self.two(world, 5, 6)
        world.publish(one)
        (report,) = world.publish(two)
        assert [refusal.error for refusal in report.refusals] == ["WrongDimension"]


@pytest.mark.parametrize("damage", [damage_truncate, damage_flip, Path.unlink])
@pytest.mark.parametrize("name", ["chroma.sqlite3", "data_level0.bin", "receipts.json"])
def test_a_damaged_base_is_fetched_from_s3_and_put_right_on_efs(
    world: World, damage: Callable[[Path], None], name: str
) -> None:
    (of,) = publish_receipts(world, [1])
    (path,) = (world.folder / "shards").rglob(name)
    good = path.read_bytes()
    damage(path)
    report = world.merge(world.plan(replace(of, labels=(label(1, 1, "TOTAL"),))))
    assert report.counts == MergeCounts(updated=1, unchanged=3)
    assert path.read_bytes() == good
    assert not list((world.folder / "staging").glob("repair-*"))


def test_a_base_that_is_wrong_on_s3_too_stops_the_merge(world: World) -> None:
    (of,) = publish_receipts(world, [1])
    (path,) = (world.folder / "shards").rglob("chroma.sqlite3")
    damage_flip(path)
    damaged = path.read_bytes()
    key = f"snapshots/words/{path.relative_to(world.folder).as_posix()}"
    world.s3.put_object(Bucket=world.bucket, Key=key, Body=b"also wrong")
    of = replace(of, labels=(label(1, 1, "TOTAL"),))
    with pytest.raises(SnapshotDamaged, match="roll back"):
        world.merge(world.plan(of))
    world.s3.delete_object(Bucket=world.bucket, Key=key)
    with pytest.raises(SnapshotDamaged, match="is not there"):
        world.merge(world.plan(of))
    assert path.read_bytes() == damaged


def test_a_base_manifest_that_is_gone_or_other_is_never_taken_as_empty(world: World) -> None:
    (of,) = publish_receipts(world, [1])
    assert world.pointer is not None
    world.pointer = replace(world.pointer, manifest_sha256="0" * 64)
    with pytest.raises(SnapshotDamaged, match="sha256"):
        world.merge(world.plan(of))
    world.pointer = replace(world.pointer, manifest_key="snapshots/words/manifests/none.json")
    with pytest.raises(SnapshotDamaged, match="is not there"):
        world.merge(world.plan(of))


def test_another_shard_count_than_the_snapshot_s_is_refused(world: World) -> None:
    (of,) = publish_receipts(world, [1])
    world.shards = 2
    with pytest.raises(SnapshotDamaged, match="HEAD says 2"):
        world.merge(world.plan(of), shard=0)


def test_a_shard_that_the_plan_does_not_have_is_a_mistake_of_the_caller(world: World) -> None:
    with pytest.raises(ValueError, match="no shard 3"):
        world.merge(world.plan(), shard=3)

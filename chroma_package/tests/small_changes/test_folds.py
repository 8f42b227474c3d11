"""What a fold makes of segments, and what it loses to."""

from dataclasses import replace

import pytest
from receipt_chroma.errors import FoldChangedContent, StagingMissing
from receipt_chroma.folding import FoldBound, shards_to_fold
from receipt_chroma.storage.tree import CURRENT, object_key

from ..uploads import receipt_facts
from ..world import World
from .labelled import as_version_1, labelled, plain


def test_a_base_of_schema_version_1_takes_segments_and_a_fold_writes_version_2(world: World) -> None:
    as_version_1(world)
    assert world.manifest.shards[0].is_plain
    world.publish(labelled(1, "TOTAL"))
    assert (world.manifest.schema_version, world.manifest.shards[0].is_plain) == (2, True)
    before = plain(world.records().values())
    assert world.verify().records == 12
    assert world.commit_fold(world.fold())
    assert not world.manifest.shards[0].is_plain
    assert plain(world.records().values()) == before
    assert world.verify().records == 12


def test_a_fold_has_the_records_of_what_it_folds_and_no_segment(world: World) -> None:
    world.publish(labelled(1, "TOTAL"))
    world.publish(replace(receipt_facts(2), exists=False))
    before, manifest = plain(world.records().values()), world.manifest
    assert world.commit_fold(world.fold())
    assert (world.manifest.kind, world.manifest.digest, world.manifest.records) == ("fold", manifest.digest, 8)
    (shard,) = world.manifest.shards
    assert (shard.segments, shard.base_records, shard.base_digest) == ((), 8, manifest.digest)
    assert plain(world.records().values()) == before
    assert plain(world.read().values()) == before
    assert world.verify().records == 8


def test_what_was_published_while_it_was_folded_lies_over_the_new_base(world: World) -> None:
    world.publish(labelled(1, "FIRST"))
    report = world.fold()
    world.publish(labelled(1, "LATER"), labelled(3, "LATER"))
    before, digest = plain(world.records().values()), world.manifest.digest
    assert world.commit_fold(report)
    (shard,) = world.manifest.shards
    assert (len(shard.segments), shard.digest, world.manifest.digest) == (1, digest, digest)
    assert shard.base_digest == report.staged.digest != digest
    assert plain(world.records().values()) == before
    assert world.verify().records == 12


def test_of_two_folds_of_one_version_one_loses_and_harms_nothing(world: World) -> None:
    world.publish(labelled(1, "TOTAL"))
    one, two = world.fold(), world.fold()
    assert world.commit_fold(one)
    manifest = world.manifest
    assert not world.commit_fold(two)
    assert world.manifest == manifest


def test_a_fold_loses_to_a_rollback_in_between(world: World) -> None:
    target = world.pointer
    world.publish(labelled(1, "TOTAL"))
    report = world.fold()
    world.roll_back(target)
    before = plain(world.records().values())
    assert not world.commit_fold(report)
    assert plain(world.records().values()) == before


def test_a_rollback_across_a_fold_brings_base_and_segments_back(world: World) -> None:
    world.publish(labelled(1, "TOTAL"))
    target, before = world.pointer, plain(world.records().values())
    world.commit_fold(world.fold())
    world.publish(labelled(1, "DATE"))
    world.roll_back(target)
    assert plain(world.records().values()) == before
    assert len(world.manifest.shards[0].segments) == 1
    assert world.verify().records == 12


def test_a_fold_that_is_written_twice_is_one_version(world: World) -> None:
    world.publish(labelled(1, "TOTAL"))
    report = world.fold()
    pointer = world.pointer
    assert world.commit_fold(report)
    first = world.manifest
    world.pointer, world.fence = pointer, world.fence - 1
    (world.folder / CURRENT).unlink()
    world.store.delete_all([object_key(world.collection, CURRENT)])
    assert world.commit_fold(report)
    assert world.manifest == first


def test_a_fold_whose_staged_base_is_lost_publishes_nothing(world: World) -> None:
    world.publish(labelled(1, "TOTAL"))
    report = world.fold()
    (world.folder / report.staged.path / "chroma.sqlite3").unlink()
    pointer = world.pointer
    with pytest.raises(StagingMissing):
        world.commit_fold(report)
    assert world.pointer == pointer


def test_a_fold_of_other_records_than_the_manifest_says_is_refused(world: World) -> None:
    world.publish(labelled(1, "TOTAL"))
    manifest = world.manifest
    lying = replace(manifest, shards=(replace(manifest.shards[0], digest="0" * 64),))
    world.store.put(lying.pointer.manifest_key, lying.encode())
    world.pointer = lying.pointer
    with pytest.raises(FoldChangedContent, match="verify"):
        world.fold()


def test_the_bound_says_which_shards_are_due() -> None:
    bound = FoldBound(least=4, most=10, share=0.5, segments=2)
    assert [bound.records(base) for base in (0, 10, 1_000)] == [4, 5, 10]
    assert FoldBound().records(50_000) == 15_000


def test_shards_whose_segments_passed_the_bound_are_folded(world: World) -> None:
    for name in ("A", "B", "C"):
        world.publish(labelled(1, name))
    assert shards_to_fold(world.manifest, FoldBound(least=12)) == ()
    assert shards_to_fold(world.manifest, FoldBound(least=11)) == (0,)
    assert shards_to_fold(world.manifest, FoldBound(segments=2)) == (0,)
    assert FoldBound(least=3).passed(world.manifest.shards[0], times=3)
    assert not FoldBound(least=3).passed(world.manifest.shards[0], times=4)

"""A fold that rebuilds: the new base has every live record, and no byte of a deleted one."""

from pathlib import Path

import pytest
from receipt_chroma.folding import FoldBound
from receipt_dynamo_stream.round.fold_report import FoldReport

from .samples import facts, receipt, vector
from .small_changes.labelled import plain
from .uploads import publish_receipts, words_of
from .world import World

GONE = receipt(3)
ITS_BYTES = {GONE.key.encode(), *(one.embedding.tobytes() for one in words_of(3))}


@pytest.fixture
def world(world: World) -> World:
    """A base of eight receipts, one of which was deleted since: a segment says so."""
    publish_receipts(world, range(1, 9))
    world.bound = FoldBound(least=100)
    world.publish(facts([], of=GONE, exists=False))
    assert not any(GONE.key in record_id for record_id in world.records())
    return world


def found_in(folder: Path) -> set[bytes]:
    """Which of the deleted receipt's bytes are anywhere in the files of a folder."""
    contents = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return {each for each in ITS_BYTES if any(each in content for content in contents)}


def staged(world: World, report: FoldReport) -> Path:
    return world.folder / report.staged.path


def test_a_fold_that_copies_keeps_the_bytes_of_a_deleted_receipt_and_one_that_rebuilds_keeps_none(
    world: World,
) -> None:
    before = world.records()
    copied = world.fold()
    assert copied.staged.tombstones == len(words_of(3))
    assert found_in(staged(world, copied)) >= {one.embedding.tobytes() for one in words_of(3)}
    rebuilt = world.fold(attempt="attempt-2", rebuild=True)
    assert (rebuilt.staged.tombstones, found_in(staged(world, rebuilt))) == (0, set())
    assert world.commit_fold(rebuilt)
    assert plain(world.records().values()) == plain(before.values())
    assert world.verify().records == len(before)


@pytest.mark.slow
def test_a_base_without_segments_is_rebuilt_too(world: World) -> None:
    assert world.commit_fold(world.fold())
    assert world.manifest.shards[0].segments == ()
    assert found_in(world.folder / str(world.manifest.shards[0].path))
    assert world.commit_fold(world.fold(rebuild=True))
    shard = world.manifest.shards[0]
    assert (shard.tombstones, found_in(world.folder / str(shard.path))) == (0, set())


@pytest.mark.slow
def test_a_shard_whose_receipts_are_all_gone_is_rebuilt_to_an_empty_one(world: World) -> None:
    world.publish(*(facts([], of=receipt(number), exists=False) for number in range(1, 9)))
    rebuilt = world.fold(rebuild=True)
    assert (rebuilt.staged.records, found_in(staged(world, rebuilt))) == (0, set())
    assert world.commit_fold(rebuilt)
    assert world.verify().records == 0
    publish_receipts(world, [7])
    assert [one.embedding.tobytes() for one in world.read().values()][:1] == [vector(7 * 50 + 1).tobytes()]

"""Re-sharding: the same records in another number of shards, whatever comes between its parts."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from receipt_chroma import write_reshard
from receipt_chroma.errors import FoldChangedContent, SegmentInvalid, SnapshotDamaged
from receipt_chroma.folding import ALWAYS, FoldBound
from receipt_chroma.reader import SnapshotReader
from receipt_chroma.snapshot.manifest import load_manifest
from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.sharding import home_of, shard_of, sources_of

from .samples import receipt, vector, word
from .small_changes.labelled import labelled, plain
from .uploads import publish_receipts, receipt_facts, words_of
from .world import World

NUMBERS = range(1, 9)


@pytest.fixture
def world(world: World) -> World:
    """A base of eight receipts; from then on small changes are segments."""
    publish_receipts(world, list(NUMBERS))
    world.bound = FoldBound(least=100)
    return world


@given(st.text(min_size=1), st.integers(1, 40), st.integers(1, 40))
def test_a_receipt_of_a_new_shard_comes_from_one_of_its_sources(image: str, of: int, into: int) -> None:
    new, old = (shard_of(image, 1, shards) for shards in (into, of))
    assert old in sources_of(new, into=into, of=of)


def test_twice_as_many_shards_have_one_source_each() -> None:
    assert [sources_of(shard, into=4, of=2) for shard in range(4)] == [(0,), (1,), (0,), (1,)]
    assert [sources_of(shard, into=2, of=4) for shard in range(2)] == [(0, 2), (1, 3)]
    assert sources_of(1, into=3, of=4) == (0, 1, 2, 3)


@pytest.mark.parametrize("into", [3, pytest.param(2, marks=pytest.mark.slow), pytest.param(5, marks=pytest.mark.slow)])
def test_every_record_is_in_the_shard_that_it_is_routed_to_and_back_again(world: World, into: int) -> None:
    before, manifest = world.records(), world.manifest
    assert world.commit_reshard(world.reshard(into))
    now = world.manifest
    assert (now.kind, now.shard_count, len(now.shards)) == ("reshard", into, into)
    assert (now.records, now.digest, now.parent) == (manifest.records, manifest.digest, manifest.pointer)
    assert plain(world.records().values()) == plain(before.values())
    assert world.verify().records == len(before)
    assert world.commit_reshard(world.reshard(1))
    assert plain(world.records().values()) == plain(before.values())
    assert world.verify().records == len(before)


@pytest.mark.slow
def test_publications_go_on_with_the_new_number(world: World) -> None:
    assert world.commit_reshard(world.reshard(3))
    world.publish(*(labelled(number, "TOTAL") for number in NUMBERS))
    assert sum(len(shard.segments) for shard in world.manifest.shards) == len(
        {home_of(receipt(number).key, 3) for number in NUMBERS}
    )
    found = world.records()
    assert all(found[word(1, 1, of=receipt(n)).id].metadata["valid_labels_array"] == ["TOTAL"] for n in NUMBERS)
    assert world.verify().records == len(found)


@pytest.mark.slow
def test_what_was_laid_over_the_old_base_is_in_the_new_ones(world: World) -> None:
    world.publish(labelled(1, "FIRST"), replace(receipt_facts(2), exists=False))
    before = world.records()
    assert world.commit_reshard(world.reshard(3))
    assert all(shard.segments == () for shard in world.manifest.shards)
    assert plain(world.records().values()) == plain(before.values())


def test_what_is_published_while_it_is_staged_is_laid_over_the_new_bases(world: World) -> None:
    staged = world.reshard(3)
    world.publish(labelled(1, "LATE"), replace(receipt_facts(2), exists=False))
    publish_receipts(world, [11])
    before = world.records()
    assert world.commit_reshard(staged)
    assert plain(world.records().values()) == plain(before.values())
    covered = [one.key for shard in world.manifest.shards for segment in shard.segments for one in segment.receipts]
    assert sorted(covered) == sorted(receipt(number).key for number in (1, 2, 11))
    assert world.verify().records == len(before)


@pytest.mark.slow
def test_a_fold_a_rollback_or_another_reshard_in_between_loses_nothing(world: World) -> None:
    first = world.manifest.pointer
    world.publish(labelled(1, "SECOND"))
    staged = world.reshard(2)
    assert world.commit_fold(world.fold())
    assert world.commit_reshard(world.reshard(5))
    world.publish(labelled(3, "LATE"))
    world.roll_back(first)
    world.publish(labelled(4, "LATER"))
    before = world.records()
    assert world.commit_reshard(staged)
    assert plain(world.records().values()) == plain(before.values())
    assert world.verify().records == len(before)


@pytest.mark.slow
def test_a_fold_that_was_staged_before_it_is_lost_after_it(world: World) -> None:
    world.publish(labelled(1, "TOTAL"))
    fold = world.fold()
    assert world.commit_reshard(world.reshard(2))
    assert not world.commit_fold(fold)


def test_a_version_with_another_number_of_shards_can_be_rolled_back_to_and_published_over(world: World) -> None:
    one = world.manifest.pointer
    of_one = world.records()
    assert world.commit_reshard(world.reshard(4))
    four = world.manifest.pointer
    world.publish(labelled(1, "TOTAL"))
    world.roll_back(one)
    assert (world.manifest.shard_count, plain(world.records().values())) == (1, plain(of_one.values()))
    world.publish(labelled(2, "TOTAL"))
    world.roll_back(four)
    assert (world.manifest.shard_count, plain(world.records().values())) == (4, plain(of_one.values()))
    assert world.verify().records == len(of_one)


def test_a_reader_goes_on_and_has_the_new_shards_with_its_refresh(world: World) -> None:
    """ReadersNeverMix."""
    with SnapshotReader(world.efs, "words", cache_dir=world.work) as reader:
        before = {record.id for record in reader.records()}
        hits = [hit.id for hit in reader.nearest(vector(101), 5)]
        staged = world.reshard(3)
        world.publish(labelled(1, "LATE"))
        reader.refresh()
        assert world.commit_reshard(staged)
        reader.refresh()
        assert reader.version == world.manifest.version
        assert {record.id for record in reader.records()} == before
        assert [hit.id for hit in reader.nearest(vector(101), 5)] == hits
        found = reader.get(ids=[word(1, 1, of=receipt(1)).id], include=["metadatas"])
        assert found["metadatas"][0]["valid_labels_array"] == ["LATE"]
        world.publish(labelled(2, "LATER"))
        reader.refresh()
        assert {record.id for record in reader.records()} == before


@pytest.mark.slow
def test_an_empty_shard_is_one_of_them(world: World) -> None:
    publish_receipts(world, [])
    into = 12
    assert world.commit_reshard(world.reshard(into))
    counts = [shard.records for shard in world.manifest.shards]
    assert 0 in counts
    assert sum(counts) == world.manifest.records
    assert world.verify().records == sum(counts)
    number = next(n for n in range(100, 200) if counts[home_of(receipt(n).key, into)] == 0)
    publish_receipts(world, [number])
    assert word(1, 1, of=receipt(number)).id in world.records()


def test_it_may_be_written_twice_with_the_same_bytes(world: World) -> None:
    staged = world.reshard(2)
    world.publish(labelled(1, "LATE"))
    first = world.write_reshard(staged)
    world.fence -= 1  # the same lease
    assert world.write_reshard(staged) == first


@pytest.mark.slow
def test_too_much_that_has_changed_meanwhile_makes_it_lose(world: World) -> None:
    staged = world.reshard(2)
    world.publish(*(labelled(number, "LATE") for number in NUMBERS))
    before = world.pointer
    assert world.write_reshard(staged, FoldBound(least=1, most=1)) is None
    assert world.pointer == before


@pytest.mark.slow
def test_more_than_the_process_that_writes_it_should_hold_makes_it_lose_whatever_the_bound(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = world.reshard(2)
    world.publish(*(labelled(number, "LATE") for number in NUMBERS))
    monkeypatch.setattr(write_reshard, "MOST_RECORDS", 1)
    assert world.write_reshard(staged) is None


@pytest.mark.slow
def test_reports_that_are_not_of_one_reshard_are_refused(world: World) -> None:
    two, three = world.reshard(2), world.reshard(3)
    for wrong in ([two[0]], [two[0], two[0]], [two[0], three[1]]):
        with pytest.raises(FoldChangedContent, match="re-shard"):
            world.write_reshard(wrong)
    older = world.reshard(2)
    world.publish(labelled(1, "LATE"))
    with pytest.raises(FoldChangedContent, match="several versions"):
        world.write_reshard([older[0], world.reshard(2)[1]])


def test_a_staged_shard_without_some_of_its_records_is_refused(world: World) -> None:
    staged = world.reshard(2)
    wrong = replace(staged[0], staged=replace(staged[0].staged, records=1))
    with pytest.raises(FoldChangedContent, match=r"^RowsConserved: .*comes to in 2 shards"):
        world.write_reshard([wrong, staged[1]])


def _later(world: World) -> tuple[Pointer, Path]:
    """A written re-shard with one segment."""
    staged = world.reshard(2)
    world.publish(labelled(1, "LATE"))
    pointer = world.write_reshard(staged)
    assert pointer is not None
    (segment,) = [one for shard in load_manifest(world.store, pointer).shards for one in shard.segments]
    return pointer, world.folder / segment.path


@pytest.mark.slow
@pytest.mark.parametrize(("how", "check"), [("flip", "file_sha256"), ("remove", "files"), ("object", "objects")])
def test_a_segment_that_is_not_what_the_manifest_says_is_found(world: World, how: str, check: str) -> None:
    pointer, file = _later(world)
    if how == "object":
        world.store.put(f"snapshots/words/{file.relative_to(world.folder).as_posix()}", b"another")
    elif how == "remove":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(SegmentInvalid) as found:
        write_reshard.validate_reshard(pointer, bucket=world.store, efs_root=world.efs, workdir=world.work)
    assert found.value.problem == check


@pytest.mark.slow
def test_a_damaged_old_base_is_fetched_again_or_named(world: World) -> None:
    shard = world.manifest.shards[0]
    file = world.folder / str(shard.path) / "chroma.sqlite3"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert world.commit_reshard(world.reshard(2))
    assert file.read_bytes() == content
    old = world.manifest.shards[0]
    damaged = world.folder / str(old.path) / "chroma.sqlite3"
    damaged.write_bytes(b"")
    world.store.put(f"snapshots/words/{old.path}/chroma.sqlite3", b"")
    with pytest.raises(SnapshotDamaged):
        world.reshard(3)


EVENTS = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from(NUMBERS), st.sampled_from(["A", "B", "gone"])),
    st.tuples(st.just("fold"), st.just(0), st.just("")),
    st.tuples(st.just("stage"), st.integers(1, 4), st.just("")),
    st.tuples(st.just("commit"), st.integers(0, 3), st.just("")),
    st.tuples(st.just("roll back"), st.integers(0, 9), st.just("")),
)


@pytest.fixture(scope="module")
def module_world(s3: object, tmp_path_factory: pytest.TempPathFactory) -> World:
    s3.create_bucket(Bucket="reshard-laws")  # type: ignore[attr-defined]
    return World(s3, "reshard-laws", tmp_path_factory.mktemp("laws"))


@settings(max_examples=2)
@given(events=st.lists(EVENTS, min_size=3, max_size=8))
def test_wherever_it_begins_and_commits_the_records_are_those_of_the_publications(
    module_world: World, events: list[tuple[str, int, str]]
) -> None:
    check_history(module_world, events)


@pytest.mark.slow
@settings(max_examples=60)
@given(events=st.lists(EVENTS, min_size=3, max_size=12))
def test_in_long_histories_too(module_world: World, events: list[tuple[str, int, str]]) -> None:
    check_history(module_world, events)


def check_history(world: World, events: list[tuple[str, int, str]]) -> None:
    """The naive model: each receipt's label, or that it is gone."""
    staged = []
    world.bound = ALWAYS
    publish_receipts(world, list(NUMBERS))
    world.publish(*(labelled(number, "A") for number in NUMBERS))
    world.bound = FoldBound(least=100)
    model = dict.fromkeys(NUMBERS, "A")
    versions = [(world.manifest.pointer, dict(model))]
    for kind, which, what in events:
        if kind == "publish":
            gone = replace(receipt_facts(which), exists=False)
            world.publish(gone if what == "gone" else labelled(which, what))
            model[which] = what
        elif kind == "fold":
            world.commit_fold(*(world.fold(shard.shard) for shard in world.manifest.shards if shard.segments))
        elif kind == "stage":
            staged.append(world.reshard(which))
        elif kind == "commit" and staged:
            assert world.commit_reshard(staged[which % len(staged)])
        elif kind == "roll back":
            target, of_then = versions[which % len(versions)]
            world.roll_back(target)
            model = dict(of_then)
        versions.append((world.manifest.pointer, dict(model)))
        found = world.records()
        assert {ReceiptId.parse(one.partition("#LINE#")[0]) for one in found} == {
            receipt(number) for number, name in model.items() if name != "gone"
        }
        for number, name in model.items():
            if name != "gone":
                assert found[word(1, 1, of=receipt(number)).id].metadata["valid_labels_array"] == [name]
                assert len([one for one in found if one.startswith(receipt(number).key + "#")]) == len(words_of(number))
    assert world.verify().records == len(world.records())

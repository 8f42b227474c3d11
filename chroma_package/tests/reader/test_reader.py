import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from receipt_chroma.errors import NoSnapshotYet, SnapshotUnavailable
from receipt_chroma.reader import SnapshotReader, open_snapshot, opening
from receipt_chroma.records import Record
from receipt_dynamo_stream.facts import ReceiptFacts

from ..samples import DIMENSION, facts, label, receipt, run, vector, word
from ..world import World
from . import mounts
from .mounts import BUCKET, FOLDER, open_reader, private_copies, private_databases

COUNT = 5


def receipt_facts(number: int, **more: Any) -> ReceiptFacts:
    runs = [run(number, prefix=f"delta/{number}/")]
    return facts([(1, w) for w in range(1, COUNT + 1)], of=receipt(number), runs=runs, **more)


def records_of(number: int) -> list[Record]:
    return [word(1, w, number * 100 + w, of=receipt(number)) for w in range(1, COUNT + 1)]


OF_SHARDS = [(FOLDER, 1), pytest.param((FOLDER, 3), marks=pytest.mark.slow), (BUCKET, 3)]


@pytest.fixture(params=OF_SHARDS, ids=lambda param: f"{param[0]}, shards: {param[1]}")
def published(world: World, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> World:
    """Six receipts of five words."""
    kind, world.shards = request.param
    monkeypatch.setattr(mounts, "kind", kind)
    for number in range(6):
        world.upload(receipt_facts(number).runs[0], records_of(number))
    world.publish(*(receipt_facts(number) for number in range(6)))
    return world


def reading(world: World) -> SnapshotReader:
    return open_reader(world.efs, world.collection, cache_dir=world.work)


def everything(world: World) -> list[Record]:
    return [record for number in range(6) for record in records_of(number)]


def test_before_the_first_publication_there_is_no_snapshot_yet(world: World) -> None:
    with pytest.raises(NoSnapshotYet):
        reading(world)
    assert private_copies(world.work) == []


def test_records_are_read_by_id_by_filter_and_all(published: World) -> None:
    wanted = everything(published)
    with reading(published) as reader:
        assert (reader.version, reader.count()) == (1, 30)
        assert [record.id for record in reader.records()] == sorted(record.id for record in wanted)
        assert [record.id for record in reader.records(limit=2)] == sorted(record.id for record in wanted)[:2]
        some = [wanted[7].id, wanted[20].id, "no such id", word(9, 9).id]
        found = reader.records(some)
        assert [record.id for record in found] == sorted([wanted[7].id, wanted[20].id])
        assert next(record for record in found if record.id == wanted[7].id).same_vector(wanted[7])
        assert reader.records([]) == []
        assert len(reader.records(where={"label_status": "unvalidated"})) == 30
        assert reader.records(some, where={"label_status": "validated"}) == []


def test_a_query_is_answered_as_by_comparing_with_every_record(published: World) -> None:
    wanted = everything(published)
    with reading(published) as reader:
        for seed in range(20):
            asked = vector(10_000 + seed)
            distances = sorted((float(np.sum((record.embedding - asked) ** 2)), record.id) for record in wanted)
            hits = reader.nearest(asked.tolist(), 4)
            assert [hit.id for hit in hits] == [record_id for _, record_id in distances[:4]]
            assert [hit.distance for hit in hits] == pytest.approx(
                [distance for distance, _ in distances[:4]], abs=1e-5
            )
        assert len(reader.nearest(vector(1), 100)) == 30
        assert reader.nearest(vector(1), 3, where={"label_status": "validated"}) == []
        assert {type(hit.document) for hit in reader.nearest(vector(1))} == {str}


def test_questions_that_make_no_sense_are_mistakes_of_the_caller(published: World) -> None:
    with reading(published) as reader:
        for wrong in (vector(1, DIMENSION + 1), []):
            with pytest.raises(ValueError, match="dimensions"):
                reader.nearest(wrong)
        with pytest.raises(ValueError, match="at least 1"):
            reader.nearest(vector(1), 0)
        with pytest.raises(ValueError, match="where"):
            reader.records(where={"$and": []})
        with pytest.raises(ValueError, match="where"):
            reader.nearest(vector(1), where={"a": None})


def test_reading_writes_nothing_to_efs(published: World) -> None:
    before = {path: path.read_bytes() for path in published.efs.rglob("*") if path.is_file()}
    for path in published.efs.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    with reading(published) as reader:
        reader.nearest(vector(1))
        reader.records(where={"label_status": "unvalidated"})
    after = {path: path.read_bytes() for path in published.efs.rglob("*") if path.is_file()}
    for path in (published.efs, *published.efs.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert after == before
    assert private_copies(published.work) == []


def test_a_reader_sees_a_publication_after_refresh_and_not_before(published: World) -> None:
    with reading(published) as reader:
        assert reader.refresh() is False
        published.publish(replace(receipt_facts(1), exists=False))
        assert (reader.version, reader.count()) == (1, 30)
        assert reader.refresh() is True
        assert (reader.version, reader.count()) == (2, 25)
        assert reader.snapshot_id == "0000000002-0000000002-1"
        assert private_databases(published.work) == published.shards


def test_an_emptied_or_partly_empty_snapshot_answers_with_nothing(published: World) -> None:
    published.publish(*(replace(receipt_facts(number), exists=False) for number in range(6)))
    with reading(published) as reader:
        assert reader.count() == 0
        assert reader.records() == []
        assert reader.nearest(vector(1)) == []


def test_a_query_that_runs_keeps_its_snapshot_until_it_ends(published: World, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, go_on = threading.Event(), threading.Event()
    count = open_snapshot.OpenSnapshot.count

    def slow(self: open_snapshot.OpenSnapshot, *filters: Any) -> int:
        inside.set()
        assert go_on.wait(30)
        return count(self, *filters)

    with reading(published) as reader, ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(open_snapshot.OpenSnapshot, "count", slow)
        running = pool.submit(reader.count)
        assert inside.wait(30)
        monkeypatch.undo()
        published.publish(replace(receipt_facts(1), exists=False))
        assert reader.refresh()
        assert reader.count() == 25
        go_on.set()
        assert running.result() == 30
        assert private_databases(published.work) == published.shards


def test_readers_never_mix_two_snapshots(world: World) -> None:
    """While versions are published, every answer has one label for all records: that of one version."""
    world.shards = 3
    for number in range(4):
        world.upload(receipt_facts(number).runs[0], records_of(number))

    def publish(name: str) -> None:
        labels = [label(1, w, name) for w in range(1, COUNT + 1)]
        world.publish(*(receipt_facts(number, labels=labels) for number in range(4)))

    publish("L0")
    stop = threading.Event()
    seen: list[str] = []
    with reading(world) as reader, ThreadPoolExecutor(3) as pool:

        def look() -> None:
            while not stop.is_set():
                reader.refresh()
                names = {str(record.metadata["valid_labels_array"]) for record in reader.records()}
                assert len(names) == 1
                seen.append(names.pop())

        looking = [pool.submit(look) for _ in range(2)]
        for number in range(1, 6):
            publish(f"L{number}")
        stop.set()
        for one in looking:
            one.result()
        reader.refresh()
        assert {str(record.metadata["valid_labels_array"]) for record in reader.records()} == {"['L5']"}
    assert set(seen) <= {f"['L{number}']" for number in range(6)}


def test_a_snapshot_that_is_replaced_while_it_is_opened_is_resolved_again(
    published: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = opening.open_snapshot
    calls: list[int] = []

    def late(current: Any, *rest: Any) -> Any:
        calls.append(current.version)
        if len(calls) == 1:
            old = {shard.path for shard in published.manifest.shards if shard.path is not None}
            published.publish(*(receipt_facts(number, place={"merchant_name": "Shop"}) for number in range(6)))
            for path in old:
                shutil.rmtree(published.folder / path)
        return opened(current, *rest)

    monkeypatch.setattr(opening, "open_snapshot", late)
    with reading(published) as reader:
        if mounts.kind == BUCKET:  # what was resolved is in the cache by then, and is read to its end
            assert (reader.version, reader.refresh()) == (1, True)
        assert reader.version == 2
        assert reader.records(limit=1)[0].metadata["merchant_name"] == "Shop"
    assert calls == [1, 2]


@pytest.mark.parametrize("damage", ["manifest", "sqlite", "header", "gone"])
def test_while_a_snapshot_cannot_be_opened_the_one_before_stays_and_the_reader_says_so(
    published: World, damage: str
) -> None:
    with reading(published) as reader:
        published.publish(receipt_facts(1, place={"merchant_name": "Shop"}))
        (path,) = (
            published.folder / str(shard.path)
            for shard in published.manifest.shards
            if "-0000000002-" in str(shard.path)
        )
        match damage:
            case "manifest":
                (published.folder / "manifests" / "0000000002-0000000002-1.json").write_bytes(b"{}")
            case "sqlite":
                content = (path / "chroma.sqlite3").read_bytes()
                (path / "chroma.sqlite3").write_bytes(content[:-1] + b"x")
            case "header":
                next(path.rglob("header.bin")).write_bytes(b"short")
            case "gone":
                shutil.rmtree(path)
        assert reader.fallback_reason is None
        assert reader.refresh() is False
        assert "0000000002-0000000002-1 cannot be opened" in str(reader.fallback_reason)
        assert (reader.version, reader.count()) == (1, 30)
        assert private_databases(published.work) == published.shards


def test_a_closed_reader_says_so_and_may_be_closed_again(published: World) -> None:
    reader = reading(published)
    reader.close()
    reader.close()
    with pytest.raises(SnapshotUnavailable, match="closed"):
        reader.count()
    assert private_copies(published.work) == []

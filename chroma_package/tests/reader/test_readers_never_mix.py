"""ReadersNeverMix: what a reader answers comes from one manifest, and never from an older one than before."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from receipt_chroma.reader import SnapshotReader
from receipt_chroma.records import Record
from receipt_chroma.snapshot.manifest import Manifest
from receipt_chroma.snapshot.pointer import swap_pointer
from receipt_chroma.storage.files import write_atomically
from receipt_chroma.storage.tree import manifest_path
from receipt_dynamo_stream.control.head import snapshot_id_of
from receipt_dynamo_stream.errors import InvariantViolated
from receipt_dynamo_stream.invariants import versions_only_grow
from receipt_dynamo_stream.keys import ReceiptId

from ..samples import facts, label, receipt, run, vector, word
from ..world import World
from .layers import Layers

RECEIPTS = 4
SHARDS = 3
COUNT = 5
STATES = 4
PUBLICATIONS = 50
RECORDS = RECEIPTS * COUNT


def publish(world: World, name: str) -> None:
    """A version in which every record of every shard has this label."""
    labels = [label(1, w, name) for w in range(1, COUNT + 1)]
    words = [(1, w) for w in range(1, COUNT + 1)]
    world.publish(
        *(
            facts(words, of=receipt(number), runs=[run(number, prefix=f"delta/{number}/")], labels=labels)
            for number in range(RECEIPTS)
        )
    )


def upload(world: World) -> None:
    for number in range(RECEIPTS):
        records = [word(1, w, number * 100 + w, of=receipt(number)) for w in range(1, COUNT + 1)]
        world.upload(run(number, prefix=f"delta/{number}/"), records)


@pytest.fixture(scope="module")
def states(s3: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[World, list[Manifest]]:
    """Versions 1 to 4, whose records have the labels L1, L2, L3, L0 throughout."""
    s3.create_bucket(Bucket="readers-never-mix")
    world = World(s3, "readers-never-mix", tmp_path_factory.mktemp("states"), shards=SHARDS)
    upload(world)
    manifests = []
    for version in range(1, STATES + 1):
        publish(world, f"L{version % STATES}")
        manifests.append(world.manifest)
    return world, manifests


@dataclass
class Looker:
    """One thread's look at a shared reader, again and again; notes everything that must not be."""

    reader: SnapshotReader
    refreshes: bool
    stop: threading.Event
    label: Callable[[int], str]
    answers: int = 0

    def look(self) -> list[str]:
        wrong: list[str] = []
        newest = 0
        while not self.stop.is_set() or not self.answers:
            if self.refreshes:
                self.reader.refresh()
            before = self.reader.version
            answers = {
                "get": [str(record.metadata["valid_labels_array"]) for record in self.reader.records()],
                "query": [str(hit.metadata["valid_labels_array"]) for hit in self.reader.nearest(vector(1), RECORDS)],
            }
            after = self.reader.version
            may_be = {str([self.label(version)]) for version in range(before, after + 1)}
            for name, labels in answers.items():
                if len(labels) != RECORDS or len(set(labels)) != 1 or not set(labels) <= may_be:
                    wrong.append(f"{name} at version {before} to {after}: {len(labels)} records with {set(labels)}")
            try:
                versions_only_grow("before an answer the reader", newest, before)
                versions_only_grow("during an answer the reader", before, after)
            except InvariantViolated as violated:
                wrong.append(str(violated))
            newest = after
            self.answers += 1
        return wrong


def repeated(version: int) -> str:
    """The label of a version where four take turns."""
    return f"L{version % STATES}"


def looking(
    reader: SnapshotReader, stop: threading.Event, pool: ThreadPoolExecutor, label: Callable[[int], str] = repeated
) -> list[Future[list[str]]]:
    """Two threads that refresh, and one that leaves it to them and to the background."""
    return [pool.submit(Looker(reader, refreshes, stop, label).look) for refreshes in (True, True, False)]


def publish_again(world: World, manifests: list[Manifest]) -> int:
    """The next version: the shards of an earlier one under a new manifest, as a rollback publishes them."""
    last = manifests[-1]
    version = last.version + 1
    manifest = replace(
        manifests[version - 1 - STATES],
        version=version,
        snapshot_id=snapshot_id_of(version, version, 0),
        parent=last.pointer,
    )
    write_atomically(world.folder / manifest_path(manifest.snapshot_id), manifest.encode())
    assert swap_pointer(world.efs, world.collection, manifest.pointer)
    manifests.append(manifest)
    return version


def test_readers_never_mix_during_fifty_publications(states: tuple[World, list[Manifest]], tmp_path: Path) -> None:
    world, manifests = states[0], list(states[1])
    stop = threading.Event()
    with (
        SnapshotReader(world.efs, "words", cache_dir=tmp_path, refresh_every=timedelta(milliseconds=20)) as reader,
        ThreadPoolExecutor(3) as pool,
    ):
        threads = looking(reader, stop, pool)
        try:
            for number in range(PUBLICATIONS):
                version = publish_again(world, manifests)
                if number % 3 == 0:  # between these, readers skip versions
                    reader.refresh(min_version=version)
            reader.refresh(min_version=version)
        finally:
            stop.set()
        assert [one.result() for one in threads] == [[], [], []]
        assert reader.version == STATES + PUBLICATIONS


@pytest.mark.slow
def test_readers_never_mix_during_a_hundred_publications_of_segments_with_folds_between(tmp_path: Path) -> None:
    layers = Layers(tmp_path, shards=SHARDS)
    said: dict[int, str] = {}

    def content(name: str) -> dict[ReceiptId, list[Record]]:
        words = range(1, COUNT + 1)
        return {
            receipt(number): [
                word(1, w, number * 100 + w, of=receipt(number), valid_labels_array=[name]) for w in words
            ]
            for number in range(RECEIPTS)
        }

    said[1] = "L0"
    layers.base(content("L0"))
    stop = threading.Event()
    with layers.reader(refresh_every=timedelta(milliseconds=20)) as reader, ThreadPoolExecutor(3) as pool:
        threads = looking(reader, stop, pool, said.__getitem__)
        try:
            for version in range(2, 2 * PUBLICATIONS + 2):
                folds = version % 10 == 0
                said[version] = said[version - 1] if folds else f"L{version}"
                layers.forget_covered()
                layers.base() if folds else layers.segment(content(said[version]))
                if version % 3 == 0:  # between these, readers skip versions
                    reader.refresh(min_version=version)
            reader.refresh(min_version=version)
        finally:
            stop.set()
        assert [one.result() for one in threads] == [[], [], []]
        assert reader.version == 2 * PUBLICATIONS + 1


@pytest.mark.slow
def test_readers_never_mix_during_fifty_merges(world: World) -> None:
    world.shards = SHARDS
    upload(world)
    publish(world, "L1")
    stop = threading.Event()
    with (
        SnapshotReader(world.efs, "words", cache_dir=world.work, refresh_every=timedelta(milliseconds=20)) as reader,
        ThreadPoolExecutor(3) as pool,
    ):
        threads = looking(reader, stop, pool)
        try:
            for version in range(2, PUBLICATIONS + 2):
                publish(world, f"L{version % STATES}")
            reader.refresh(min_version=PUBLICATIONS + 1)
        finally:
            stop.set()
        assert [one.result() for one in threads] == [[], [], []]

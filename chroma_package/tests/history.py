"""A published history, made once and copied for every test: four versions, and a fifth that rolls back to the third."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from receipt_chroma.reader import SnapshotReader
from receipt_chroma.snapshot.lineage import falls_back_to
from receipt_chroma.snapshot.manifest import Manifest
from receipt_chroma.snapshot.pointer import Current
from receipt_chroma.storage.tree import CURRENT, CURRENT_LOCK, manifest_path, published_mark

from .reader.mounts import open_reader
from .samples import facts, label, run, word
from .world import World

WORDS = [(1, 1), (1, 2), (2, 1)]
VERSIONS = 5


def publish_history(world: World) -> list[Manifest]:
    """Versions 1 to 4 with the one label L1 to L4, and 5, which is 3 again: the manifests, oldest first."""
    runs = [run(1)]
    world.upload(runs[0], [word(line, number) for line, number in WORDS])
    manifests = []
    for version in range(1, 5):
        world.publish(facts(WORDS, runs=runs, labels=[label(*one, f"L{version}") for one in WORDS]))
        manifests.append(world.manifest)
    return [*manifests, world.roll_back(manifests[2].pointer)]


class History:
    """A copy of the history on an EFS of its own; CURRENT names what `point` says."""

    def __init__(self, source: Path, folder: Path, manifests: Sequence[Manifest]) -> None:
        self.efs = folder / "efs"
        self.cache = folder / "cache"
        self.manifests = list(manifests)
        shutil.copytree(source, self.efs)
        for written in (self.folder / CURRENT, self.folder / CURRENT_LOCK, published_mark(self.efs, "words")):
            written.unlink()

    @property
    def folder(self) -> Path:
        """The collection's folder."""
        return self.efs / "words"

    def current(self, version: int) -> Current:
        """What CURRENT says of a version."""
        manifest = self.manifests[version - 1]
        return Current.of(manifest.pointer, falls_back_to(self.folder, manifest))

    def point(self, version: int, *, alone: bool = False) -> None:
        """Let CURRENT name a version; alone: without the one before, as one that was written before CURRENT said it."""
        current = asdict(self.current(version))
        if alone:
            del current["before"]
        (self.folder / CURRENT).write_text(json.dumps(current) + "\n")

    def again(self) -> int:
        """One more version with the shards of the newest, and CURRENT names it; its number."""
        last = self.manifests[-1]
        version, snapshot_id = last.version + 1, f"{last.version + 1:010d}-{last.version + 1:010d}-0"
        manifest = replace(last, version=version, snapshot_id=snapshot_id, parent=last.pointer)
        (self.folder / manifest_path(snapshot_id)).write_bytes(manifest.encode())
        self.manifests.append(manifest)
        self.point(version)
        return version

    def shard(self, version: int) -> Path:
        """The directory of a version's one shard."""
        return self.folder / str(self.manifests[version - 1].shards[0].path)

    def manifest_file(self, version: int) -> Path:
        """A version's manifest."""
        return self.folder / manifest_path(self.manifests[version - 1].snapshot_id)

    def hide(self, *versions: int) -> None:
        """Take the directories of these versions away."""
        for version in versions:
            self.shard(version).rename(self.efs / f"hidden-{version}")

    def restore(self, version: int) -> None:
        """Bring a hidden directory back."""
        (self.efs / f"hidden-{version}").rename(self.shard(version))

    def reader(self, **options: Any) -> SnapshotReader:
        """A reader of this copy."""
        return open_reader(self.efs, "words", cache_dir=self.cache, **options)


def label_of(reader: SnapshotReader) -> str:
    """The label that all records have, each version its own."""
    labels = {str(record.metadata["valid_labels_array"]) for record in reader.records()}
    assert len(labels) == 1
    return labels.pop().strip("[']")


def seconds(number: float) -> timedelta:
    """A duration."""
    return timedelta(seconds=number)

"""A reader in a loop. What it answers must have the digest of one manifest, that of the version which it says it reads.

`python -m tests.soak.reading EFS COLLECTION CACHE` is one in a process of its own: it ends with its stdin, and prints
what it saw as JSON.
"""

from __future__ import annotations

import json
import random
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from receipt_chroma import Record, SnapshotReader
from receipt_chroma.errors import QuestionInvalid

from docs.verify_snapshot import record_hash

Place = tuple[str, str]
"""A generation, and a snapshot of it."""

_PAUSE_SECONDS = 0.15
_SHOWN = 5


@dataclass
class Seen:
    """`answers`: how many were looked at. `versions`: how many different ones. `switches`: how often another
    generation served. `wrong`: what must not be."""

    answers: int = 0
    versions: int = 0
    switches: int = 0
    moved: int = 0
    mixed: int = 0
    wrong: list[str] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    def __iadd__(self, other: Seen) -> Seen:
        self.answers += other.answers
        self.versions = max(self.versions, other.versions)
        self.switches = max(self.switches, other.switches)
        self.moved, self.mixed = self.moved + other.moved, self.mixed + other.mixed
        self.wrong += other.wrong
        self.errors += other.errors
        return self


class Looker:
    """Asks a reader again and again, and compares every answer with the manifest. refreshes: it does that itself."""

    def __init__(self, reader: SnapshotReader, efs: Path, *, refreshes: bool, seed: int) -> None:
        self._reader, self._efs, self._refreshes = reader, efs, refreshes
        self._rng = random.Random(seed)
        self._manifests: dict[Place, tuple[int, str]] = {}
        self._newest: dict[str, int] = {}
        self._places: set[Place] = set()
        self._generation: str | None = None
        self.seen = Seen()

    def loop(self, stop: threading.Event) -> None:
        """Until `stop` is set."""
        while not stop.wait(_PAUSE_SECONDS):
            try:
                self._look()
            except Exception as error:  # noqa: BLE001 -- whatever it is, a reader must not raise it
                self.seen.errors[f"{type(error).__name__}: {error}"[:300]] += 1

    def _look(self) -> None:
        reader = self._reader
        if self._refreshes:
            reader.refresh()
        before, version = self._place(), reader.version
        wanted = self._manifest(before)
        records = list(reader.records())
        count = reader.count()
        try:
            hit = self._nearest(records)
        except QuestionInvalid:  # another generation has other dimensions
            if self._place() == before:
                raise
            hit = None
        if self._place() != before:
            self.seen.moved += 1  # the background refreshed in between: nothing can be said of what came of which
            return
        self.seen.answers += 3
        if version < self._newest.get(before[0], 0):
            self._tell(f"version {version} of {before[0]} after {self._newest[before[0]]}")
        if before not in self._places:
            self._places.add(before)
            self.seen.versions += 1
        if before[0] != self._generation:
            self.seen.switches += self._generation is not None
            self._generation = before[0]
        self._newest[before[0]] = version
        if wanted is None:
            return  # it serves a version whose manifest expired: it has been behind for long, and says so itself
        if (len(records), content_digest(records)) != wanted or count != wanted[0]:
            self.seen.mixed += 1
            self._tell(f"{before}: {len(records)} records, counted {count}, are not those of its manifest")
        if hit:
            self._tell(f"{before}: {hit}")

    def _nearest(self, records: list[Record]) -> str | None:
        if not records:
            return None
        asked = self._rng.choice(records)
        (found,) = self._reader.nearest(asked.embedding.tolist(), 1)
        return None if found.distance < 1e-5 else f"{asked.id} is {found.distance} away from its own vector: {found.id}"

    def _place(self) -> Place:
        return self._reader.generation, self._reader.snapshot_id

    def _manifest(self, place: Place) -> tuple[int, str] | None:
        generation, snapshot_id = place
        if place not in self._manifests:
            try:
                text = (self._efs / generation / "manifests" / f"{snapshot_id}.json").read_text()
            except FileNotFoundError:
                return None
            manifest: dict[str, Any] = json.loads(text)
            self._manifests[place] = manifest["records"], manifest["digest"]
        return self._manifests[place]

    def _tell(self, text: str) -> None:
        if len(self.seen.wrong) < _SHOWN:
            self.seen.wrong.append(text)


def content_digest(records: list[Record]) -> str:
    """By the code that proves a version without ours."""
    hashes = (
        record_hash(one.id, np.asarray(one.embedding, "<f4"), one.document, dict(one.metadata)) for one in records
    )
    return f"{sum(hashes) % (1 << 256):064x}"


def main(efs: str, collection: str, cache: str) -> None:
    stop = threading.Event()

    def until_asked() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=until_asked, daemon=True).start()
    with SnapshotReader(Path(efs), collection, cache_dir=cache) as reader:
        looker = Looker(reader, Path(efs), refreshes=True, seed=1)
        looker.loop(stop)
    seen = looker.seen
    print(json.dumps({**vars(seen), "errors": dict(seen.errors)}))


if __name__ == "__main__":
    main(*sys.argv[1:])

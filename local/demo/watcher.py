"""Follows what is published as a reader does, and notes how long each thing that was written took to be seen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from receipt_chroma import Record, SnapshotReader

Probe: TypeAlias = Callable[[Record | None], bool]
"""Whether a record (None: it is not there) shows that a change is visible."""

_LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Awaited:
    """A change that is written and not yet seen: `since` is when its last write returned, in monotonic seconds."""

    what: str
    record_id: str
    shows: Probe
    since: float


class NotVisible(Exception):
    """What was written did not become visible in time."""


class Watcher:
    """Watches one collection from a thread of its own, between `start` and `stop`.

    `seconds` has one value per change that was seen: from its last write to the first reader that answers with it.
    """

    def __init__(self, efs: Path, collection: str, cache_dir: Path) -> None:
        self.collection = collection
        self.seconds: list[float] = []
        self._efs, self._cache_dir = efs, cache_dir
        self._awaited: list[Awaited] = []
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._problem: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f"watch-{collection}", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stopped.set()
        self._thread.join()

    def expect(self, awaited: Awaited) -> None:
        """Measure how long this takes to be seen."""
        with self._changed:
            self._awaited.append(awaited)

    @property
    def waiting(self) -> int:
        """How much of what is expected was not seen yet."""
        with self._changed:
            return len(self._awaited)

    def wait(self, timeout: float) -> None:
        """Until everything expected so far was seen. Raises NotVisible, and whatever the reader met."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._awaited or self._problem, timeout):
                missing = ", ".join(awaited.what for awaited in self._awaited[:5])
                raise NotVisible(f"{len(self._awaited)} changes are not in {self.collection}, such as {missing}")
            if self._problem is not None:
                raise self._problem

    def _run(self) -> None:
        try:
            reader = self._open()
            if reader is not None:
                with reader:
                    self._follow(reader)
        except Exception as problem:  # noqa: BLE001  # raised again in the thread that waits
            with self._changed:
                self._problem = problem
                self._changed.notify_all()

    def _open(self) -> SnapshotReader | None:
        while not (self._efs / self.collection / "CURRENT").exists():
            if self._stopped.wait(_LOOK_SECONDS):
                return None
        return SnapshotReader(self._efs, self.collection, cache_dir=self._cache_dir)

    def _follow(self, reader: SnapshotReader) -> None:
        seen_at = time.monotonic()
        looked: list[Awaited] = []
        while not self._stopped.is_set():
            with self._changed:
                awaited = list(self._awaited)
            if awaited != looked:
                self._look(reader, awaited, seen_at)
                looked = awaited
            self._stopped.wait(_LOOK_SECONDS)
            if reader.refresh():
                seen_at, looked = time.monotonic(), []

    def _look(self, reader: SnapshotReader, awaited: list[Awaited], seen_at: float) -> None:
        records = {record.id: record for record in reader.records([one.record_id for one in awaited])}
        seen = [one for one in awaited if one.shows(records.get(one.record_id))]
        with self._changed:
            for one in seen:
                self._awaited.remove(one)
                self.seconds.append(max(0.0, seen_at - one.since))
            self._changed.notify_all()

"""Which snapshot a reader opens: what CURRENT names, or else the newest earlier one that can be opened."""

import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from receipt_chroma.errors import NoSnapshotYet, SnapshotUnavailable, StorageUnavailable
from receipt_chroma.reader.generation import NOT_OPENED, Generation, open_generation
from receipt_chroma.snapshot.lineage import earlier_snapshots
from receipt_chroma.snapshot.pointer import Current, read_current
from receipt_chroma.storage.tree import collection_folder

logger = logging.getLogger(__name__)

ATTEMPTS: Final = 5
"""How often CURRENT is resolved again when what it names went away in between."""

RETRY_AFTER: Final = timedelta(seconds=15)
"""For how long a snapshot that could not be opened is not tried again: trying costs a copy of its databases."""

_PASSING: Final = (StorageUnavailable, FileNotFoundError)


@dataclass(frozen=True)
class _Refused:
    """What could not be opened (None: CURRENT itself), why, and when on the monotonic clock it is tried again."""

    current: Current | None
    reason: str
    retry_at: float


class SnapshotOpener:
    """Opens snapshots of a collection in private folders below `cache`; for one thread at a time."""

    def __init__(self, root: Path, collection: str, cache: Path) -> None:
        self._root = root
        self._collection = collection
        self._cache = cache
        self._refused: _Refused | None = None

    @property
    def reason(self) -> str | None:
        """Why what CURRENT names could not be opened when it was last looked at; None when it could."""
        refused = self._refused
        return refused.reason if refused else None

    def open_newer(self, served: Current | None) -> Generation | None:
        """The newest snapshot that can be opened, opened; None when `served` is as new, or nothing newer can be.

        Without `served` it raises NoSnapshotYet, and SnapshotUnavailable when nothing at all can be opened.
        """
        failed: Current | None = None
        problem: Exception | None = None
        for _ in range(ATTEMPTS):
            try:
                current = read_current(self._root, self._collection)
                if served is not None and served.place >= current.place:
                    self._refused = None
                    return None
                if self._waits(current):
                    return None
                if current == failed and not isinstance(problem, _PASSING):
                    break
                failed = current
                opened = open_generation(self._root, self._collection, current, self._cache)
            except NOT_OPENED as error:
                # What was resolved a moment ago may have been replaced and expired since: look at CURRENT again.
                problem = error
            except NoSnapshotYet as error:
                if served is None:
                    raise
                problem = error
            else:
                self._refused = None
                return opened
        self._refuse(failed, str(problem))
        earlier = self._open_earlier(served, failed)
        if earlier is None and served is None:
            raise SnapshotUnavailable(f"{self._collection}: no snapshot can be opened: {problem}") from problem
        logger.warning(
            "the newest snapshot cannot be opened; an earlier one is served",
            extra={"collection": self._collection, "reason": self.reason, "opened": earlier and earlier.current},
        )
        return earlier

    def _open_earlier(self, served: Current | None, failed: Current | None) -> Generation | None:
        if failed is None:
            return None
        for current in earlier_snapshots(collection_folder(self._root, self._collection), failed):
            if served is not None and served.place >= current.place:
                return None
            try:
                return open_generation(self._root, self._collection, current, self._cache)
            except NOT_OPENED as error:
                logger.warning(
                    "an earlier snapshot cannot be opened either",
                    extra={"collection": self._collection, "snapshot_id": current.snapshot_id, "error": str(error)},
                )
        return None

    def _waits(self, current: Current) -> bool:
        refused = self._refused
        return refused is not None and refused.current == current and time.monotonic() < refused.retry_at

    def _refuse(self, current: Current | None, problem: str) -> None:
        what = f"snapshot {current.snapshot_id} cannot be opened" if current else "CURRENT cannot be read"
        self._refused = _Refused(current, f"{what}: {problem}", time.monotonic() + RETRY_AFTER.total_seconds())

"""Which snapshot of a generation a reader opens: what CURRENT names, or else the newest earlier one that can be opened.

A version that only folded the one that is served has its records. It is opened at leisure, since its bases cost what a
first opening costs; until then what is served stands for it.
"""

import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from receipt_chroma.errors import CurrentGone, NoSnapshotYet, SnapshotUnavailable, StorageUnavailable
from receipt_chroma.reader.mount import Mount
from receipt_chroma.reader.open_files import OpenFiles
from receipt_chroma.reader.open_snapshot import NOT_OPENED, OpenSnapshot, open_snapshot
from receipt_chroma.snapshot.manifest import Manifest
from receipt_chroma.snapshot.pointer import Current

logger = logging.getLogger(__name__)

ATTEMPTS: Final = 5
"""How often CURRENT is resolved again when what it names went away in between."""

RETRY_AFTER: Final = timedelta(seconds=15)
"""For how long a snapshot that could not be opened is not tried again: trying costs a copy of its databases, and
reading all the rest."""

FOLD_WITHIN: Final = timedelta(minutes=30)
"""For how long what is served may stand for a fold of it. Expiry leaves a version's files for an hour at least."""

_PASSING: Final = (StorageUnavailable, FileNotFoundError)


@dataclass(frozen=True)
class _Refused:
    """What could not be opened (None: CURRENT itself), why, and when on the monotonic clock it is tried again."""

    current: Current | None
    reason: str
    retry_at: float


class SnapshotOpener:
    """Opens snapshots of a collection, or of a generation of one, with what `files` has open already; for one thread at
    a time."""

    def __init__(self, mount: Mount, collection: str, files: OpenFiles) -> None:
        self.mount = mount
        self._collection = collection
        self._files = files
        self._refused: _Refused | None = None

    @property
    def reason(self) -> str | None:
        """Why what CURRENT names could not be opened when it was last looked at; None when it could."""
        refused = self._refused
        return refused.reason if refused else None

    def open_newer(
        self, served: OpenSnapshot | None, *, folds: bool = True, earlier: bool = True
    ) -> OpenSnapshot | None:
        """The newest snapshot that can be opened, opened; None when `served` is as new, or nothing newer can be.

        folds: False leaves one that only folded what is served unopened while it may be, and None is returned when
        `served` stands for it. earlier: False opens what CURRENT names or nothing. Without `served` it raises
        NoSnapshotYet, and SnapshotUnavailable (CurrentGone) when nothing at all can be opened.
        """
        failed: Current | None = None
        problem: Exception | None = None
        for _ in range(ATTEMPTS):
            try:
                current = self.mount.current()
                if served is not None and self._is_as_new(served, current, folds):
                    self._refused = None
                    return None
                if self._waits(current):
                    return None
                if current == failed and not isinstance(problem, _PASSING):
                    break
                failed = current
                manifest = self.mount.manifest(current)
                if served is not None and not folds and served.has_content_of(manifest) and self._may_stay(served):
                    served.stand_for(current)
                    self._refused = None
                    return None
                opened = self._open(current, manifest)
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
        older = self._open_earlier(served, failed) if earlier else None
        if older is None and served is None:
            if isinstance(problem, CurrentGone):
                raise problem
            raise SnapshotUnavailable(f"{self._collection}: no snapshot can be opened: {problem}") from problem
        logger.warning(
            "the newest snapshot cannot be opened; an earlier one is served",
            extra={"collection": self._collection, "reason": self.reason, "opened": older and older.current},
        )
        return older

    def _open_earlier(self, served: OpenSnapshot | None, failed: Current | None) -> OpenSnapshot | None:
        if failed is None:
            return None
        for current in self.mount.earlier(failed):
            if served is not None and served.current.place >= current.place:
                return None
            try:
                return self._open(current, self.mount.manifest(current))
            except NOT_OPENED as error:
                logger.warning(
                    "an earlier snapshot cannot be opened either",
                    extra={"collection": self._collection, "snapshot_id": current.snapshot_id, "error": str(error)},
                )
        return None

    def _open(self, current: Current, manifest: Manifest) -> OpenSnapshot:
        with self.mount.holding(manifest):
            return open_snapshot(current, manifest, self._files, self.mount.folder.joinpath)

    def _is_as_new(self, served: OpenSnapshot, current: Current, folds: bool) -> bool:
        if served.current.place != current.place or served.opened == served.current:
            return served.current.place >= current.place
        return not folds and self._may_stay(served)

    def _may_stay(self, served: OpenSnapshot) -> bool:
        """Whether what is served may stand for a fold of it (for longer): not when its files are about to go."""
        since = served.standing_since
        if since is not None and time.monotonic() - since > FOLD_WITHIN.total_seconds():
            return False
        paths = (shard.path for shard in served.manifest.shards if shard.path is not None)
        return all((self.mount.folder / path).is_dir() for path in paths)

    def _waits(self, current: Current) -> bool:
        refused = self._refused
        return refused is not None and refused.current == current and time.monotonic() < refused.retry_at

    def _refuse(self, current: Current | None, problem: str) -> None:
        what = f"snapshot {current.snapshot_id} cannot be opened" if current else "CURRENT cannot be read"
        self._refused = _Refused(current, f"{what}: {problem}", time.monotonic() + RETRY_AFTER.total_seconds())

"""SnapshotReader: what is published, opened without writing to EFS.

A generation is one manifest, opened: per shard a private folder with a *copy* of chroma.sqlite3 (opening writes to
it) and a link to the HNSW files on EFS. Everything that a reader answers comes from one generation.
"""

import logging
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from receipt_chroma.errors import ChromaUnreadable, SnapshotDamaged, SnapshotUnavailable, StorageUnavailable
from receipt_chroma.generation import Generation, open_generation
from receipt_chroma.pointer import Current, read_current
from receipt_chroma.records import Record
from receipt_chroma.results import QueryHit

logger = logging.getLogger(__name__)

ATTEMPTS: Final = 5
"""How often CURRENT is resolved again when what it names went away in between."""

_PASSING: Final = (StorageUnavailable, FileNotFoundError, SnapshotUnavailable, SnapshotDamaged, ChromaUnreadable)


class SnapshotReader:
    """Reads the current snapshot of a collection; threads may share it. A context manager.

    `root` is the folder that holds the collections, `cache_dir` where private copies go (default: the system's temp
    folder). Opens on creation. Raises NoSnapshotYet, SnapshotUnavailable.
    """

    def __init__(self, root: Path | str, collection: str, *, cache_dir: Path | str | None = None) -> None:
        self._root = Path(root)
        self._collection = collection
        if cache_dir is not None:
            Path(cache_dir).mkdir(parents=True, exist_ok=True)
        self._cache = Path(tempfile.mkdtemp(prefix=f"reader-{collection}-", dir=cache_dir))
        self._refreshing = threading.Lock()
        self._lock = threading.Lock()
        self._generation: Generation | None = None
        try:
            self.refresh()
        except BaseException:
            self.close()
            raise

    @property
    def version(self) -> int:
        """The version that is read."""
        with self._borrow() as generation:
            return generation.current.version

    @property
    def snapshot_id(self) -> str:
        """The id of the snapshot that is read."""
        with self._borrow() as generation:
            return generation.current.snapshot_id

    def refresh(self) -> bool:
        """Read CURRENT anew and switch when it moved; True when it did.

        Calls that run keep their generation until they end. At the start of a Lambda invocation this is the whole
        refreshing that is needed. Raises NoSnapshotYet, SnapshotUnavailable; the old generation then stays.
        """
        with self._refreshing:
            opened = self._resolve()
            if opened is None:
                return False
            with self._lock:
                old, self._generation = self._generation, opened
            if old is not None:
                old.retire()
            return True

    def get(
        self,
        ids: Sequence[str] | None = None,
        *,
        where: Mapping[str, Any] | None = None,
        limit: int | None = None,
    ) -> list[Record]:
        """Records by id, or by a Chroma `where` filter, or all; sorted by id. Ids that are not there are left out."""
        with self._borrow() as generation:
            return generation.get(ids, where=where, limit=limit)

    def query(
        self, embedding: Sequence[float], n_results: int = 10, *, where: Mapping[str, Any] | None = None
    ) -> list[QueryHit]:
        """The nearest records, nearest first, equal distances by id; asked of every shard and merged."""
        with self._borrow() as generation:
            return generation.query(embedding, n_results, where=where)

    def count(self) -> int:
        """Number of records in the snapshot."""
        with self._borrow() as generation:
            return generation.count()

    def close(self) -> None:
        """Close the snapshot when running calls have ended, and remove the private copies. May be called twice."""
        with self._lock:
            old, self._generation = self._generation, None
        if old is not None:
            old.retire()
            old.closed.wait()
        shutil.rmtree(self._cache, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _borrow(self) -> Iterator[Generation]:
        with self._lock:
            generation = self._generation
            if generation is None:
                raise SnapshotUnavailable(f"the reader of {self._collection} is closed")
            generation.enter()
        try:
            yield generation
        finally:
            generation.leave()

    def _resolve(self) -> Generation | None:
        """Open what CURRENT names; None when that is open already."""
        problem: Exception | None = None
        for _ in range(ATTEMPTS):
            try:
                current = read_current(self._root, self._collection)
                if self._is_open(current):
                    return None
                return open_generation(self._root, self._collection, current, self._cache)
            except _PASSING as error:
                # ESTALE or ENOENT: what was resolved a moment ago may have been replaced and expired since.
                logger.warning(
                    "resolving the snapshot again", extra={"collection": self._collection, "error": str(error)}
                )
                problem = error
        raise SnapshotUnavailable(f"{self._collection}: no success in {ATTEMPTS} attempts: {problem}") from problem

    def _is_open(self, current: Current) -> bool:
        with self._lock:
            return self._generation is not None and self._generation.current == current

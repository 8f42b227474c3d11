"""One snapshot, opened for reading: all shards of one manifest."""

import heapq
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, TypeVar

from receipt_dynamo_stream.errors import KeyMalformed, SchemaUnsupported
from receipt_dynamo_stream.keys import parse_record_id
from receipt_dynamo_stream.sharding import shard_of

from receipt_chroma.errors import ChromaUnreadable, SnapshotDamaged, SnapshotUnavailable, StorageUnavailable
from receipt_chroma.records import Record
from receipt_chroma.results import QueryHit
from receipt_chroma.shard.chroma_dir import ChromaDir
from receipt_chroma.shard.sqlite_files import SQLITE_FILE
from receipt_chroma.snapshot.lineage import read_manifest
from receipt_chroma.snapshot.manifest import Manifest, ManifestShard
from receipt_chroma.snapshot.pointer import Current
from receipt_chroma.storage.files import copy_in, file_size, storage_errors
from receipt_chroma.storage.tree import collection_folder

NOT_OPENED: Final = (
    StorageUnavailable,
    FileNotFoundError,
    SnapshotUnavailable,
    SnapshotDamaged,
    SchemaUnsupported,
    ChromaUnreadable,
)
"""What open_generation raises: the snapshot is not to be had, another one may be."""

T = TypeVar("T")
R = TypeVar("R")


class Generation:
    """An open snapshot. It is closed when it is retired and its last user has left."""

    def __init__(
        self,
        current: Current,
        manifest: Manifest,
        shards: Mapping[int, ChromaDir],
        pool: ThreadPoolExecutor,
        opened: ExitStack,
    ) -> None:
        self.current = current
        self.manifest = manifest
        self.closed = threading.Event()
        self._shards = shards
        self._pool = pool
        self._opened = opened
        self._lock = threading.Lock()
        self._users = 0
        self._retired = False

    def enter(self) -> None:
        """Count a user; the generation stays open until it leaves."""
        with self._lock:
            self._users += 1

    def leave(self) -> None:
        """The user is done."""
        with self._lock:
            self._users -= 1
        self._close_when_unused()

    def retire(self) -> None:
        """No new users come: close as soon as none is left."""
        with self._lock:
            self._retired = True
        self._close_when_unused()

    def count(self) -> int:
        """Number of records."""
        return sum(directory.count() for directory in self._shards.values())

    def get(self, ids: Sequence[str] | None, *, where: Mapping[str, Any] | None, limit: int | None) -> list[Record]:
        """Records of all shards, sorted by id."""
        if ids is None and where is None and limit is not None:
            ids = sorted(name for part in self._shards.values() for name in part.ids())[:limit]
        if ids is None:
            found = [record for part in self._shards.values() for record in part.select(where=where)]
        else:
            found = [record for part, some in self._by_shard(ids) for record in part.select(some, where=where)]
        found.sort(key=lambda record: record.id)
        return found if limit is None else found[:limit]

    def query(self, embedding: Sequence[float], n_results: int, *, where: Mapping[str, Any] | None) -> list[QueryHit]:
        """The nearest records of all shards: the k nearest of each, merged."""
        if n_results < 1:
            raise ValueError(f"n_results is at least 1, not {n_results}")
        dimension = self.manifest.dimension
        if dimension is not None and len(embedding) != dimension:
            raise ValueError(f"the query has {len(embedding)} dimensions, the snapshot has {dimension}")
        parts = [part for part in self._shards.values() if part.count()]
        found = _each(self._pool, parts, lambda part: part.nearest(embedding, n_results, where=where))
        return heapq.nsmallest(
            n_results, (hit for hits in found for hit in hits), key=lambda hit: (hit.distance, hit.id)
        )

    def _by_shard(self, ids: Sequence[str]) -> list[tuple[ChromaDir, list[str]]]:
        routed: dict[int, list[str]] = {}
        for record_id in dict.fromkeys(ids):
            try:
                receipt = parse_record_id(record_id).receipt
            except KeyMalformed:
                continue  # no record has such an id
            routed.setdefault(shard_of(receipt.image_id, receipt.receipt_id, self.manifest.shard_count), []).append(
                record_id
            )
        return [(self._shards[number], some) for number, some in routed.items() if number in self._shards]

    def _close_when_unused(self) -> None:
        with self._lock:
            if self._retired and not self._users and not self.closed.is_set():
                try:
                    self._opened.close()
                finally:
                    self.closed.set()


def open_generation(root: Path, collection: str, current: Current, cache: Path) -> Generation:
    """Open every shard of a snapshot, in private folders below `cache`, and ask each one something.

    The manifest is the one that `current` names by its sha256, every file has the manifest's size, the databases have
    its sha256. Nothing is written below `root`. Raises NOT_OPENED.
    """
    folder = collection_folder(root, collection)
    manifest = read_manifest(folder, current)
    with ExitStack() as opening:
        private = Path(tempfile.mkdtemp(dir=cache, prefix=f"{current.snapshot_id}-"))
        opening.callback(shutil.rmtree, private, ignore_errors=True)
        pool = ThreadPoolExecutor(max_workers=min(16, manifest.shard_count), thread_name_prefix="snapshot-shards")
        opening.callback(pool.shutdown)
        written = [shard for shard in manifest.shards if shard.path is not None]
        prepared = _each(
            pool, written, lambda shard: prepare_shard(folder / str(shard.path), shard, private / f"{shard.shard:04d}")
        )
        shards = {
            shard.shard: opening.enter_context(ChromaDir.open(place, collection))
            for shard, place in zip(written, prepared, strict=True)
        }
        _each(pool, list(shards.values()), lambda part: warm_up(part, manifest.dimension))
        return Generation(current, manifest, shards, pool, opening.pop_all())


def warm_up(part: ChromaDir, dimension: int | None) -> None:
    """Load the index and ask it something: what cannot be read shows here, and not in somebody's query."""
    part.warm_up()
    if dimension and part.count():
        part.nearest([1.0] * dimension, 1)


def prepare_shard(published: Path, shard: ManifestShard, target: Path) -> Path:
    """A private folder that Chroma may open: a verified copy of the database, links to the index files' folders.

    Raises SnapshotUnavailable, StorageUnavailable, FileNotFoundError.
    """
    target.mkdir()
    with storage_errors():
        for entry in shard.files:
            if file_size(published / entry.name) != entry.size:
                raise SnapshotUnavailable(f"{published / entry.name} is not there with {entry.size} bytes")
            segment, _, name = entry.name.partition("/")
            if name and not (target / segment).exists():
                (target / segment).symlink_to((published / segment).absolute(), target_is_directory=True)
            elif (
                entry.name == SQLITE_FILE and copy_in(published / SQLITE_FILE, target / SQLITE_FILE)[1] != entry.sha256
            ):
                raise SnapshotUnavailable(f"{published / SQLITE_FILE} differs from its manifest")
    return target


def _each(pool: ThreadPoolExecutor, items: Sequence[T], call: Callable[[T], R]) -> list[R]:
    """The call's results for all items, in parallel where there are several."""
    return [call(item) for item in items] if len(items) < 2 else list(pool.map(call, items))

"""The versions that questions are put to: opened as readers open them, shared by threads, and few at a time.

An open version costs memory for its whole index, and versions that did not change a shard name the same directory: so
a shard is opened once for all of them, and the version that was asked least lately is closed.
"""

import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from receipt_chroma.reader.generation import Generation, prepare_shard, warm_up
from receipt_chroma.shard.chroma_dir import ChromaDir
from receipt_chroma.snapshot.manifest import Manifest, ManifestShard
from receipt_chroma.snapshot.pointer import Current

from operate.contents.shard_files import ShardFiles

OPEN_VERSIONS: Final = 3
"""How many are kept open when nobody asks them."""

_SHARDS_AT_ONCE: Final = 16


@dataclass
class _OpenShard:
    """A shard that somebody uses; locked while it is opened."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    directory: ChromaDir | None = None
    closing: ExitStack = field(default_factory=ExitStack)


class OpenShards:
    """Shards, opened once for all who use them and closed when the last one lets go."""

    def __init__(self, files: ShardFiles) -> None:
        self._files = files
        self._lock = threading.Lock()
        self._one_client = threading.Lock()
        self._shards: dict[tuple[str, str], _OpenShard] = {}

    def __len__(self) -> int:
        return len(self._shards)

    @contextmanager
    def borrow(self, collection: str, shard: ManifestShard, dimension: int | None) -> Iterator[ChromaDir]:
        """The open directory of a shard. Raises VersionUnreadable, and NOT_OPENED of the reader's generations."""
        key = (collection, str(shard.path))
        with self._lock:
            entry = self._shards.setdefault(key, _OpenShard())
            entry.users += 1
        try:
            with entry.lock:
                if entry.directory is None:
                    entry.directory = self._opened(entry, collection, shard, dimension)
            yield entry.directory
        finally:
            with self._lock:
                entry.users -= 1
                if not entry.users:
                    del self._shards[key]
            if not entry.users:  # nobody finds it any more
                entry.closing.close()

    def _opened(self, entry: _OpenShard, collection: str, shard: ManifestShard, dimension: int | None) -> ChromaDir:
        with ExitStack() as opening:
            published = opening.enter_context(self._files.folders(collection, [shard]))
            private = opening.enter_context(tempfile.TemporaryDirectory(prefix=f"console-{collection}-"))
            prepared = prepare_shard(published[shard.shard], shard, Path(private) / "shard")
            with self._one_client:
                directory = opening.enter_context(ChromaDir.open(prepared, collection))
            warm_up(directory, dimension)
            entry.closing = opening.pop_all()
            return directory


class OpenVersions:
    """Versions, opened when they are asked for the first time."""

    def __init__(self, files: ShardFiles, limit: int = OPEN_VERSIONS) -> None:
        self.shards = OpenShards(files)
        self._files = files
        self._limit = limit
        self._lock = threading.Lock()
        self._versions: OrderedDict[str, Generation] = OrderedDict()
        self._closed = False

    @contextmanager
    def borrow(self, manifest: Manifest) -> Iterator[Generation]:
        """The open version of a manifest, for as long as it is asked. Raises what OpenShards.borrow raises."""
        key = manifest.pointer.manifest_sha256
        generation = self._entered(key) or self._entered(key, self._opened(manifest))
        if generation is None:
            raise RuntimeError("these versions are closed")
        try:
            yield generation
        finally:
            generation.leave()

    def close(self) -> None:
        """Close everything when what is asked has been answered. May be called twice."""
        with self._lock:
            self._closed = True
            versions = list(self._versions.values())
            self._versions.clear()
        for generation in versions:
            generation.retire()
        for generation in versions:
            generation.closed.wait()

    def _entered(self, key: str, fresh: Generation | None = None) -> Generation | None:
        """The kept version, counted as used; `fresh` is kept if there is none, and closed if there is one."""
        with self._lock:
            found = self._versions.get(key)
            if found is None and fresh is not None and not self._closed:
                found = self._versions[key] = fresh
            if found is not None:
                found.enter()
                self._versions.move_to_end(key)
            retired = [] if fresh in (None, found) else [fresh]
            while len(self._versions) > self._limit:
                retired.append(self._versions.popitem(last=False)[1])
        for generation in retired:
            if generation is not None:
                generation.retire()
        return found

    def _opened(self, manifest: Manifest) -> Generation:
        with ExitStack() as opening, self._files.folders(manifest.collection, manifest.shards):  # all at once
            pool = ThreadPoolExecutor(min(_SHARDS_AT_ONCE, manifest.shard_count), thread_name_prefix="version-shards")
            opening.callback(pool.shutdown)
            shards = {
                shard.shard: opening.enter_context(self.shards.borrow(manifest.collection, shard, manifest.dimension))
                for shard in manifest.shards
                if shard.path is not None
            }
            return Generation(Current.of(manifest.pointer), manifest, shards, pool, opening.pop_all())

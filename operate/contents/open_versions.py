"""The versions that questions are put to: opened as readers open them, shared by threads, and few at a time.

An open version costs memory for its whole index, and versions that did not change a shard name the same directory: so
a shard is opened once for all of them, and the version that was asked least lately is closed.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from receipt_chroma.reader.open_files import OpenFiles
from receipt_chroma.reader.open_snapshot import OpenSnapshot, open_snapshot
from receipt_chroma.snapshot.manifest import Manifest
from receipt_chroma.snapshot.pointer import Current

from operate.contents.shard_files import ShardFiles

OPEN_VERSIONS: Final = 3
"""How many are kept open when nobody asks them."""


class OpenVersions:
    """Versions, opened when they are asked for the first time."""

    def __init__(self, files: ShardFiles, limit: int = OPEN_VERSIONS) -> None:
        self.shards = OpenFiles(None)
        self._files = files
        self._limit = limit
        self._lock = threading.Lock()
        self._versions: OrderedDict[str, OpenSnapshot] = OrderedDict()
        self._closed = False

    @contextmanager
    def borrow(self, manifest: Manifest) -> Iterator[OpenSnapshot]:
        """The open version of a manifest, for as long as it is asked. Raises VersionUnreadable and NOT_OPENED."""
        key = manifest.pointer.manifest_sha256
        snapshot = self._entered(key) or self._entered(key, self._opened(manifest))
        if snapshot is None:
            raise RuntimeError("these versions are closed")
        try:
            yield snapshot
        finally:
            snapshot.leave()

    def close(self) -> None:
        """Close everything when what is asked has been answered. May be called twice."""
        with self._lock:
            self._closed = True
            versions = list(self._versions.values())
            self._versions.clear()
        for snapshot in versions:
            snapshot.retire()
        for snapshot in versions:
            snapshot.closed.wait()
        self.shards.close()

    def _entered(self, key: str, fresh: OpenSnapshot | None = None) -> OpenSnapshot | None:
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
        for snapshot in retired:
            if snapshot is not None:
                snapshot.retire()
        return found

    def _opened(self, manifest: Manifest) -> OpenSnapshot:
        with ExitStack() as held:
            homes = held.enter_context(self._files.homes(manifest.collection, manifest.shards))
            places = {
                path: homes[shard.shard] / path
                for shard in manifest.shards
                for path in (shard.path, *(segment.path for segment in shard.segments))
                if path is not None
            }
            return open_snapshot(
                Current.of(manifest.pointer), manifest, self.shards, places.__getitem__, held=held.pop_all()
            )

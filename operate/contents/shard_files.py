"""Where the files of any version's shards are on this machine: on the local stack's file system, or brought from S3.

What S3 gave is kept in a folder per bucket, for later and for other processes. A lock on a folder, a base's or that of
a shard's segments, says that somebody uses what is in it: the bases and segments that were used least lately leave when
there is too much, those in use never.
"""

import fcntl
import os
import shutil
import threading
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, Self

from receipt_chroma.snapshot.download import shard_files
from receipt_chroma.snapshot.manifest import Manifest, ManifestShard
from receipt_chroma.storage.files import file_size
from receipt_chroma.storage.tree import SEGMENTS, SHARDS, STAGING

from operate.stack import Stack
from operate.stored import Stored

CACHE: Final = Path("~/.cache/receipt-compaction")
"""Where files that came from S3 are kept on this machine, a folder per bucket."""

CACHE_BYTES: Final = 4_000_000_000
"""How much stays there when nothing is in use; a words snapshot of the planned size has 674 MB."""

_ABANDONED_SECONDS: Final = 86_400.0


class ShardFiles:
    """Shards' files, each for as long as they are used. Threads and processes may share the cache."""

    def __init__(
        self, stored: Stored, bucket: str, efs: Path | None, cache: Path = CACHE, cache_bytes: int = CACHE_BYTES
    ) -> None:
        """bucket: the name of what `stored` reads from. efs: None where the file system is out of reach."""
        self._stored = stored
        self._cache = cache.expanduser() / bucket
        self._cache_bytes = cache_bytes
        self._efs = efs
        self._sweeping = threading.Lock()

    @classmethod
    def of(cls, stack: Stack, cache: Path = CACHE, cache_bytes: int = CACHE_BYTES) -> Self:
        """Those of a stack."""
        efs_root = stack.connection.efs_root
        efs = Path(efs_root) if efs_root is not None else None
        return cls(stack.stored, stack.connection.bucket, efs, cache, cache_bytes)

    @contextmanager
    def home(self, manifest: Manifest) -> Iterator[Path]:
        """One folder of the collection that has every file of a version. Raises VersionUnreadable."""
        collection, shards = manifest.collection, manifest.shards
        if self._efs is not None and all(_is_whole(self._efs / collection, shard) for shard in shards):
            yield self._efs / collection
            return
        alone = ShardFiles(self._stored, self._cache.name, None, self._cache.parent, self._cache_bytes)
        with alone.homes(collection, shards):
            yield self._cache / collection

    @contextmanager
    def homes(
        self, collection: str, shards: Iterable[ManifestShard], names: Collection[str] | None = None
    ) -> Iterator[dict[int, Path]]:
        """Of each shard that was ever written, by number, the collection's folder that has its base and segments.

        Of the base it has all files, or at least those of these names. Nobody may write there. Raises
        VersionUnreadable when a file is neither on the file system nor on S3.
        """
        homes: dict[int, Path] = {}
        lacking: list[ManifestShard] = []
        with ExitStack() as in_use:
            for shard in shards:
                if shard.path is None and not shard.segments:
                    continue
                wanted = replace(shard, files=tuple(one for one in shard.files if names is None or one.name in names))
                home = self._efs / collection if self._efs is not None else None
                if home is None or not _is_whole(home, wanted):
                    home = self._cache / collection
                    for folder in _folders(wanted):
                        in_use.enter_context(_in_use(home / folder))
                    if not _is_whole(home, wanted):
                        lacking.append(wanted)
                    for segment in wanted.segments:
                        _touch(home / segment.path)
                homes[shard.shard] = home
            if lacking:
                self._stored.bring_files(self._cache, collection, lacking)
                self._sweep()
            yield homes

    def _sweep(self) -> None:
        """Remove the least lately used bases and segments that nobody uses, until what is left is not too much."""
        with self._sweeping:
            for left in self._cache.glob(f"*/{STAGING}/*"):  # by a process that was killed while it fetched
                if _last_used(left) < time.time() - _ABANDONED_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)
            kept = [*self._cache.glob(f"*/{SHARDS}/*/*"), *self._cache.glob(f"*/{SEGMENTS}/*/*")]
            kept.sort(key=_last_used)
            sizes = [_size(path) for path in kept]
            too_much = sum(sizes) - self._cache_bytes
            for path, size in zip(kept, sizes, strict=True):
                if too_much > 0 and _removed_if_unused(path):
                    too_much -= size


def _is_whole(home: Path, shard: ManifestShard) -> bool:
    return all(file_size(home / path) == entry.size for path, entry in shard_files(shard))


def _folders(shard: ManifestShard) -> list[str]:
    """What is locked while a shard is used: the base's folder, and the one that its segments are in."""
    base = [shard.path] if shard.path is not None else []
    return base + sorted({segment.path.rpartition("/")[0] for segment in shard.segments})


@contextmanager
def _in_use(folder: Path) -> Iterator[None]:
    """Hold the folder, made if need be, against removal."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue  # it was removed just now
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            if _is_still(folder, descriptor):
                os.utime(folder)  # when it was last used
                yield
                return
        finally:
            os.close(descriptor)


def _is_still(folder: Path, descriptor: int) -> bool:
    """Whether the open folder is the one of this name, and not one that was removed before it was locked."""
    try:
        return os.path.samestat(folder.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _removed_if_unused(path: Path) -> bool:
    """Remove a base's folder, or a segment, unless somebody has locked it or the folder it is in."""
    try:
        descriptor = os.open(path if path.is_dir() else path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    except OSError:  # it is in use, or it went and came again just now
        return False
    finally:
        os.close(descriptor)
    return True


def _last_used(path: Path) -> float:
    with suppress(FileNotFoundError):
        return path.stat().st_mtime
    return 0.0


def _touch(path: Path) -> None:
    with suppress(FileNotFoundError):
        os.utime(path)


def _size(path: Path) -> int:
    """Of a file, or of all files in a folder."""
    found = 0
    for one in (path, *path.rglob("*")):
        with suppress(FileNotFoundError):
            found += one.lstat().st_size
    return found

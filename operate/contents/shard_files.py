"""Where the files of any version's shards are on this machine: on the local stack's file system, or brought from S3.

What S3 gave is kept in a folder per bucket, for later and for other processes. A lock on a shard's folder says that
somebody uses it: the shards that were used least lately leave when there is too much, those in use never.
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
from typing import Final

from receipt_chroma.snapshot.manifest import ManifestShard
from receipt_chroma.storage.files import file_size
from receipt_chroma.storage.tree import SHARDS, STAGING

from operate.stack import Stack

CACHE: Final = Path("~/.cache/receipt-compaction")
"""Where files that came from S3 are kept on this machine, a folder per bucket."""

CACHE_BYTES: Final = 4_000_000_000
"""How much stays there when nothing is in use; a words snapshot of the planned size has 674 MB."""

_ABANDONED_SECONDS: Final = 86_400.0


class ShardFiles:
    """Shards' folders, each for as long as it is used. Threads and processes may share the cache."""

    def __init__(self, stack: Stack, cache: Path = CACHE, cache_bytes: int = CACHE_BYTES) -> None:
        self._stored = stack.stored
        self._cache = cache.expanduser() / stack.connection.bucket
        self._cache_bytes = cache_bytes
        efs_root = stack.connection.efs_root
        self._efs = Path(efs_root) if efs_root is not None else None
        self._sweeping = threading.Lock()

    @contextmanager
    def folders(
        self, collection: str, shards: Iterable[ManifestShard], names: Collection[str] | None = None
    ) -> Iterator[dict[int, Path]]:
        """The folders of the shards that were ever written, by number, with all files or at least those of these names.

        Nobody may write into them. Raises VersionUnreadable when a file is neither on the file system nor on S3.
        """
        folders: dict[int, Path] = {}
        lacking: list[ManifestShard] = []
        with ExitStack() as in_use:
            for shard in shards:
                if shard.path is None:
                    continue
                wanted = replace(shard, files=tuple(one for one in shard.files if names is None or one.name in names))
                folder = self._efs / collection / shard.path if self._efs is not None else None
                if folder is None or not _is_whole(folder, wanted):
                    folder = self._cache / collection / shard.path
                    in_use.enter_context(_in_use(folder))
                    if not _is_whole(folder, wanted):
                        lacking.append(wanted)
                folders[shard.shard] = folder
            if lacking:
                self._stored.bring_files(self._cache, collection, lacking)
                self._sweep()
            yield folders

    def place(self, collection: str, path: str) -> Path:
        """Where a file of a snapshot is or would be: on the file system, else in the cache."""
        on_efs = self._efs / collection / path if self._efs is not None else None
        return on_efs if on_efs is not None and on_efs.exists() else self._cache / collection / path

    def _sweep(self) -> None:
        """Remove the least lately used shards that nobody uses, until what is left is not too much."""
        with self._sweeping:
            for left in self._cache.glob(f"*/{STAGING}/*"):  # by a process that was killed while it fetched
                if _last_used(left) < time.time() - _ABANDONED_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)
            folders = sorted(self._cache.glob(f"*/{SHARDS}/*/*"), key=_last_used)
            sizes = [sum(_size(path) for path in folder.rglob("*")) for folder in folders]
            too_much = sum(sizes) - self._cache_bytes
            for folder, size in zip(folders, sizes, strict=True):
                if too_much > 0 and _removed_if_unused(folder):
                    too_much -= size


def _is_whole(folder: Path, shard: ManifestShard) -> bool:
    return all(file_size(folder / entry.name) == entry.size for entry in shard.files)


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


def _removed_if_unused(folder: Path) -> bool:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _last_used(folder: Path) -> float:
    with suppress(FileNotFoundError):
        return folder.stat().st_mtime
    return 0.0


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.lstat().st_size
    return 0

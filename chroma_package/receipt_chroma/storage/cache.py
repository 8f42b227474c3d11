"""Files from afar, kept on this machine: bounded in size, and shared by processes.

Two locks. Whoever works with files holds `use.lock` shared, so that they stay; whoever fetches holds `fetch.lock`, so
that nothing is fetched twice, and removes files only while nobody holds `use.lock`. A process that ends lets go of
both, and what it was fetching is removed by the next one. Files are immutable, and those used least lately go first.
"""

import fcntl
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from receipt_chroma.errors import SnapshotUnavailable
from receipt_chroma.storage.files import file_size

logger = logging.getLogger(__name__)

_FETCHING: Final = ".fetching"
_ATTEMPTS: Final = 10

Sizes = Mapping[str, int]
"""Bytes of files, by their path relative to the cache."""


class FileCache:
    """A folder of files, at most so many bytes of them, those that are being fetched too; for threads and processes."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self._limit = limit
        folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def using(self, wanted: Sizes, fetch: Callable[[Mapping[str, Path]], None]) -> Iterator[None]:
        """These files are there while the block runs. fetch brings those that lack, each to the path that it is given,
        and proves them; what it raises is raised.

        Raises SnapshotUnavailable where they do not fit.
        """
        for _ in range(_ATTEMPTS):
            with _locked(self.folder / "use.lock", fcntl.LOCK_SH):
                if not self._lacking(wanted):
                    for path in wanted:
                        os.utime(self.folder / path)
                    yield
                    return
            self._fetch(wanted, fetch)
        raise SnapshotUnavailable(f"{self.folder}: others need its room for other snapshots: give the cache more bytes")

    def forget(self, damaged: Iterable[str]) -> None:
        """Remove files that are not what they must be, so that they are fetched again."""
        with _locked(self.folder / "fetch.lock", fcntl.LOCK_EX), _locked(self.folder / "use.lock", fcntl.LOCK_EX):
            for path in damaged:
                with suppress(FileNotFoundError):
                    self._remove(self.folder / path)

    def _lacking(self, wanted: Sizes) -> list[str]:
        return [path for path, size in wanted.items() if file_size(self.folder / path) != size]

    def _fetch(self, wanted: Sizes, fetch: Callable[[Mapping[str, Path]], None]) -> None:
        with _locked(self.folder / "fetch.lock", fcntl.LOCK_EX):
            beside = self.folder / _FETCHING
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir()
            lacking = {path: beside / str(number) for number, path in enumerate(self._lacking(wanted))}
            self._make_room(wanted, sum(wanted[path] for path in lacking))
            try:
                fetch(lacking)
                for path, fetched in lacking.items():
                    (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
                    fetched.replace(self.folder / path)
            finally:
                shutil.rmtree(beside, ignore_errors=True)

    def _make_room(self, wanted: Sizes, needed: int) -> None:
        kept = {path: status for path, status in self._files().items() if path not in wanted}
        own = sum(size for path in wanted if (size := file_size(self.folder / path)))
        excess = own + needed + sum(status.st_size for status in kept.values()) - self._limit
        if excess <= 0:
            return
        if own + needed > self._limit:
            raise SnapshotUnavailable(
                f"{self.folder} may hold {self._limit:,} bytes, and the snapshot has {own + needed:,}: give it more"
            )
        with _locked(self.folder / "use.lock", fcntl.LOCK_EX):
            for path, status in sorted(kept.items(), key=lambda one: self._used(one[0])):
                if excess <= 0:
                    return
                logger.info("a file makes room in the cache", extra={"path": path, "bytes": status.st_size})
                self._remove(self.folder / path)
                excess -= status.st_size

    def _used(self, path: str) -> int:
        """When it was used last; somebody may have used it since it was listed."""
        return (self.folder / path).stat().st_mtime_ns

    def _files(self) -> dict[str, os.stat_result]:
        found = (path for path in self.folder.rglob("*") if path.is_file() and path.parent != self.folder)
        return {path.relative_to(self.folder).as_posix(): path.stat() for path in found}

    def _remove(self, path: Path) -> None:
        path.unlink()
        for folder in path.parents:
            if folder == self.folder:
                return
            with suppress(OSError):  # other files are in it
                folder.rmdir()


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    with path.open("ab") as file:
        fcntl.flock(file, how)
        yield

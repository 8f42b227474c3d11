"""Where an invocation works: a private folder below the work root, and none of those that killed ones left there."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from .settings import settings
from .step import logger

KINDS = ("merge", "fold", "validate", "verify")
"""What the folders' names begin with; whatever else lies in the root is not ours."""


@contextmanager
def work_folder(kind: str) -> Iterator[Path]:
    """A folder of the running invocation, gone afterwards.

    Lambda gives a sandbox with its /tmp to the retry of an invocation that it killed: what that one left is removed
    first. A folder is locked by the process that works in it, and no lock outlives its process, so that workers that
    share a root never take each other's.
    """
    root = Path(settings().work_root)
    root.mkdir(parents=True, exist_ok=True)
    remove_leftovers(root)
    folder, lock = _own_folder(root, kind)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_leftovers(root: Path) -> None:
    """Remove the folders that no process works in."""
    for folder in root.iterdir():
        if not folder.name.startswith(tuple(f"{kind}-" for kind in KINDS)) or (lock := _lock(folder)) is None:
            continue
        size = sum(path.lstat().st_size for path in folder.rglob("*"))
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)
        logger().warning("removed what a killed invocation left", extra={"folder": folder.name, "bytes": size})


def _own_folder(root: Path, kind: str) -> tuple[Path, int]:
    """A new folder and its lock. Until it is locked another process may take it for a leftover: then the next one."""
    while True:
        folder = Path(mkdtemp(dir=root, prefix=f"{kind}-"))
        lock = _lock(folder)
        if lock is not None:
            return folder, lock


def _lock(folder: Path) -> int | None:
    """The descriptor of a folder that is there and was not locked; None otherwise."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(folder.stat(), os.fstat(descriptor)):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None

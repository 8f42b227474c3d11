"""Room on a disk: looked for before much is written, and named when it runs out all the same."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from receipt_chroma.errors import ChromaUnreadable, DiskFull, ShardInvalid

LITTLE: Final = 64 << 20
"""Free bytes below which a failure of chromadb counts as a full disk: it says only that it could not apply its log, and
what it rolled back is free again."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def is_disk_full(error: BaseException) -> bool:
    """Whether this is what an operating system or SQLite raises when a disk has no room left."""
    import sqlite3

    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in _FULL


def disk_full(error: BaseException) -> DiskFull:
    """The named error for one that `is_disk_full`, with the free bytes where the error says which file it was."""
    names = (getattr(error, "filename2", None), getattr(error, "filename", None))
    found = next((Path(name).parent for name in names if isinstance(name, str) and Path(name).parent.is_dir()), None)
    return DiskFull(found, free_bytes(found) if found else None, None)


def free_bytes(folder: Path) -> int:
    """What a process without privileges may still write there."""
    return shutil.disk_usage(folder).free


@contextmanager
def room(folder: Path, needed: int | None = None) -> Iterator[None]:
    """For a block that works below a folder and writes at least `needed` bytes there.

    Raises DiskFull: at once where they do not fit, and for whatever in the block comes from a disk without room.
    """
    free = free_bytes(folder)
    if needed is not None and free < needed:
        raise DiskFull(folder, free, needed)
    try:
        yield
    except DiskFull as error:
        if error.needed is not None:
            raise
        raise DiskFull(folder, free_bytes(folder), needed) from error
    except (OSError, ChromaUnreadable, ShardInvalid) as error:
        left = free_bytes(folder)
        if is_disk_full(error) or (not isinstance(error, OSError) and left < LITTLE):
            raise DiskFull(folder, left, needed) from error
        raise

"""Files on EFS and in /tmp: hashed while copied, written by temp file, fsync and rename."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from mmap import ACCESS_READ, mmap
from pathlib import Path
from shutil import copyfile
from stat import S_ISREG
from typing import IO
from uuid import uuid4

from receipt_chroma.errors import StorageUnavailable
from receipt_chroma.storage.room import disk_full, is_disk_full

_MAPPED = 16 << 20
"""Bytes that are hashed at once. With read() a thread would wait for the interpreter's lock three times a megabyte,
5 ms each time as long as another thread computes."""

_PASSING = frozenset({errno.ESTALE, errno.EIO, errno.ETIMEDOUT, errno.EAGAIN, errno.EROFS})
"""EROFS too: a file system becomes read-only for everybody at once, by an administrator or after a fault of its own."""


@contextmanager
def storage_errors() -> Iterator[None]:
    """Raise StorageUnavailable for a file system error that passes, DiskFull for a full disk; others as they are."""
    try:
        yield
    except OSError as error:
        if error.errno in _PASSING:
            raise StorageUnavailable(f"{error}: try again, the file server was away, or lets nobody write") from error
        if is_disk_full(error):
            raise disk_full(error) from error
        raise


def sha256_file(path: Path) -> str:
    """Hex sha256 of a private file's bytes: a file that somebody cuts off meanwhile ends the process."""
    digest = sha256()
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        for start in range(0, size, _MAPPED):
            with mmap(file.fileno(), min(_MAPPED, size - start), offset=start, access=ACCESS_READ) as part:
                digest.update(part)
    return digest.hexdigest()


def sha256_of(content: bytes) -> str:
    """Hex sha256 of some bytes."""
    return sha256(content).hexdigest()


def copy_in(source: Path, target: Path) -> tuple[int, str]:
    """Copy a file to a private one and hash what arrived there; returns (bytes, hex sha256)."""
    target.parent.mkdir(parents=True, exist_ok=True)
    copyfile(source, target)  # in the kernel, where it can
    return target.stat().st_size, sha256_file(target)


def copy_out(source: Path, target: Path) -> None:
    """Copy a private file; the target is on disk when this returns."""
    target.parent.mkdir(parents=True, exist_ok=True)
    copyfile(source, target)
    with target.open("rb+") as written:
        flush(written)


def flush(file: IO[bytes]) -> None:
    """Bring a file's written bytes to disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to disk (without effect on NFS, where the server does it)."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, content: bytes) -> None:
    """Write by a temp file beside the target, fsync and rename: readers see the old bytes or the new ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as writer:
            writer.write(content)
            os.fchmod(writer.fileno(), 0o644)
            flush(writer)
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    sync_folder(path.parent)


def file_names(folder: Path) -> list[str]:
    """Names of all files under a folder, relative to it, with forward slashes, sorted. Links are not followed."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def file_size(path: Path) -> int | None:
    """Size in bytes, or None when no such file is there: nothing, or a folder in its place."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_size if S_ISREG(found.st_mode) else None


def clear_way(path: Path, *, below: Path) -> None:
    """Rename what stands where a file is to be written: a folder in its place, or from `below` on a file in place of a
    folder on the way to it. It stays beside, as `{name}.aside-{unique}`: nothing is deleted."""
    steps = [below, *(below / part for part in reversed(path.relative_to(below).parents) if part.name), path]
    for step in steps:
        if os.path.lexists(step) and step.is_dir() == (step == path):
            with suppress(FileNotFoundError):  # somebody else renamed it just now
                step.rename(step.with_name(f"{step.name}.aside-{uuid4().hex[:12]}"))

"""Small real disks: a tmpfs that can be filled up and made read-only, where this machine lets a test mount one."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BALLAST = "ballast.bin"
_LEFT = 16 * 1024
_TRIES = 100


class NoDisk(Exception):
    """This machine lets nobody mount a disk; the message has why."""


class Disk:
    """A tmpfs at `folder`, between `mount` and `unmount`."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder, self.megabytes = folder, megabytes

    def mount(self) -> None:
        """Raises NoDisk."""
        self.folder.mkdir(parents=True, exist_ok=True)
        done = _run("mount", "-t", "tmpfs", "-o", f"size={self.megabytes}m,mode=755", "tmpfs", str(self.folder))
        if done.returncode:
            raise NoDisk(done.stderr.strip() or "mount failed")

    def unmount(self) -> None:
        """Also while a process that is on its way out still has a file of it."""
        _run("umount", "-l", str(self.folder))

    @contextmanager
    def full(self, left: int = _LEFT) -> Iterator[None]:
        """So many bytes are left, whatever is removed meanwhile; and then there is room again."""
        ballast = self.folder / _BALLAST
        with ballast.open("wb") as file:
            for _ in range(_TRIES):
                free = os.statvfs(self.folder)
                try:
                    os.posix_fallocate(file.fileno(), 0, max(1, free.f_bavail * free.f_frsize - left))
                    break
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise  # somebody else took of what was free; who takes all of it has filled the disk as well
        try:
            yield
        finally:
            ballast.unlink()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Nothing can be written: a read-only mount of the same files lies over it. The mount itself cannot be made so:
        readers have files of it open for writing, as chromadb opens an index.
        """
        folder = str(self.folder)
        for command in (("--bind", folder, folder), ("-o", "remount,bind,ro", folder)):
            done = _run("mount", *command)
            if done.returncode:
                raise NoDisk(f"{folder} does not become read-only: {done.stderr.strip()}")
        try:
            yield
        finally:
            _run("umount", "-l", folder)


def why_no_disk() -> str | None:
    """Why nothing can be mounted here; None where it can."""
    with tempfile.TemporaryDirectory() as folder:
        disk = Disk(Path(folder) / "disk", 1)
        try:
            disk.mount()
        except (NoDisk, OSError) as error:
            return f"this machine lets nobody mount a small disk: {error}"
        disk.unmount()
    return None


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)

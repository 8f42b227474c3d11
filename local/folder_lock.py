"""One stack a folder, also of several processes: a lock that no process outlives, in a file beside the folder."""

import fcntl
import os
import shutil
from pathlib import Path

from local.errors import StackAlreadyRunning


class FolderLock:
    """Held between `take` and `release`. A stack that is stopped by a signal holds it still: it may go on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def take(self, *, fresh: bool) -> None:
        """fresh: what lies in the folder goes, once it is ours. Raises StackAlreadyRunning, and leaves all as it is."""
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._folder.with_name(f"{self._folder.name}.lock"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise StackAlreadyRunning(
                f"a local stack runs in {self._folder} already, in another process: use it, or stop it first"
            ) from None
        self._descriptor = descriptor
        if fresh:
            shutil.rmtree(self._folder, ignore_errors=True)

    def release(self) -> None:
        """May be called twice. The file stays: whoever removed it would let two in."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

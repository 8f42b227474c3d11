"""Every change of EFS passes the gate, by what Python has for changing files. What a function writes to its own disk is
no effect, but a process that is gone does not write there either: a sandbox keeps what it left.
"""

from __future__ import annotations

import builtins
import errno
import fcntl
import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from .effects import AnswerLost, Effect, Gate, Refused, stable
from .tasks import Crash, current, wait

_ONE = ("unlink", "remove", "mkdir", "rmdir")
_TWO = ("rename", "replace", "link", "symlink")
_ERRORS = (errno.EIO, errno.ESTALE, errno.ENOSPC, errno.ETIMEDOUT)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class DiskGate:
    """While entered, in front of the file system."""

    def __init__(self, gate: Gate, efs: Path, own: Path) -> None:
        self.gate, self.efs, self.own = gate, str(efs), str(own)

    @contextmanager
    def entered(self) -> Iterator[None]:
        with ExitStack() as patches:
            for name in (*_ONE, *_TWO):
                patches.enter_context(patch.object(os, name, self._gated(name, getattr(os, name))))
            patches.enter_context(patch.object(os, "open", self._os_open(os.open)))
            opened = self._open(io.open)
            patches.enter_context(patch.object(io, "open", opened))
            patches.enter_context(patch.object(builtins, "open", opened))
            patches.enter_context(patch.object(fcntl, "flock", self._flock(fcntl.flock)))
            yield

    def _gated(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *args: Any, **options: Any) -> Any:
            descriptor = options.get("dir_fd", options.get("src_dir_fd"))
            return self._pass(name, path, descriptor, lambda: original(path, *args, **options))

        return call

    def _os_open(self, original: Callable[..., int]) -> Callable[..., int]:
        def call(path: Any, flags: int, *args: Any, **options: Any) -> int:
            if not flags & _WRITES:
                return original(path, flags, *args, **options)
            return int(
                self._opening(path, options.get("dir_fd"), lambda: original(path, flags, *args, **options), os.close)
            )

        return call

    def _open(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
            if isinstance(file, int) or not set(mode) & set("wax+"):
                return original(file, mode, *args, **options)
            return self._opening(
                file, None, lambda: original(file, mode, *args, **options), lambda opened: opened.close()
            )

        return call

    def _opening(self, path: Any, descriptor: int | None, do: Callable[[], Any], close: Callable[[Any], object]) -> Any:
        """What was opened for nobody is closed: a process that ends leaves nothing open."""
        opened: list[Any] = []

        def open_one() -> Any:
            opened.append(do())
            return opened[-1]

        try:
            return self._pass("open", path, descriptor, open_one)
        except BaseException:
            opened.append(None)
            raise
        finally:
            for one in opened[:-1]:
                close(one)

    def _flock(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Nobody may wait in the one thread that all share."""

        def call(file: Any, how: int) -> None:
            if current() is None or how & (fcntl.LOCK_NB | fcntl.LOCK_UN):
                return original(file, how)

            def got() -> bool:
                try:
                    original(file, how | fcntl.LOCK_NB)
                except BlockingIOError:
                    return False
                return True

            if not got():
                wait(got)
            return None

        return call

    def _pass(self, what: str, path: Any, descriptor: int | None, do: Callable[[], Any]) -> Any:
        task = current()
        if task is None:
            return do()
        full = os.fspath(path)
        full = os.fsdecode(full)
        if descriptor is not None:
            full = f"{Path(f'/proc/self/fd/{descriptor}').readlink()}/{full}"
        if full.startswith(self.own) and task.crashed:
            raise Crash
        if not full.startswith(self.efs):
            return do()
        where = stable(full.removeprefix(self.efs).lstrip("/"))
        try:
            return self.gate.passing(Effect(task.name, f"efs.{what}", _without_chance(where)), do)
        except (Refused, AnswerLost):
            raise OSError(self.gate.pick(_ERRORS), "the file server is away, or full", full) from None


def _without_chance(where: str) -> str:
    """A temporary file is called `.{name}.{chance}`."""
    folder, _, name = where.rpartition("/")
    if name.startswith(".") and name.count(".") > 1:
        name = f"{name.rpartition('.')[0]}.<chance>"
    return f"{folder}/{name}" if folder else name

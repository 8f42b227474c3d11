"""The log file of a worker: bounded, and with the lines that Lambda itself writes around an invocation."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MAX_BYTES = 2 * 1024 * 1024


class WorkerLog:
    """What a worker's process prints, between START and END of each request.

    Above `max_bytes` the file becomes `….log.1`, in place of the one before. That happens between two invocations only:
    one invocation is whole in one file, and the latest ones are always there.
    """

    def __init__(self, file: Path, max_bytes: int = MAX_BYTES) -> None:
        self.file = file
        self._max_bytes = max_bytes

    def open(self) -> BinaryIO:
        """For the process to write to. It must append, since the file is emptied while it is open."""
        self._turn()
        return self.file.open("ab")

    def start(self, request_id: str) -> None:
        """An invocation begins; its worker is idle still."""
        self._turn()
        self._write(f"START RequestId: {request_id} Version: $LATEST")

    def end(self, request_id: str, *, seconds: float, function_error: str | None) -> None:
        """An invocation has its result."""
        status = "success" if function_error is None else f"error\tError Type: {function_error}"
        self._write(f"END RequestId: {request_id}")
        self._write(f"REPORT RequestId: {request_id}\tDuration: {seconds * 1000:.2f} ms\tStatus: {status}")

    def _turn(self) -> None:
        # Copied and emptied, not renamed: the process would go on writing to the renamed file.
        if self.file.exists() and self.file.stat().st_size > self._max_bytes:
            shutil.copyfile(self.file, self.file.with_name(f"{self.file.name}.1"))
            os.truncate(self.file, 0)

    def _write(self, line: str) -> None:
        with self.file.open("ab") as file:
            file.write(f"{line}\n".encode())


@dataclass(frozen=True)
class InvocationLog:
    """The lines that one invocation left, and where they are."""

    file: Path
    lines: tuple[str, ...]


def find_invocation(folder: Path, request_id: str, function: str = "*") -> InvocationLog | None:
    """What the workers in this log folder wrote for a request, from START to REPORT, or to the end while it runs.

    Step Functions' history has the request id of every invocation: in the output of a task that succeeded
    (`SdkResponseMetadata.RequestId`), in the cause of one that failed. None once its log is gone.
    """
    for file in sorted(folder.glob(f"{function}-*.log*")):
        content = file.read_bytes()
        # Not the id alone: it is in the plan's key too, which the steps after the plan log.
        if f"START RequestId: {request_id} ".encode() in content:
            return InvocationLog(file, tuple(_lines_of(content.decode(errors="replace").splitlines(), request_id)))
    return None


def _lines_of(lines: list[str], request_id: str) -> Iterator[str]:
    inside = False
    for line in lines:
        if line.startswith("START RequestId: "):
            inside = line.split()[2] == request_id
        if inside:
            yield line
        if line.startswith(f"REPORT RequestId: {request_id}"):
            return

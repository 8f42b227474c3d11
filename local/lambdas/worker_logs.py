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
    """The lines that one invocation left, from START to REPORT, or to the end while it runs; and where they are."""

    request_id: str
    file: Path
    lines: tuple[str, ...]


def invocations(folder: Path, function: str = "*") -> Iterator[InvocationLog]:
    """What the workers of a function wrote in this log folder, invocation by invocation, each file from its start."""
    for file in sorted(folder.glob(f"{function}-*.log*")):
        lines: list[str] = []
        for line in file.read_text(errors="replace").splitlines():
            if line.startswith(_START) and lines:
                yield _invocation(file, lines)
                lines = []
            if lines or line.startswith(_START):
                lines.append(line)
        if lines:
            yield _invocation(file, lines)


def find_invocation(folder: Path, request_id: str, function: str = "*") -> InvocationLog | None:
    """What the workers wrote for a request; None once its log is gone.

    Step Functions' history has the request id of every invocation: in the output of a task that succeeded
    (`SdkResponseMetadata.RequestId`), in the cause of one that failed.
    """
    return next((one for one in invocations(folder, function) if one.request_id == request_id), None)


_START = "START RequestId: "


def _invocation(file: Path, lines: list[str]) -> InvocationLog:
    request_id = lines[0].removeprefix(_START).split()[0]
    end = next((place for place, line in enumerate(lines) if line.startswith("REPORT RequestId: ")), len(lines))
    return InvocationLog(request_id, file, tuple(lines[: end + 1]))

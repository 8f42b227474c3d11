"""The caller's side of the process that decodes deltas: one for this process, started when the first delta comes.

A delta in Arrow, SQLite or gzip meets native code of others. Whatever it makes of a stranger's bytes, it happens in a
process without credentials, and the answer is plain numbers and texts, which are checked here again.
"""

import atexit
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np

from receipt_chroma import errors
from receipt_chroma.delta.frames import Blob, frame, read_frame
from receipt_chroma.errors import DeltaReaderFailed, DeltaReaderUnavailable, DeltaRefused
from receipt_chroma.records import Record

_KEPT: Final = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ", "HOME", "TMPDIR", "COVERAGE_PROCESS_START")
_ALONE: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
_ATTEMPTS: Final = 2


class DeltaReader:
    """Decodes one delta at a time, for any number of threads. program: what Python is to run instead, for tests."""

    def __init__(self, *program: str) -> None:
        self._program = program or ("-m", "receipt_chroma.delta.child")
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def decode(self, form: str, collection: str, files: Mapping[str, bytes]) -> list[Record]:
        """The records of a delta's files: form "arrow" or "tar" (one file), or "directory".

        Raises subclasses of DeltaRefused, DeltaReaderUnavailable.
        """
        names = [[name, len(content)] for name, content in files.items()]
        parts = frame({"form": form, "collection": collection, "names": names}, *files.values())
        with self._lock:
            for _ in range(_ATTEMPTS):
                reply = self._ask(parts)
                if reply is not None:
                    return _records(*reply)
        raise DeltaReaderUnavailable("the process that reads deltas ended twice; look into the log for what it said")

    def close(self) -> None:
        """End the process; the next delta starts another one."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return  # of the process that this one was forked from
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        process.wait()

    def _ask(self, parts: list[Blob]) -> tuple[dict[str, Any], bytes] | None:
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.writelines(parts)
            process.stdin.flush()
            reply = read_frame(process.stdout)  # type: ignore[arg-type]
        except BrokenPipeError:
            reply = None
        if reply is None:
            self.close()
        return reply

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._owner != os.getpid():
            environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
            places = [str(Path(one).absolute()) for one in sys.path if one]
            environment |= {**_ALONE, "PYTHONPATH": os.pathsep.join(places)}
            self._process = subprocess.Popen(  # noqa: S603 -- Python itself, with our own arguments
                [sys.executable, *self._program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                cwd="/",
            )
            self._owner = os.getpid()
        return self._process


def _records(reply: dict[str, Any], blob: bytes) -> list[Record]:
    if "error" in reply:
        kind = getattr(errors, str(reply["error"]), None)
        known = isinstance(kind, type) and issubclass(kind, DeltaRefused)
        raise (kind if known else DeltaReaderFailed)(str(reply["message"]))  # type: ignore[misc]
    dimension, texts = int(reply["dimension"]), reply["records"]
    vectors = np.frombuffer(blob, "<f4").reshape(len(texts), dimension)
    return [
        Record(str(name), vector, text, metadata) for vector, (name, text, metadata) in zip(vectors, texts, strict=True)
    ]


delta_reader: Final = DeltaReader()
atexit.register(delta_reader.close)

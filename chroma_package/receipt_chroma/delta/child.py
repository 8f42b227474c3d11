"""The process that decodes deltas, and its only work: bytes of a stranger in, records or a refusal out.

Started by `reader`, without credentials and with nothing of the caller's. It loads pyarrow and numpy once, and forks
for every delta: what decodes is new, has bounds on memory, time and files that the kernel holds, and dies alone.
"""

import gc
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from receipt_chroma import errors
from receipt_chroma.delta.archive import Files, unpack
from receipt_chroma.delta.arrow import TEXTS, read_arrow_delta
from receipt_chroma.delta.bounds import (
    MAX_REPLY_BYTES,
    READ_CPU_SECONDS,
    READ_MEMORY,
    READ_WALL_SECONDS,
)
from receipt_chroma.delta.checks import check_bounds
from receipt_chroma.delta.directory import read_directory
from receipt_chroma.delta.frames import LENGTHS, Blob, frame, read_frame
from receipt_chroma.errors import DeltaReaderFailed, DeltaRefused, DeltaTooLarge
from receipt_chroma.records import Record

_CHUNK: Final = 1 << 20
_FILES_OPEN: Final = 32

DECODERS: Final[dict[str, Callable[[Files, str], list[Record]]]] = {
    "arrow": lambda files, _: read_arrow_delta(*files.values()),
    "tar": lambda files, collection: read_directory(unpack(*files.values()), collection),
    "directory": read_directory,
}


def answer(request: dict[str, Any], blob: bytes) -> list[Blob]:
    """The frame that answers a request. Every error of decoding is an answer: it is the delta's."""
    try:
        records = DECODERS[request["form"]](_files(request["names"], blob), request["collection"])
        check_bounds(records)
        return _frame_of(records)
    except DeltaRefused as error:
        return refusal(error)
    except MemoryError:
        return refusal(DeltaTooLarge(f"reading the delta takes more than {READ_MEMORY >> 20} MB"))
    except RecursionError:
        return refusal(errors.DeltaCorrupt("the delta is nested too deep"))
    except Exception as error:  # noqa: BLE001  # whatever it is, this delta brought it about
        return refusal(DeltaReaderFailed(f"{type(error).__name__}: {error}"))


def refusal(error: DeltaRefused) -> list[Blob]:
    """The frame of a refusal."""
    return frame({"error": type(error).__name__, "message": str(error)}, b"")


def _files(names: list[tuple[str, int]], blob: bytes) -> Files:
    files, place = {}, 0
    for name, size in names:
        files[name] = blob[place : place + size]
        place += size
    return files


def _frame_of(records: list[Record]) -> list[Blob]:
    lengths = {record.embedding.shape for record in records}
    if len(lengths) > 1:
        raise errors.DeltaCorrupt("the delta has vectors of several lengths")
    vectors = np.array([record.embedding for record in records], "<f4")
    texts = [[record.id, record.document, record.metadata] for record in records]
    head = {"records": texts, "dimension": vectors.shape[-1] if records else 0}
    return frame(head, vectors.reshape(-1).view("u1").data)


def _bound_this_process() -> None:
    if sys.platform == "linux":  # elsewhere the limit is not held, or counts otherwise
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + READ_MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES_OPEN, _FILES_OPEN))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (READ_CPU_SECONDS, READ_CPU_SECONDS + 1))


def _answer_in_a_fork(request: dict[str, Any], blob: bytes) -> list[Blob]:
    source, target = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(source)
            _bound_this_process()
            with os.fdopen(target, "wb") as pipe:
                pipe.writelines(answer(request, blob))
        finally:
            os._exit(0)
    os.close(target)
    with os.fdopen(source, "rb", buffering=0) as pipe:
        content = _read_all(pipe, child)
    _, status = os.waitpid(child, 0)
    if content is None:
        return refusal(DeltaTooLarge(f"reading the delta takes more than {READ_WALL_SECONDS} s"))
    if os.WIFSIGNALED(status):
        return refusal(_death(os.WTERMSIG(status)))
    if len(content) < LENGTHS.size or sum(LENGTHS.unpack_from(content)) != len(content) - LENGTHS.size:
        return refusal(DeltaTooLarge("reading the delta ended without an answer, for want of memory"))
    return [content]


def _read_all(pipe: BinaryIO | Any, child: int) -> bytearray | None:
    """All that comes; None, and the child killed, when it takes too long or never ends."""
    content, ends = bytearray(), time.monotonic() + READ_WALL_SECONDS
    while (left := ends - time.monotonic()) > 0 and len(content) <= MAX_REPLY_BYTES:
        if not select.select([pipe], [], [], left)[0]:
            break
        some = pipe.read(_CHUNK)
        if not some:
            return content
        content += some
    os.kill(child, signal.SIGKILL)
    return None


def _death(number: int) -> DeltaRefused:
    if number == signal.SIGXCPU:
        return DeltaTooLarge(f"reading the delta takes more than {READ_CPU_SECONDS} s of processor time")
    return DeltaReaderFailed(f"the process that read the delta ended with {signal.Signals(number).name}")


def _load_all() -> None:
    """Load what decoding needs, by decoding: a fork would load it again for every delta. No thread may be started."""
    import pyarrow as pa
    import pyarrow.types

    pa.set_cpu_count(1)
    columns = {name: ["upsert"] for name in TEXTS} | {"metadata": ["{}"], "embedding": [[1.0]]}
    sink = pa.BufferOutputStream()
    table = pa.table(columns)
    with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(use_threads=False)) as writer:
        writer.write_table(table)
    answer({"form": "arrow", "collection": "", "names": [["x", sink.tell()]]}, bytes(sink.getvalue()))


def main() -> None:
    """Answer requests until the caller is gone."""
    _load_all()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the caller decides when this ends
    gc.freeze()
    source, target = sys.stdin.buffer, sys.stdout.buffer
    while (request := read_frame(source)) is not None:
        target.writelines(_answer_in_a_fork(*request))
        target.flush()


if __name__ == "__main__":
    main()

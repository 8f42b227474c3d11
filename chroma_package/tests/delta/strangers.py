"""A good delta, ways to spoil it, and what reading it says."""

import gzip
import io
import pickle
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from receipt_chroma.delta.archive import gather
from receipt_chroma.delta.read import decode_delta
from receipt_chroma.records import Record

from ..chroma_files import chroma_directory, files_of
from ..samples import DIMENSION, RECEIPT, word

Files = dict[str, bytes]
GOOD = [word(1 + number // 10, 1 + number % 10, x=0.25, tags=["a", "b"]) for number in range(40)]


@cache
def _good_directory() -> tuple[tuple[str, bytes], ...]:
    with tempfile.TemporaryDirectory() as folder:
        return tuple(files_of(chroma_directory(Path(folder), GOOD, sync_threshold=20, batch_size=10)).items())


def good_directory() -> Files:
    """A Chroma directory of GOOD, its vectors in the index."""
    return dict(_good_directory())


def read(form: str, files: Mapping[str, bytes], dimension: int | None = DIMENSION) -> list[Record]:
    """What reading these files comes to; those of a directory as they come from wherever it lies."""
    there = gather(files.items(), "the directory") if form == "directory" else dict(files)
    return decode_delta(form, there, collection="words", receipt=RECEIPT, dimension=dimension)


def shown(records: list[Record]) -> list[Any]:
    """What counts of records."""
    return sorted((one.id, one.embedding.tobytes(), one.document, sorted(one.metadata.items())) for one in records)


def with_database(files: Files, change: Callable[[sqlite3.Connection], Any]) -> Files:
    """The files with another chroma.sqlite3."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chroma.sqlite3"
        path.write_bytes(files["chroma.sqlite3"])
        connection = sqlite3.connect(path, isolation_level=None)
        change(connection)
        connection.close()
        return {**files, "chroma.sqlite3": path.read_bytes()}


def with_sql(files: Files, *statements: str) -> Files:
    """The files after some SQL."""

    def run(connection: sqlite3.Connection) -> None:
        for statement in statements:
            connection.execute(statement)

    return with_database(files, run)


def index_file(files: Files, name: str) -> str:
    """The path of one of the index's files."""
    (found,) = [path for path in files if path.endswith(f"/{name}")]
    return found


def with_pickle(files: Files, change: Callable[[dict[str, Any]], Any]) -> Files:
    """The files with another index_metadata.pickle."""
    path = index_file(files, "index_metadata.pickle")
    state = pickle.loads(files[path])
    change(state)
    return {**files, path: pickle.dumps(state)}


def with_bytes(files: Files, name: str, at: int, content: bytes) -> Files:
    """The files with some bytes of an index file replaced."""
    path = index_file(files, name)
    return {**files, path: files[path][:at] + content + files[path][at + len(content) :]}


def tar(files: Mapping[str, bytes], *more: tuple[str, bytes, dict[str, str]], level: int = 6) -> Files:
    """A delta.tar.gz of files and of more members: name, content, pax headers."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz", compresslevel=level) as archive:
        for name, content, headers in [*((name, content, {}) for name, content in files.items()), *more]:
            info = tarfile.TarInfo(name)
            info.size, info.pax_headers = len(content), headers
            archive.addfile(info, io.BytesIO(content))
    return {"delta.tar.gz": sink.getvalue()}


def raw_tar(*blocks: bytes) -> Files:
    """A delta.tar.gz of these bytes."""
    return {"delta.tar.gz": gzip.compress(b"".join(blocks), 1)}


def tar_header(name: str, kind: bytes, size: int) -> bytes:
    """One header block."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def vectors(count: int, dimension: int = DIMENSION) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Vectors of ones and more."""
    return np.arange(1, 1 + count * dimension, dtype=np.float32).reshape(count, dimension)

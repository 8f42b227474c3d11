"""The largest deltas that are accepted, in every format, and what decoding them takes: docs/security.md states it."""

import json
import os
import pickle
import sqlite3
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from receipt_chroma.delta.bounds import (
    MAX_DELTA_BYTES,
    MAX_RECORDS,
    MAX_REPLY_BYTES,
    MAX_TEXTS_BYTES,
    MAX_VECTOR_BYTES,
    READ_MEMORY,
)
from receipt_chroma.delta.read import delta_reader
from receipt_chroma.delta.write import write_arrow_delta
from receipt_chroma.records import Record
from receipt_dynamo_stream.keys import word_record_id

from ..samples import RECEIPT
from .strangers import GOOD, Files, good_directory, index_file, read, tar, with_database

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")]
BOUND = MAX_DELTA_BYTES + READ_MEMORY + MAX_REPLY_BYTES
DIMENSION, TEXT = MAX_VECTOR_BYTES // MAX_RECORDS // 4, 160
LINKS = 32
ROOM = MAX_RECORDS * 8 // 5  # elements that an index's file has room for: with it a directory comes to 60 MB
IDS = [word_record_id(RECEIPT, 1 + n // 100, 1 + n % 100) for n in range(MAX_RECORDS)]


def many(dimension: int, text: int) -> list[Record]:
    """As many records as a delta may have, each with so many characters of document and as many of metadata."""
    vectors = np.random.default_rng(1).standard_normal((MAX_RECORDS, dimension), np.float32)
    return [
        Record(one, vector, "x" * text, {f"k{key}": "y" * (text // 20) for key in range(20)})
        for one, vector in zip(IDS, vectors, strict=True)
    ]


def directory(dimension: int, text: int, *, queued: bool) -> Files:
    """A directory that chromadb would write of `many`, made without its graph, which nothing follows."""
    records = many(dimension, text)

    def change(connection: sqlite3.Connection) -> None:
        (segment,) = connection.execute("SELECT id FROM segments WHERE scope = 'METADATA'").fetchone()
        (topic,) = connection.execute("SELECT 'persistent://default/default/' || id FROM collections").fetchone()
        for table in ("embeddings_queue", "embeddings", "embedding_metadata", "embedding_metadata_array"):
            connection.execute(f"DELETE FROM {table}")
        connection.execute("BEGIN")
        connection.execute("UPDATE collections SET dimension = ?", (dimension,))
        rows = [(number, segment, one.id, number) for number, one in enumerate(records, 1)]
        connection.executemany("INSERT INTO embeddings (id, segment_id, embedding_id, seq_id) VALUES (?,?,?,?)", rows)
        values = [
            (number, key, value)
            for number, one in enumerate(records, 1)
            for key, value in {"chroma:document": one.document, **one.metadata}.items()
        ]
        connection.executemany("INSERT INTO embedding_metadata (id, key, string_value) VALUES (?,?,?)", values)
        connection.execute("DELETE FROM max_seq_id")
        connection.execute("INSERT INTO max_seq_id VALUES (?,?)", (segment, MAX_RECORDS))
        if queued:
            connection.executemany(
                "INSERT INTO embeddings_queue (seq_id, operation, topic, id, vector, encoding, metadata)"
                " VALUES (?,2,?,?,?,'FLOAT32',NULL)",
                ((n, topic, one.id, one.embedding.tobytes()) for n, one in enumerate(records, 1)),
            )
            connection.execute("CREATE TABLE not_read (x)")
            connection.executemany("INSERT INTO not_read SELECT randomblob(1 << 20)", [()] * 10)
        connection.execute("COMMIT")
        connection.execute("VACUUM")

    files = with_database(good_directory(), change)
    names = {
        name: index_file(files, name) for name in ("header.bin", "data_level0.bin", "length.bin", "link_lists.bin")
    }
    names["pickle"] = index_file(files, "index_metadata.pickle")
    header = struct.Struct("<iQQQQQQiIQQQdQ")
    said = list(header.unpack(files[names["header.bin"]]))
    vector_at = 4 + 4 * LINKS
    label_at = vector_at + 4 * dimension
    if queued:
        return {name: content for name, content in files.items() if name not in names.values()}
    layout = {"names": ["links", "vector", "label"], "formats": [("u1", vector_at), ("<f4", dimension), "<u8"]}
    elements = np.zeros(ROOM, np.dtype(layout))  # type: ignore[call-overload]
    elements["vector"][:MAX_RECORDS] = [one.embedding for one in records]
    elements["label"] = np.arange(1, ROOM + 1)
    said[2:7] = [ROOM, MAX_RECORDS, label_at + 8, label_at, vector_at]
    state = {
        "dimensionality": dimension,
        "total_elements_added": MAX_RECORDS,
        "max_seq_id": MAX_RECORDS,
        "id_to_label": {one: n for n, one in enumerate(IDS, 1)},
        "label_to_id": dict(enumerate(IDS, 1)),
        "id_to_seq_id": {},
    }
    return files | {
        names["header.bin"]: header.pack(*said),
        names["data_level0.bin"]: elements.tobytes(),
        names["length.bin"]: bytes(4 * ROOM),
        names["link_lists.bin"]: bytes(4 * MAX_RECORDS),
        names["pickle"]: pickle.dumps(state),
    }


def dense(value: Any) -> list[Record]:
    """As many values in metadata as its bytes have room for."""
    room = MAX_TEXTS_BYTES // MAX_RECORDS - len(IDS[0]) - len('{"k": []}')
    values = [value] * (room // len(json.dumps([value, value])[1:-2]))
    return [replace(one, document=None, metadata={"k": values}) for one in many(DIMENSION, 0)]


LARGEST: dict[str, tuple[str, Callable[[], Files]]] = {
    "arrow": ("arrow", lambda: {"delta.arrow": write_arrow_delta(many(DIMENSION, TEXT))}),
    "arrow, floats in lists": ("arrow", lambda: {"delta.arrow": write_arrow_delta(dense(0.5))}),
    "arrow, numbers in lists": ("arrow", lambda: {"delta.arrow": write_arrow_delta(dense(1))}),
    "objects, vectors in the index": ("directory", lambda: directory(DIMENSION, TEXT, queued=False)),
    "objects, vectors in the queue": ("directory", lambda: directory(DIMENSION, TEXT, queued=True)),
    "tar, vectors in the index": ("tar", lambda: tar(directory(DIMENSION, TEXT, queued=False), level=1)),
    "tar, vectors in the queue": ("tar", lambda: tar(directory(DIMENSION, TEXT, queued=True), level=1)),
}


def memory(pid: int | str) -> int:
    """Bytes of a process and of what it forked, each page counted once."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (OSError, ProcessLookupError):
        return 0
    pss = next((int(line.split()[1]) << 10 for line in rollup.splitlines() if line.startswith("Pss:")), 0)
    return pss + sum(map(memory, children))


def seconds(pid: int) -> float:
    """Processor time of this process, and of a process with all that it forked and has seen end."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]
    return time.process_time() + sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def reader_pid() -> Iterator[int]:
    delta_reader.close()
    read("arrow", {"delta.arrow": write_arrow_delta(GOOD)})
    assert delta_reader._process is not None
    yield delta_reader._process.pid
    delta_reader.close()


@pytest.mark.parametrize("name", LARGEST)
def test_the_largest_delta_of_each_format_is_read_within_the_bounds_that_are_stated(name: str, reader_pid: int) -> None:
    form, build = LARGEST[name]
    files = build()
    idle, seen, done, began = memory(reader_pid), [0], threading.Event(), seconds(reader_pid)

    def watch() -> None:
        while not done.wait(0.02):
            seen.append(memory(reader_pid))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        records = read(form, files, None)
    finally:
        done.set()
        watching.join()
    took = seconds(reader_pid) - began
    size = sum(map(len, files.values())) / 1e6
    print(f"{name}: {size:.0f} MB, {took:.2f} CPU seconds, {(max(seen) - idle) >> 20} MB more than an idle reader")
    assert len(records) == MAX_RECORDS
    assert 0 < max(seen) - idle <= BOUND

"""Good deltas in every spelling are read as their model; damaged ones are records that could be meant, or refused.

A damage that a format has a checksum for is found. The fast suite tries 2,000 deltas, `make fuzz` 100,000.
"""

import io
import sqlite3
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from receipt_chroma.delta.arrow import encode_arrow
from receipt_chroma.delta.bounds import READ_CPU_SECONDS
from receipt_chroma.delta.reader import delta_reader
from receipt_chroma.errors import DeltaReaderFailed, DeltaRefused
from receipt_chroma.records import Record, normal_metadata
from receipt_dynamo_stream.keys import parse_record_id

from ..samples import DIMENSION, RECEIPT, word
from .strangers import GOOD, Files, good_directory, index_file, read, shown, tar

CASES = 2_000
MANY = 100_000
TABLES = {
    "collections": ("id", "name", "dimension", "config_json_str", "schema_str"),
    "segments": ("id", "scope", "collection", "type"),
    "max_seq_id": ("segment_id", "seq_id"),
    "embeddings": ("id", "segment_id", "embedding_id", "seq_id"),
    "embedding_metadata": ("id", "key", "string_value", "int_value", "float_value", "bool_value"),
    "embedding_metadata_array": ("id", "key", "string_value", "int_value", "bool_value"),
    "embeddings_queue": ("seq_id", "operation", "topic", "id", "vector", "encoding", "metadata"),
    "collection_metadata": ("key", "str_value"),
}
numbers = st.sampled_from([0, 1, 2, 7, 255, 1 << 15, 1 << 31, (1 << 32) - 1, 1 << 62, (1 << 63) - 1])
values = st.sampled_from(
    [
        *("NULL", "0", "-1", "1.5", "9e999", "''", "'x'", "x'00'", "x'0000000000000001'", "4611686018427387904", "'{'"),
        *('\'{"space": "ip"}\'', "zeroblob(2000000)", "char(0, 10, 55357)", "randomblob(32)", "CAST(x'ff' AS TEXT)"),
    ]
)
Damage = Callable[[Files], Files]


@cache
def queued_directory() -> Files:
    """A directory whose vectors are in the queue, and some in the index as well."""
    files = dict(good_directory())
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.deserialize(files["chroma.sqlite3"])
    (topic,) = connection.execute("SELECT 'persistent://default/default/' || id FROM collections").fetchone()
    insert = (
        "INSERT INTO embeddings_queue (seq_id, operation, topic, id, vector, encoding, metadata) VALUES (?,?,?,?,?,?,?)"
    )
    for place, one in enumerate([*GOOD[:3], word(9, 9)], start=1000):
        row = (place, 2, topic, one.id, one.embedding.tobytes(), "FLOAT32", '{"text": "ANEW", "n": null, "l": [1, 2]}')
        connection.execute(insert, row)
    connection.execute(insert, (2000, 3, topic, GOOD[5].id, None, None, "{}"))
    return {**files, "chroma.sqlite3": connection.serialize()}


def arrow() -> Files:
    return {"delta.arrow": encode_arrow(GOOD)}


def plain_arrow() -> Files:
    """Without compression, and in several batches: more bytes have a meaning."""
    table = pa.ipc.open_file(arrow()["delta.arrow"]).read_all()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=15)
    return {"delta.arrow": bytes(sink.getvalue())}


BUILT: dict[str, tuple[str, Callable[[], Files]]] = {
    "arrow": ("arrow", cache(arrow)),
    "plain arrow": ("arrow", cache(plain_arrow)),
    "tar": ("tar", cache(lambda: tar(good_directory()))),
    "tar of stored bytes": ("tar", cache(lambda: tar(good_directory(), level=0))),
    "directory": ("directory", good_directory),
    "directory with a queue": ("directory", queued_directory),
}


@st.composite
def byte_damages(draw: st.DrawFn) -> Damage:
    """One file has other bytes: flipped, cut, repeated, or numbers in their place."""
    place, kind = draw(st.floats(0, 1, exclude_max=True)), draw(st.sampled_from(["flip", "cut", "twice", "u32", "u64"]))
    which, bit, number = draw(st.integers(0, 9)), draw(st.integers(0, 7)), draw(numbers)

    def damage(files: Files) -> Files:
        name = sorted(files)[which % len(files)]
        content = bytearray(files[name])
        if not content:
            return files
        at = int(place * len(content))
        if kind == "flip":
            content[at] ^= 1 << bit
        elif kind == "cut":
            del content[at:]
        elif kind == "twice":
            content[at:at] = content[at : at + 512]
        else:
            packed = struct.pack("<Q", number)[: 4 if kind == "u32" else 8]
            content[at : at + len(packed)] = packed
        return {**files, name: bytes(content)}

    return damage


@st.composite
def table_damages(draw: st.DrawFn) -> Damage:
    """The database says something else, in SQL."""
    table = draw(st.sampled_from(sorted(TABLES)))
    column = draw(st.sampled_from(TABLES[table]))
    value, every = draw(values), draw(st.integers(1, 7))
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    statement = draw(
        st.sampled_from(
            [
                f"UPDATE {table} SET {column} = {value} WHERE rowid % {every} = 0",
                f"UPDATE OR REPLACE {table} SET {column} = {value}",
                f"DELETE FROM {table} WHERE rowid % {every} = 0",
                f"DROP TABLE {table}",
                f"ALTER TABLE {table} RENAME TO other",
                f"ALTER TABLE {table} RENAME COLUMN {column} TO other",
                f"ALTER TABLE {table} ADD COLUMN more AS ({value})",
                f"INSERT OR IGNORE INTO {table} ({column}) VALUES ({value})",
                f"CREATE VIEW other AS {endless} SELECT i FROM n",
                f"CREATE INDEX other ON {table} ({column}) WHERE {column} > {value}",
                f"CREATE TABLE other AS SELECT * FROM {table}",
                "PRAGMA writable_schema = 1; UPDATE sqlite_master SET sql = replace(sql, 'TEXT', 'BLOB')",
                "PRAGMA writable_schema = 1; UPDATE sqlite_master SET rootpage = rootpage + 1 WHERE rootpage > 1",
                f"PRAGMA writable_schema = 1; UPDATE sqlite_master SET type = 'view' WHERE name = '{table}'",
                f"PRAGMA writable_schema = 1; UPDATE sqlite_master SET sql = '{endless.replace('n(i)', 'm(i)')}'",
            ]
        )
    )

    def damage(files: Files) -> Files:
        if not files.get("chroma.sqlite3"):  # SQLite has no memory for a database of nothing
            return files
        connection = sqlite3.connect(":memory:", isolation_level=None)
        with suppress(sqlite3.Error, UnicodeError):  # a database damaged before: its messages need not be text
            connection.deserialize(files["chroma.sqlite3"])
            connection.executescript(statement)
        content = files["chroma.sqlite3"]
        with suppress(sqlite3.Error):
            content = connection.serialize()
        connection.close()
        return {**files, "chroma.sqlite3": content}

    return damage


@st.composite
def index_damages(draw: st.DrawFn) -> Damage:
    """A number of the index's header, an element or the pickle is another one."""
    name = draw(st.sampled_from(["header.bin", "data_level0.bin", "link_lists.bin", "index_metadata.pickle"]))
    at, number, size = draw(st.integers(0, 300)), draw(numbers), draw(st.sampled_from([1, 4, 8]))

    def damage(files: Files) -> Files:
        if len(files) < 2 or not any(path.endswith(f"/{name}") for path in files):
            return files
        path = index_file(files, name)
        return {**files, path: files[path][:at] + struct.pack("<Q", number)[:size] + files[path][at + size :]}

    return damage


@st.composite
def name_damages(draw: st.DrawFn) -> Damage:
    """A file is missing, or has another name."""
    which = draw(st.integers(0, 9))
    name = draw(st.none() | st.sampled_from(["x", "a/chroma.sqlite3", "é\n", "d/" * 200, "chroma.sqlite3-journal"]))

    def damage(files: Files) -> Files:
        old = sorted(files)[which % len(files)]
        if len(files) < 2:
            return files
        return {(name if one == old and name else one): files[one] for one in files if one != old or name}

    return damage


damages = st.lists(byte_damages() | table_damages() | index_damages() | name_damages(), min_size=1, max_size=3)


def outcome(form: str, files: Files) -> list[Record] | None:
    """The records, which are a delta's; None for a refusal, which has a name and is no fault of ours."""
    began = time.monotonic()
    try:
        records = read(form, files, dimension=None)
    except DeltaReaderFailed:
        raise
    except DeltaRefused as error:
        event(type(error).__name__)
        return None
    finally:
        assert time.monotonic() - began < 10 * READ_CPU_SECONDS, "the machine may be busy, but not so much"
    event("read")
    for one in records:
        assert parse_record_id(one.id).receipt == RECEIPT
        assert one.embedding.dtype == np.float32
        assert np.isfinite(one.embedding).all()
        assert one.metadata == normal_metadata(one.metadata)
    return records


def check_damaged(built: str, some: list[Damage], inside: bool) -> None:
    form, make = BUILT[built]
    files = make()
    if form == "tar" and inside:  # what is in the tar is damaged, and packed as it should be
        files = dict(good_directory())
        for damage in some:
            files = damage(files)
        assert_same_as_loose(files)
        return
    for damage in some:
        files = damage(files)
    records = outcome(form, files)
    if form == "tar" and records is not None:
        assert shown(records) == shown(GOOD), "gzip has a checksum"


def assert_same_as_loose(files: Files) -> None:
    loose, packed = outcome("directory", files), outcome("tar", tar(files, level=1))
    assert (loose is None) == (packed is None)
    assert loose is None or packed is None or shown(loose) == shown(packed)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
keys = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="#$"), min_size=1, max_size=6).filter(
    lambda key: not key.startswith("chroma:") and key != "row_line_ids"
)
scalars = texts | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False, width=32)
finite = scalars.filter(lambda value: value not in (float("inf"), float("-inf")))
metadata = st.dictionaries(keys, finite | st.lists(texts, min_size=1, max_size=3), max_size=4)
OWNED = {"valid_labels_array", "invalid_labels_array", "label_status", "label_confidence", "merchant_name"}


@st.composite
def spelled(draw: st.DrawFn) -> tuple[list[Record], bytes]:
    """Records, and an Arrow file that an ordinary writer might make of them."""
    count, dimension = draw(st.integers(0, 6)), draw(st.integers(1, 9))
    floats = st.floats(-1e6, 1e6, width=32)
    vectors = [draw(st.lists(floats, min_size=dimension, max_size=dimension).filter(any)) for _ in range(count)]
    records = [
        Record(word(1, 1 + n).id, np.array(vector, np.float32), draw(st.none() | texts), draw(metadata))
        for n, vector in enumerate(vectors)
    ]
    table = pa.ipc.open_file(encode_arrow(records)).read_all()
    for name in draw(st.lists(st.sampled_from(["id", "document", "metadata", "op"]), unique=True)):
        kind = draw(st.sampled_from([pa.large_string(), pa.string_view(), "dictionary"]))
        column = table.column(name)
        changed = column.dictionary_encode() if kind == "dictionary" else column.cast(kind)
        table = table.set_column(table.schema.get_field_index(name), name, changed)
    if vectors and draw(st.booleans()):
        kind = draw(
            st.sampled_from([pa.list_(pa.float64()), pa.large_list(pa.float32()), pa.list_(pa.float64(), dimension)])
        )
        changed = pa.array([one.embedding.tolist() for one in records], kind)
        table = table.set_column(table.schema.get_field_index("embedding"), "embedding", changed)
    table = table.select(draw(st.permutations(table.column_names)))
    sink = io.BytesIO()
    compression = draw(st.sampled_from([None, "zstd", "lz4"]))
    options = pa.ipc.IpcWriteOptions(compression=compression, emit_dictionary_deltas=draw(st.booleans()))
    unified = table.combine_chunks()
    with pa.ipc.new_file(sink, unified.schema, options=options) as writer:
        writer.write_table(unified, max_chunksize=draw(st.integers(1, 7)))
    return records, sink.getvalue()


def check_spelled(case: tuple[list[Record], bytes]) -> None:
    records, content = case
    found = read("arrow", {"delta.arrow": content}, dimension=None)
    model = [
        Record(one.id, one.embedding, one.document, normal_metadata(one.metadata, ignored=OWNED)) for one in records
    ]
    assert [shown([one]) for one in found] == [shown([one]) for one in model]


def cases(examples: int) -> Any:
    return settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@pytest.mark.timeout(600)
@cases(CASES * 3 // 4)
@given(st.sampled_from(sorted(BUILT)), damages, st.booleans())
def test_a_damaged_delta_is_records_or_a_refusal(built: str, some: list[Damage], inside: bool) -> None:
    check_damaged(built, some, inside)


@pytest.mark.timeout(600)
@cases(CASES // 4)
@given(spelled())
def test_a_good_delta_in_any_spelling_is_its_model(case: tuple[list[Record], bytes]) -> None:
    check_spelled(case)


@pytest.mark.slow
@pytest.mark.timeout(7_200)
@cases(MANY * 3 // 4)
@given(st.sampled_from(sorted(BUILT)), damages, st.booleans())
def test_many_damaged_deltas_are_records_or_refusals(built: str, some: list[Damage], inside: bool) -> None:
    check_damaged(built, some, inside)


@pytest.mark.slow
@pytest.mark.timeout(7_200)
@cases(MANY // 4)
@given(spelled())
def test_many_good_deltas_in_any_spelling_are_their_model(case: tuple[list[Record], bytes]) -> None:
    check_spelled(case)


def test_the_reader_has_lived_through_it() -> None:
    """No delta ends the process that starts the others."""
    read("arrow", arrow())
    before = delta_reader._process
    with suppress(DeltaRefused):
        read("directory", {"chroma.sqlite3": b"SQLite format 3\0"})
    assert delta_reader._process is before is not None
    assert before.poll() is None


def test_the_good_ones_are_good() -> None:
    for form, make in BUILT.values():
        assert len(read(form, make(), dimension=DIMENSION)) == len(GOOD)

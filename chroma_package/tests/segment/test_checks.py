"""A good segment, damaged in every way that a check has a name for."""

import json
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from receipt_chroma.digests import add_digests
from receipt_chroma.errors import SegmentInvalid
from receipt_chroma.records import Record, content_of, record_hash
from receipt_chroma.segment.checks import SEGMENT_CHECKS, check_segment
from receipt_chroma.segment.content import Segment
from receipt_chroma.segment.file import FORMAT, encode_segment
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.sharding import shard_of

from ..samples import DIMENSION, receipt, row, vector, word

SHARDS = 3
HERE = [one for one in map(receipt, range(60)) if shard_of(one.image_id, one.receipt_id, SHARDS) == 1]
ELSEWHERE = max(one for one in map(receipt, range(60)) if shard_of(one.image_id, one.receipt_id, SHARDS) == 2)
A, B, C = sorted(HERE[:3])
GOOD = {A.key: [word(1, n, of=A) for n in range(1, 6)], B.key: [word(1, 1, of=B, document=None)], C.key: []}
CONTENT = encode_segment(Segment.of(GOOD))

Row = dict[str, Any]
Rows = list[Row]


def check(content: bytes, *, collection: str = "words", dimension: int | None = DIMENSION) -> Segment:
    return check_segment(content, collection=collection, shard=1, shards=SHARDS, dimension=dimension)


def problem(content: bytes, **expected: Any) -> str:
    with pytest.raises(SegmentInvalid) as refused:
        check(content, **expected)
    assert refused.value.problem in SEGMENT_CHECKS
    return refused.value.problem


def damaged(change: Callable[[Rows], None], schema: pa.Schema | None = None) -> bytes:
    """The good file with its rows changed as Python values; written with Arrow alone, whatever we would refuse."""
    table = pa.ipc.open_file(CONTENT).read_all()
    rows = table.to_pylist()
    change(rows)
    return file_of(pa.Table.from_pylist(rows, schema or table.schema))


def file_of(table: pa.Table, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, **options)
    return bytes(sink.getvalue())


def reckoned(rows: Rows) -> None:
    """Make every index entry agree with its records: the damage must not be found by the digest alone."""
    for one in rows:
        one["digest"] = add_digests(*(record_hash(record_of(record)) for record in one["records"]))


def record_of(record: Row) -> Record:
    embedding = np.array(record["embedding"], np.float32)
    return Record(record["id"], embedding, record["document"], json.loads(record["metadata"]))


def test_a_good_segment_is_returned() -> None:
    segment = check(CONTENT)
    assert [one.key for one in segment.receipts] == [A.key, B.key, C.key]
    assert len(segment.records) == 6


def test_the_damage_tool_itself_damages_nothing() -> None:
    assert check(damaged(reckoned)).receipts == check(CONTENT).receipts


def test_a_segment_without_records_has_any_dimension() -> None:
    gone = encode_segment(Segment.of({A.key: []}))
    assert check(gone).dimension is None
    assert check(gone, dimension=None).dimension is None


def test_a_collection_that_saw_no_vector_yet_takes_any_dimension() -> None:
    assert check(CONTENT, dimension=None).dimension == DIMENSION


def test_rows_of_the_lines_collection_are_checked_as_lines() -> None:
    lines = encode_segment(Segment.of({A.key: [row(1, of=A), row(2, of=A)]}))
    assert len(check(lines, collection="lines").records) == 2
    assert problem(lines) == "foreign"
    assert problem(CONTENT, collection="lines") == "foreign"


def set_record(row_number: int, number: int, **values: Any) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        rows[row_number]["records"][number] |= values
        reckoned(rows)

    return change


def set_row(row_number: int, **values: Any) -> Callable[[Rows], None]:
    return lambda rows: rows[row_number].update(values)


def unchanged(rows: Rows) -> None:
    pass


def repeat(rows: Rows) -> None:
    rows[0]["records"].insert(1, dict(rows[0]["records"][0]))
    reckoned(rows)


def repeat_far_apart(rows: Rows) -> None:
    rows[0]["records"].append(dict(rows[0]["records"][0]))
    reckoned(rows)


def swap_records(rows: Rows) -> None:
    rows[0]["records"].reverse()


def move_record(rows: Rows) -> None:
    rows[1]["records"].append(rows[0]["records"].pop())
    reckoned(rows)


def swap_vectors(rows: Rows) -> None:
    first, second = rows[0]["records"][:2]
    first["embedding"], second["embedding"] = second["embedding"], first["embedding"]


def drop_record(rows: Rows) -> None:
    del rows[0]["records"][2]


def swap_digests(rows: Rows) -> None:
    rows[0]["digest"], rows[1]["digest"] = rows[1]["digest"], rows[0]["digest"]


NAN = [float("nan")] + [0.0] * (DIMENSION - 1)
DAMAGES: dict[str, tuple[str, Callable[[Rows], None]]] = {
    "an index entry is missing while its records are in another": ("foreign", move_record),
    "an id of another receipt": ("foreign", set_record(0, 0, id=word(1, 1, of=ELSEWHERE).id)),
    "an id that is none": ("foreign", set_record(0, 0, id="word 1")),
    "an id of a line": ("foreign", set_record(0, 0, id=row(1, of=A).id)),
    "an empty id": ("foreign", set_record(0, 0, id="")),
    "a receipt of another shard": ("foreign", set_row(2, receipt=ELSEWHERE.key)),
    "a record twice": ("repeated", repeat),
    "a record twice, others between": ("repeated", repeat_far_apart),
    "records in another order": ("order", swap_records),
    "an index entry twice": ("receipts", lambda rows: rows.insert(2, {**rows[1], "records": [], "digest": "0" * 64})),
    "index entries in another order": ("receipts", lambda rows: rows.reverse()),
    "an index entry that is no receipt": ("receipts", set_row(0, receipt="receipt 1")),
    "a vector of zeros": ("vector", set_record(0, 1, embedding=[0.0] * DIMENSION)),
    "a vector that is not a number": ("vector", set_record(0, 1, embedding=NAN)),
    "an infinite vector": ("vector", set_record(0, 1, embedding=[float("-inf")] * DIMENSION)),
    "metadata that is no JSON": ("metadata", lambda rows: rows[0]["records"][0].update(metadata="{")),
    "metadata that is a list": ("metadata", lambda rows: rows[0]["records"][0].update(metadata="[]")),
    "metadata nested beyond reading": ("metadata", lambda rows: rows[0]["records"][0].update(metadata="[" * 100_000)),
    "a metadata value that is null": ("metadata", set_record(0, 0, metadata='{"k":null}')),
    "a metadata value that is no number": ("metadata", set_record(0, 0, metadata='{"k":NaN}')),
    "a reserved metadata key": ("metadata", set_record(0, 0, metadata='{"#k":1}')),
    "a float with too many digits": ("metadata", set_record(0, 0, metadata='{"k":0.30000000000000004}')),
    "a negative zero": ("metadata", set_record(0, 0, metadata='{"k":-0.0}')),
    "an empty list in metadata": ("metadata", set_record(0, 0, metadata='{"k":[]}')),
    "a text with half a surrogate pair": ("metadata", set_record(0, 0, metadata='{"k":"\\ud800"}')),
    "a changed document": ("digest", lambda rows: rows[0]["records"][0].update(document="BREAD")),
    "a document that is gone": ("digest", lambda rows: rows[0]["records"][0].update(document=None)),
    "changed metadata": ("digest", lambda rows: rows[0]["records"][0].update(metadata="{}")),
    "one bit of a vector": (
        "digest",
        lambda rows: rows[0]["records"][0].update(embedding=[*vector(9)[:1].tolist(), *vector(101)[1:].tolist()]),
    ),
    "two vectors exchanged": ("digest", swap_vectors),
    "a record left out": ("digest", drop_record),
    "records of a receipt that the index calls gone": ("digest", set_row(0, digest="0" * 64)),
    "a receipt emptied that the index does not call gone": ("digest", set_row(0, records=[])),
    "two digests exchanged": ("digest", swap_digests),
    "a digest that is none": ("digest", set_row(0, digest="")),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_segment_is_refused_by_name(name: str) -> None:
    expected, change = DAMAGES[name]
    assert problem(damaged(change)) == expected


def test_another_dimension_is_refused() -> None:
    assert problem(CONTENT, dimension=DIMENSION + 1) == "dimension"


SCHEMA = pa.ipc.open_file(CONTENT).schema
RECORD = SCHEMA.field("records").type.value_type


def with_record_field(name: str, kind: pa.DataType) -> pa.Schema:
    fields = [pa.field(one.name, kind, one.nullable) if one.name == name else one for one in RECORD]
    return SCHEMA.set(2, pa.field("records", pa.list_(pa.field("item", pa.struct(fields), False)), False))


def good_table() -> pa.Table:
    return pa.ipc.open_file(CONTENT).read_all()


@pytest.mark.parametrize(
    "content",
    [
        file_of(good_table().drop_columns(["digest"])),
        file_of(good_table().append_column("more", pa.array([1, 2, 3]))),
        file_of(good_table().select(["digest", "receipt", "records"])),
        file_of(good_table().replace_schema_metadata({b"format": b"segment 2"})),
        file_of(good_table().replace_schema_metadata(None)),
        file_of(good_table(), max_chunksize=1),
        damaged(unchanged, with_record_field("embedding", pa.list_(pa.float64(), DIMENSION))),
        damaged(unchanged, with_record_field("embedding", pa.list_(pa.float32()))),
        damaged(unchanged, with_record_field("metadata", pa.large_string())),
        damaged(lambda rows: rows[0]["records"][0].update(id=None)),
        damaged(lambda rows: rows[0]["records"][0].update(metadata=None)),
        damaged(lambda rows: rows[0]["records"][0]["embedding"].__setitem__(0, None)),
        damaged(lambda rows: rows[0]["records"].__setitem__(0, None)),
        damaged(lambda rows: rows[0].update(records=None)),
        damaged(lambda rows: rows[0].update(receipt=None)),
        file_of(pa.table({"a": [1]})),
    ],
    ids=range(16),
)
def test_another_shape_is_refused(content: bytes) -> None:
    assert problem(content) == "schema"


@pytest.mark.parametrize(
    ("offsets", "expected"),
    [((0, 4, 5, 5), "schema"), ((1, 5, 6, 6), "schema"), ((0, 5, 6, 60), "unreadable"), ((0, 6, 5, 6), "unreadable")],
)
def test_lists_that_do_not_end_where_the_records_do_are_refused(offsets: tuple[int, ...], expected: str) -> None:
    written = struct.pack("<4i", 0, 5, 6, 6)
    assert CONTENT.count(written) == 1
    assert problem(CONTENT.replace(written, struct.pack("<4i", *offsets))) == expected


def test_text_that_is_no_utf8_is_refused() -> None:
    assert problem(CONTENT.replace(b"MILK", b"MI\xff\xfe", 1)) == "unreadable"


def test_every_truncation_is_refused() -> None:
    for length in range(0, len(CONTENT), max(1, len(CONTENT) // 60)):
        assert problem(CONTENT[:length]) == "unreadable"


def test_bytes_behind_the_end_are_refused() -> None:
    assert problem(CONTENT + b"\0") == "unreadable"


@given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_changes_nothing(position: int, change: int) -> None:
    content = bytearray(CONTENT)
    content[position] ^= change
    with suppress(SegmentInvalid):
        assert check(bytes(content)).receipts == check(CONTENT).receipts


def test_the_index_of_a_good_segment_is_what_its_records_come_to() -> None:
    segment = check(CONTENT)
    by_receipt = segment.by_receipt()
    assert segment.receipts == tuple(content_of(key, records) for key, records in by_receipt.items())
    assert all(ReceiptId.parse(key) for key in by_receipt)
    assert FORMAT in CONTENT

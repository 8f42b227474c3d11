"""Good deltas in every spelling are read as their model; damaged ones are records that could be meant, or refused.

A damage that a format has a checksum for is found. The fast suite tries 2,000 deltas, `make fuzz` 100,000.
"""

import io
import sqlite3
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
from .damages import Damage, damages
from .strangers import GOOD, Files, good_directory, read, shown, tar

CASES = 600
MANY = 100_000


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


def outcome(form: str, files: Files) -> list[Record] | DeltaRefused:
    """The records, which are a delta's; or a refusal, which has a name and is no fault of ours."""
    began = time.monotonic()
    try:
        records = read(form, files, dimension=None)
    except DeltaReaderFailed:
        raise
    except DeltaRefused as error:
        event(type(error).__name__)
        return error
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
            files = damage.to(files)
        assert_same_as_loose(files)
        return
    for damage in some:
        files = damage.to(files)
    records = outcome(form, files)
    if form == "tar" and not isinstance(records, DeltaRefused):
        assert shown(records) == shown(GOOD), "gzip has a checksum"


def assert_same_as_loose(files: Files) -> None:
    """Alike, but within some KB of the bound of bytes: a tar's own blocks count among what it unpacks to."""
    loose, packed = outcome("directory", files), outcome("tar", tar(files, level=1))
    assert said(loose) == said(packed), f"loose {told(loose)}, in a tar {told(packed)}"


def said(found: list[Record] | DeltaRefused) -> list[Any] | None:
    """What counts of an outcome; one refusal is as good as another: which is found first depends on the format."""
    return None if isinstance(found, DeltaRefused) else shown(found)


def told(found: list[Record] | DeltaRefused) -> str:
    """An outcome in words."""
    return repr(found) if isinstance(found, DeltaRefused) else f"{len(found)} records"


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

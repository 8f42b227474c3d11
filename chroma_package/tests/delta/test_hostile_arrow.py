"""A delta.arrow of a stranger costs its bounds at most, and says nothing that its writer did not."""

import json
import resource
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from receipt_chroma.delta.bounds import (
    MAX_DIMENSION,
    MAX_KEY_BYTES,
    MAX_KEYS,
    MAX_LIST,
    MAX_RECORDS,
    MAX_TEXT_BYTES,
)
from receipt_chroma.errors import REFUSAL_LENGTH, DeltaCorrupt, DeltaRefused, DeltaTooLarge, ForeignRecord
from receipt_dynamo_stream.keys import word_record_id

from ..samples import DIMENSION, RECEIPT
from .strangers import read

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("embedding", pa.list_(pa.float32(), DIMENSION)),
        ("document", pa.string()),
        ("metadata", pa.string()),
        ("op", pa.string()),
    ]
)


def ids(count: int) -> list[str]:
    return [word_record_id(RECEIPT, 1 + number // 90_000, 1 + number % 90_000) for number in range(count)]


def file_of(*tables: pa.Table | pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, tables[0].schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        for table in tables:
            writer.write(table)
    return bytes(sink.getvalue())


def table(count: int = 1, **columns: Any) -> pa.Table:
    ones = pa.array(np.ones(count * DIMENSION, np.float32))
    all_columns = {
        "id": pa.array(ids(count)),
        "embedding": pa.FixedSizeListArray.from_arrays(ones, DIMENSION),
        "document": pa.array(["MILK"] * count),
        "metadata": pa.array(["{}"] * count),
        "op": pa.array(["upsert"] * count),
        **columns,
    }
    return pa.table({name: all_columns[name] for name in SCHEMA.names})


def twelve_documents_of_48_mb() -> bytes:
    text = pa.array([" " * (48 << 20)])
    return file_of(*[table(id=pa.array([one]), document=text) for one in ids(12)])


def one_text_for_all_rows() -> bytes:
    indices = pa.array(np.zeros(MAX_RECORDS, np.int32))
    shared = pa.DictionaryArray.from_arrays(indices, pa.array(["x" * (8 << 20)]))
    return file_of(table(MAX_RECORDS, document=shared))


def nested(depth: int) -> bytes:
    kind = pa.float32()
    for _ in range(depth):
        kind = pa.list_(kind)
    return file_of(table(embedding=pa.array([None], kind)))


def one_metadata(**metadata: Any) -> bytes:
    return file_of(table(metadata=pa.array([json.dumps(metadata)])))


LARGE: dict[str, Callable[[], bytes]] = {
    "twelve documents of 48 MB": twelve_documents_of_48_mb,
    "one text for all rows": one_text_for_all_rows,
    "90,000 records": lambda: file_of(table(90_000)),
    "thousands of empty batches": lambda: file_of(*[pa.RecordBatch.from_pylist([], SCHEMA)] * (MAX_RECORDS + 1)),
    "a vector of a million floats": lambda: file_of(
        table(embedding=pa.FixedSizeListArray.from_arrays(pa.array(np.ones(1 << 20, np.float32)), 1 << 20))
    ),
    "one float more than the bound": lambda: file_of(
        table(
            embedding=pa.FixedSizeListArray.from_arrays(pa.array(np.ones(MAX_DIMENSION + 1, "f4")), MAX_DIMENSION + 1)
        )
    ),
    "a value of 10 MB": lambda: one_metadata(x="x" * (10 << 20)),
    "a value beyond the bound": lambda: one_metadata(x="x" * MAX_TEXT_BYTES),
    "a document beyond the bound": lambda: file_of(table(document=pa.array(["x" * (MAX_TEXT_BYTES + 1)]))),
    "many keys": lambda: one_metadata(**{f"k{number}": 1 for number in range(MAX_KEYS + 1)}),
    "a long key": lambda: one_metadata(**{"k" * (MAX_KEY_BYTES + 1): 1}),
    "a long list": lambda: one_metadata(x=[1] * (MAX_LIST + 1)),
}


@pytest.mark.parametrize("name", LARGE)
def test_what_is_beyond_a_bound_is_too_large_and_takes_no_memory_of_the_caller(name: str) -> None:
    content = {"delta.arrow": LARGE[name]()}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DeltaTooLarge):
        read("arrow", content, dimension=None)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10, "KB"


WRONG: dict[str, tuple[type[DeltaRefused], Callable[[], bytes]]] = {
    "lists within lists": (DeltaCorrupt, lambda: nested(50)),
    "ids of 80 KB": (ForeignRecord, lambda: file_of(table(id=pa.array(["x\n" * 40_000])))),
    "columns of long names": (DeltaCorrupt, lambda: file_of(table().append_column("n" * 89_000, pa.array([1])))),
    "an op of 3 MB": (DeltaCorrupt, lambda: file_of(table(op=pa.array(["o" * (3 << 20)])))),
    "a number of 4,000 digits": (
        DeltaRefused,
        lambda: file_of(table(metadata=pa.array(['{"x": ' + "9" * 4000 + "}"]))),
    ),
    "half of a character": (DeltaRefused, lambda: file_of(table(metadata=pa.array(['{"x": "\\ud800"}'])))),
    "metadata nested deep": (
        DeltaCorrupt,
        lambda: file_of(table(metadata=pa.array(['{"x":' * 9000 + "1" + "}" * 9000]))),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_in_a_few_printable_words(name: str) -> None:
    error, content = WRONG[name]
    with pytest.raises(error) as raised:
        read("arrow", {"delta.arrow": content()})
    assert len(str(raised.value)) <= REFUSAL_LENGTH
    assert str(raised.value).isprintable()


def test_a_delta_at_its_bounds_is_read() -> None:
    assert len(read("arrow", {"delta.arrow": file_of(table(MAX_RECORDS))})) == MAX_RECORDS


def test_batches_that_share_their_buffers_count_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = table(3_000)
    with pytest.raises(DeltaTooLarge):
        read("arrow", {"delta.arrow": file_of(*[whole] * 4)})

from typing import Any

import pyarrow as pa
import pytest
from receipt_chroma.delta.arrow import encode_arrow, read_arrow_delta
from receipt_chroma.errors import DeltaCorrupt
from receipt_chroma.records import Record

from ..samples import vector, word


def table(**changes: Any) -> pa.Table:
    """A delta's table of two rows with some columns replaced, or left out by None."""
    columns = {
        "id": pa.array(["a", "b"]),
        "embedding": pa.FixedSizeListArray.from_arrays(pa.array([1.0, 2.0, 3.0, 4.0], pa.float32()), 2),
        "document": pa.array(["x", None]),
        "metadata": pa.array(['{"k": 1}', None]),
        "op": pa.array(["upsert", "upsert"]),
    }
    return pa.table({name: column for name, column in {**columns, **changes}.items() if column is not None})


def file_of(content: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, content.schema) as writer:
        writer.write_table(content, max_chunksize=1)
    return bytes(sink.getvalue())


def test_what_is_written_is_read_with_the_same_bits() -> None:
    written = [word(1, 1, x=0.1, tags=["a"]), word(1, 2, document=None), word(1, 3, document="")]
    read = read_arrow_delta(encode_arrow(written))
    assert [(one.id, one.embedding.tobytes(), one.document, one.metadata) for one in read] == [
        (one.id, one.embedding.tobytes(), one.document, one.metadata) for one in written
    ]


def test_several_chunks_and_absent_values_are_read() -> None:
    first, second = read_arrow_delta(file_of(table()))
    assert (first.id, first.embedding.tolist(), first.document, first.metadata) == ("a", [1.0, 2.0], "x", {"k": 1})
    assert (second.id, second.embedding.tolist(), second.document, second.metadata) == ("b", [3.0, 4.0], None, {})


SPELLINGS: dict[str, Any] = {
    "large strings": {"document": pa.array(["x", None], pa.large_string())},
    "string views": {
        name: pa.array(values, pa.string_view())
        for name, values in {"id": ["a", "b"], "metadata": ['{"k": 1}', None], "op": ["upsert", "upsert"]}.items()
    },
    "dictionaries": {
        "document": pa.array(["x", None]).dictionary_encode(),
        "op": pa.array(["upsert"] * 2).dictionary_encode(),
    },
    "lists": {"embedding": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32()))},
    "large lists": {"embedding": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.large_list(pa.float32()))},
    "float64 that is float32": {"embedding": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float64()))},
    "float16": {"embedding": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float16(), 2))},
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_what_says_the_same_in_another_type_is_read_as_the_same(spelling: str) -> None:
    assert shown(read_arrow_delta(file_of(table(**SPELLINGS[spelling])))) == shown(read_arrow_delta(file_of(table())))


def test_columns_of_nothing_but_nulls_are_read() -> None:
    nothing = pa.nulls(2)
    assert [
        (one.document, one.metadata) for one in read_arrow_delta(file_of(table(document=nothing, metadata=nothing)))
    ] == [
        (None, {}),
        (None, {}),
    ]


def shown(records: list[Record]) -> list[Any]:
    return [(one.id, one.embedding.tobytes(), one.document, one.metadata) for one in records]


def test_an_empty_delta_is_read_as_no_records() -> None:
    assert read_arrow_delta(encode_arrow([])) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"op": None},
        {"more": pa.array([1, 2])},
        {"op": pa.array(["upsert", "delete"])},
        {"op": pa.array(["upsert", None])},
        {"id": pa.array(["a", None])},
        {"id": pa.array([1, 2])},
        {"document": pa.array([1, 2])},
        {"metadata": pa.array(["{", "{}"])},
        {"metadata": pa.array(["[]", "{}"])},
        {"metadata": pa.array(["[" * 100_000, "{}"])},
        {"embedding": pa.array([[1.0, 2.0], [3.0]], pa.list_(pa.float32()))},
        {"embedding": pa.array([[1.0, 2.0], [3.0, 0.1]], pa.list_(pa.float64(), 2))},
        {"embedding": pa.array([[1.0, 2.0], [3.0, 1e300]], pa.list_(pa.float64(), 2))},
        {"embedding": pa.array([[1, 2], [3, 4]], pa.list_(pa.int32()))},
        {"embedding": pa.array([[[1.0]], [[3.0]]], pa.list_(pa.list_(pa.float32())))},
        {"document": pa.array([b"x", b"y"])},
        {"document": pa.array([["x"], ["y"]])},
        {"embedding": pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2))},
        {"embedding": pa.array([[1.0, 2.0], [3.0, None]], pa.list_(pa.float32(), 2))},
    ],
    ids=lambda changes: f"{next(iter(changes))}",
)
def test_another_shape_is_corrupt(changes: dict[str, Any]) -> None:
    with pytest.raises(DeltaCorrupt):
        read_arrow_delta(file_of(table(**changes)))


@pytest.mark.parametrize("content", [b"", b"not arrow", b"ARROW1\0\0" * 40])
def test_other_bytes_are_corrupt(content: bytes) -> None:
    with pytest.raises(DeltaCorrupt):
        read_arrow_delta(content)


def test_every_truncation_is_corrupt() -> None:
    content = encode_arrow([word(1, 1), word(1, 2)])
    for length in range(0, len(content), max(1, len(content) // 40)):
        with pytest.raises(DeltaCorrupt):
            read_arrow_delta(content[:length])


def test_an_object_of_an_older_writer_has_no_vectors_in_another_type() -> None:
    assert read_arrow_delta(encode_arrow([word(1, 1)]))[0].embedding.dtype == vector(1).dtype

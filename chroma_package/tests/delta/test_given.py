from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from receipt_chroma.delta.given import records_of
from receipt_chroma.errors import RecordsInvalid

from ..samples import word
from .strangers import shown

RECORDS = [word(1, 1, x=0.25, n=3, tags=["a", "b"]), word(1, 2, document=None), word(1, 3)]
ROWS = [
    {"id": one.id, "embedding": one.embedding.tolist(), "document": one.document, "metadata": one.metadata}
    for one in RECORDS
]
VECTORS = np.array([one.embedding for one in RECORDS])
COLUMNS: dict[str, Any] = {name: [row[name] for row in ROWS] for name in ("id", "embedding", "document", "metadata")}
TEXTS = {
    "metadata": ['{"text": "MILK", "x": 0.25, "n": 3, "tags": ["a", "b"]}', '{"text": "MILK"}', '{"text": "MILK"}']
}


class Frame:
    """Any library's table: it exports an Arrow stream, and nothing else is known of it."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


GIVEN: dict[str, Any] = {
    "records": RECORDS,
    "records one by one": iter(RECORDS),
    "rows": ROWS,
    "rows with arrays": [row | {"embedding": vector} for row, vector in zip(ROWS, VECTORS, strict=True)],
    "rows with numpy's numbers": [
        row
        | {"metadata": row["metadata"] | ({"x": np.float64(0.25), "n": np.int64(3)} if "x" in row["metadata"] else {})}
        for row in ROWS
    ],
    "columns of lists": COLUMNS,
    "columns with one array of all vectors": COLUMNS | {"embedding": VECTORS},
    "columns of float64": COLUMNS | {"embedding": VECTORS.astype(np.float64)},
    "columns with metadata as JSON": COLUMNS | TEXTS,
    "columns with an op": COLUMNS | {"op": ["upsert"] * 3},
    "a table": pa.table(COLUMNS | TEXTS),
    "a frame": Frame(pa.table(COLUMNS | TEXTS)),
    "a frame in chunks": Frame(
        pa.concat_tables([pa.table(COLUMNS | TEXTS).slice(0, 1), pa.table(COLUMNS | TEXTS).slice(1)])
    ),
    "a frame with fixed-size lists": Frame(
        pa.table(COLUMNS | TEXTS | {"embedding": pa.FixedSizeListArray.from_arrays(pa.array(VECTORS.reshape(-1)), 8)})
    ),
    "a frame with pandas' index": Frame(pa.table(COLUMNS | TEXTS | {"__index_level_0__": [7, 8, 9]})),
    "a frame with metadata as a struct": Frame(pa.table(COLUMNS)),
}


@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
def test_what_people_have_gives_the_same_records(given: Any) -> None:
    read = [
        (one.id, one.embedding.tobytes(), one.document, {k: v for k, v in one.metadata.items() if v is not None})
        for one in records_of(given)
    ]
    assert read == [(one.id, one.embedding.tobytes(), one.document, one.metadata) for one in RECORDS]


@pytest.mark.parametrize(
    "given",
    [
        [],
        {"id": [], "embedding": []},
        pa.table({"id": pa.array([], pa.string()), "embedding": pa.array([], pa.list_(pa.float32()))}),
    ],
)
def test_nothing_is_no_records(given: Any) -> None:
    assert records_of(given) == []


def test_vectors_are_rounded_to_float32() -> None:
    (one,) = records_of([ROWS[0] | {"embedding": [0.1, 1]}])
    assert one.embedding.tolist() == [float(np.float32(0.1)), 1.0]
    assert shown([one])[0][1] == np.array([0.1, 1], "<f4").tobytes()


def test_metadata_without_documents_is_enough() -> None:
    (one,) = records_of({"id": ["a"], "embedding": [[1.0]], "document": None})
    assert (one.document, one.metadata) == (None, {})


class Interchange:
    """A frame of an older library."""

    def __dataframe__(self) -> object:
        raise NotImplementedError


NULL_LIST = pa.nulls(1, pa.list_(pa.float32()))

WRONG: dict[str, tuple[Any, str]] = {
    "None": (None, "neither rows"),
    "a text": ("delta.arrow", "neither rows"),
    "bytes": (b"ARROW1", "neither rows"),
    "an array of vectors": (VECTORS, "row 0 is a ndarray"),
    "a frame of an older library": (Interchange(), "__arrow_c_stream__"),
    "rows without ids": ([{"embedding": [1.0]}], "row 0 lacks id"),
    "rows with more": ([ROWS[0], ROWS[1] | {"merchant": "x"}], "row 1 has ['merchant']"),
    "columns without vectors": ({"id": ["a"]}, "lacks embedding"),
    "columns with Chroma's names": ({"ids": ["a"], "embeddings": [[1.0]]}, "has ['ids', 'embeddings']"),
    "columns of several lengths": (COLUMNS | {"id": ["a"]}, "several lengths"),
    "a column that is one text": (COLUMNS | {"document": "MILK"}, "column document is a str"),
    "an id that is a number": ([ROWS[0] | {"id": 7}], "row 0: id is a int"),
    "a document that is NaN": ([ROWS[0] | {"document": float("nan")}], "document is a float"),
    "metadata that is a list": ([ROWS[0] | {"metadata": [1]}], "metadata is a list"),
    "metadata that is no JSON": ([ROWS[0] | {"metadata": "{"}], "no JSON"),
    "a vector of texts": ([ROWS[0] | {"embedding": ["1", "2"]}], "not a list of numbers"),
    "a vector of vectors": ([ROWS[0] | {"embedding": [[1.0], [2.0]]}], "of shape (2, 1)"),
    "a vector that is one number": ([ROWS[0] | {"embedding": 1.0}], "of shape ()"),
    "no vector": ([ROWS[0] | {"embedding": None}], "embedding is None"),
    "a ragged vector": ([ROWS[0] | {"embedding": [1.0, [2.0]]}], "no list of numbers"),
    "a frame without a vector": (Frame(pa.table({"id": ["a"], "embedding": NULL_LIST})), "row 0: embedding is None"),
    "a frame with numbers for vectors": (Frame(pa.table({"id": ["a"], "embedding": [1.0]})), "is double, not a list"),
    "a frame with more": (Frame(pa.table({"id": ["a"], "embedding": [[1.0]], "line": [1]})), "has ['line']"),
}  # fmt: skip


@pytest.mark.parametrize(("given", "why"), WRONG.values(), ids=WRONG)
def test_what_is_no_records_is_refused_by_name(given: Any, why: str) -> None:
    with pytest.raises(RecordsInvalid) as refused:
        records_of(given)
    assert why in str(refused.value)

"""What a producer has, as records: rows, columns, or a table of any library that speaks Arrow.

| Given | Like |
|---|---|
| rows | `[{"id": …, "embedding": […], "document": …, "metadata": {…}}, …]`, or records |
| columns | `{"id": […], "embedding": array of shape (n, dimension), …}` |
| a table | what has `__arrow_c_stream__`: pyarrow, polars, pandas from 2.2, a duckdb relation |

Vectors are rounded to float32 here. The interchange protocol (`__dataframe__`) has no lists, so no vectors.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import Any, Final

import numpy as np

from receipt_chroma.errors import RecordsInvalid
from receipt_chroma.records import Record, Vector

Given = Iterable[Record | Mapping[str, Any]] | Mapping[str, Any] | Any
"""Rows, columns or a table; any object that exports an Arrow stream is one."""

_FIELDS: Final = ("id", "embedding", "document", "metadata", "op")
_NEEDED: Final = ("id", "embedding")
_PANDAS_INDEX: Final = re.compile(r"__index_level_\d+__")


def records_of(given: Given) -> list[Record]:
    """The records of rows, columns or a table, in their order. Raises RecordsInvalid for anything else."""
    if isinstance(given, Mapping):
        return _of_columns(given)
    if hasattr(given, "__arrow_c_stream__"):
        return _of_table(given)
    if hasattr(given, "__dataframe__"):
        raise RecordsInvalid(
            f"a {type(given).__name__} that exports no Arrow stream (`__arrow_c_stream__`) has no vectors to read:"
            " take a newer release of its library, or give its columns as a dict"
        )
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise RecordsInvalid(f"{_kind(given)} is neither rows, columns nor a table")
    return [_of_row(number, row) for number, row in enumerate(given)]


def _of_row(number: int, row: object) -> Record:
    where = f"row {number}"
    if isinstance(row, Record):
        return Record(row.id, _vector(where, row.embedding), row.document, _metadata(where, row.metadata))
    if not isinstance(row, Mapping):
        raise RecordsInvalid(f"{where} is {_kind(row)}, not a record or a mapping with {' and '.join(_NEEDED)}")
    _check_names(where, list(row))
    return _record(where, row["id"], _vector(where, row["embedding"]), row.get("document"), row.get("metadata"))


def _of_columns(columns: Mapping[str, Any]) -> list[Record]:
    given = {name: column for name, column in columns.items() if column is not None}
    _check_names("the columns", list(given))
    lengths = {name: _length(name, column) for name, column in given.items()}
    if len(set(lengths.values())) > 1:
        raise RecordsInvalid(f"the columns have several lengths: {lengths}")
    nothing = [None] * lengths["id"]
    rows = zip(*(given.get(name, nothing) for name in ("id", "embedding", "document", "metadata")), strict=True)
    return [
        _record(f"row {number}", record_id, _vector(f"row {number}", vector), document, metadata)
        for number, (record_id, vector, document, metadata) in enumerate(rows)
    ]


def _of_table(given: Any) -> list[Record]:
    import pyarrow as pa

    try:
        table = pa.table(given)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise RecordsInvalid(f"{_kind(given)} cannot be read as an Arrow table: {error}") from error
    kept = [name for name in table.column_names if not _PANDAS_INDEX.fullmatch(name)]
    if len(set(kept)) != len(kept):
        raise RecordsInvalid(f"the table has a column twice: {kept}")
    columns = {name: table.column(name).to_pylist() for name in kept if name != "embedding"}
    return _of_columns(columns | ({"embedding": _rows_of(table.column("embedding"))} if "embedding" in kept else {}))


def _rows_of(column: Any) -> list[Any]:
    """The vectors of a column of lists, each as an array: never as Python floats."""
    import pyarrow.types as types

    kind = column.type
    if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
        raise RecordsInvalid(f"the column embedding is {str(kind)[:100]}, not a list of numbers")
    return [None if one.values is None else one.values.to_numpy(zero_copy_only=False) for one in column]


def _check_names(where: str, names: Sequence[object]) -> None:
    unknown = [name for name in names if name not in _FIELDS]
    missing = [name for name in _NEEDED if name not in names]
    if unknown or missing:
        wrong = f"has {str(unknown)[:200]}" if unknown else f"lacks {' and '.join(missing)}"
        raise RecordsInvalid(
            f"{where} {wrong}: a record is id, embedding, document and metadata, and more goes into metadata"
        )


def _length(name: str, column: object) -> int:
    if isinstance(column, str | bytes) or not isinstance(column, Sized) or not isinstance(column, Iterable):
        raise RecordsInvalid(f"the column {name} is {_kind(column)}, not one value for each record")
    return len(column)


def _record(where: str, record_id: object, vector: Vector, document: object, metadata: object) -> Record:
    if not isinstance(record_id, str):
        raise RecordsInvalid(f"{where}: id is {_kind(record_id)}, not a text")
    if document is not None and not isinstance(document, str):
        raise RecordsInvalid(f"{where}: document is {_kind(document)}, not a text or None")
    return Record(record_id, vector, document, _metadata(where, metadata))


def _vector(where: str, given: object) -> Vector:
    try:
        found = np.asarray(given)
    except (TypeError, ValueError) as error:
        raise RecordsInvalid(f"{where}: embedding is no list of numbers: {error}") from error
    if found.ndim != 1 or found.dtype.kind not in "fiu":
        raise RecordsInvalid(f"{where}: embedding is {_kind(given)} of shape {found.shape}, not a list of numbers")
    with np.errstate(over="ignore"):  # a float beyond 32 bits becomes infinite, and is refused as such
        return found.astype(np.float32)


def _metadata(where: str, given: object) -> dict[str, Any]:
    """Metadata with Python's own values; what Chroma does not keep is for the checks of a delta to refuse."""
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError) as error:
            raise RecordsInvalid(f"{where}: metadata is a text and no JSON: {error}") from error
    if isinstance(given, list) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in given):
        given = dict(given)  # as Arrow gives a map
    if given is not None and not isinstance(given, Mapping):
        raise RecordsInvalid(f"{where}: metadata is {_kind(given)}, not a mapping")
    return {key: _plain(value) for key, value in (given or {}).items()}


def _plain(value: object) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(one) for one in value]
    return value


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"

"""`delta.arrow`: one Arrow IPC file, zstd, with the records of a delta. The format to write.

| Column | Type | |
|---|---|---|
| id | string | record id |
| embedding | fixed_size_list<float32>[dimension] | |
| document | string, may be null | |
| metadata | string, may be null | a JSON object |
| op | string | always `upsert` |

pyarrow is imported here only, inside functions.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from receipt_chroma.errors import DeltaCorrupt
from receipt_chroma.records import Record

if TYPE_CHECKING:
    import pyarrow as pa

UPSERT: Final = "upsert"
COLUMNS: Final = ("id", "embedding", "document", "metadata", "op")


def write_arrow_delta(records: Sequence[Record]) -> bytes:
    """The bytes of a `delta.arrow` with these records. Raises ValueError unless all vectors have one length."""
    import pyarrow as pa

    dimension = len(records[0].embedding) if records else 1
    if any(record.embedding.shape != (dimension,) for record in records):
        raise ValueError("the vectors of a delta have one length")
    vectors = np.array([record.embedding for record in records], dtype="<f4").reshape(-1)
    table = pa.table(
        {
            "id": pa.array([record.id for record in records], pa.string()),
            "embedding": pa.FixedSizeListArray.from_arrays(pa.array(vectors, pa.float32()), dimension),
            "document": pa.array([record.document for record in records], pa.string()),
            "metadata": pa.array([json.dumps(record.metadata) for record in records], pa.string()),
            "op": pa.array([UPSERT] * len(records), pa.string()),
        }
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def read_arrow_delta(content: bytes) -> list[Record]:
    """The records of a `delta.arrow`, metadata as written. Raises DeltaCorrupt."""
    import pyarrow as pa

    try:
        with pa.ipc.open_file(content) as reader:
            table = reader.read_all()
            table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DeltaCorrupt(f"delta.arrow is not a readable Arrow file: {error}") from error
    _check_schema(table)
    vectors = _vectors(table)
    columns = [table.column(name).to_pylist() for name in ("id", "document", "metadata", "op")]
    records = []
    for vector, record_id, document, metadata, operation in zip(vectors, *columns, strict=True):
        if operation != UPSERT:
            raise DeltaCorrupt(f"delta.arrow has op {operation!r} for {record_id}: only {UPSERT!r} is known")
        records.append(Record(record_id, vector, document, _metadata(record_id, metadata)))
    return records


def _check_schema(table: "pa.Table") -> None:
    import pyarrow as pa

    names = table.schema.names
    if sorted(names) != sorted(COLUMNS):
        raise DeltaCorrupt(f"delta.arrow has the columns {names}, not {list(COLUMNS)}")
    embedding = table.schema.field("embedding").type
    if not pa.types.is_fixed_size_list(embedding) or not pa.types.is_float32(embedding.value_type):
        raise DeltaCorrupt(f"delta.arrow: embedding is {embedding}, not a fixed-size list of float32")
    for name in ("id", "document", "metadata", "op"):
        if not pa.types.is_string(table.schema.field(name).type):
            raise DeltaCorrupt(f"delta.arrow: {name} is {table.schema.field(name).type}, not a string")
    for name in ("id", "embedding", "op"):
        if table.column(name).null_count:
            raise DeltaCorrupt(f"delta.arrow: {name} is null in {table.column(name).null_count} rows")


def _vectors(table: "pa.Table") -> list[Any]:
    rows: list[Any] = []
    for chunk in table.column("embedding").chunks:
        values = chunk.flatten()
        if values.null_count:
            raise DeltaCorrupt("delta.arrow: a vector holds a null")
        rows.extend(values.to_numpy(zero_copy_only=False).reshape(len(chunk), chunk.type.list_size))
    return rows


def _metadata(record_id: str, text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DeltaCorrupt(f"delta.arrow: the metadata of {record_id} is not JSON: {error}") from error
    if not isinstance(metadata, dict):
        raise DeltaCorrupt(f"delta.arrow: the metadata of {record_id} is not a JSON object")
    return metadata

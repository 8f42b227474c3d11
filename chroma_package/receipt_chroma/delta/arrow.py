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
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from receipt_chroma.delta.bounds import MAX_DIMENSION, OF_A_DELTA, Bounds
from receipt_chroma.errors import DeltaCorrupt, DeltaTooLarge
from receipt_chroma.records import Record

if TYPE_CHECKING:
    import pyarrow as pa

UPSERT: Final = "upsert"
TEXTS: Final = ("id", "document", "metadata", "op")
COLUMNS: Final = ("embedding", *TEXTS)


def encode_arrow(records: Sequence[Record]) -> bytes:
    """The bytes of a `delta.arrow` with these records, whatever they are; their vectors have one length."""
    import pyarrow as pa

    dimension = len(records[0].embedding) if records else 1
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


def read_arrow_delta(content: bytes, *, bounds: Bounds = OF_A_DELTA) -> list[Record]:
    """The records of a `delta.arrow`, metadata as written. Raises DeltaCorrupt, DeltaTooLarge.

    Columns and types are looked at before any of their buffers is read. Other spellings of the same are read as well:
    large strings, string views, dictionaries, lists of one length, float64 that is float32. What loses bits is not.
    """
    import pyarrow as pa

    try:
        with pa.ipc.open_file(content, options=pa.ipc.IpcReadOptions(use_threads=False)) as reader:
            _check_schema(reader.schema)
            return list(_records(reader, bounds))
    except MemoryError:
        raise  # one of pyarrow's is an ArrowException as well
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DeltaCorrupt(f"delta.arrow is not a readable Arrow file: {error}") from error


def _records(reader: Any, bounds: Bounds) -> Iterator[Record]:
    rows, vector_bytes, dimension = 0, 0, None
    if reader.num_record_batches > bounds.records:
        raise DeltaTooLarge(f"delta.arrow has {reader.num_record_batches} record batches, more than {bounds.records}")
    for number in range(reader.num_record_batches):
        batch = reader.get_batch(number)
        rows += batch.num_rows
        if rows > bounds.records:
            raise DeltaTooLarge(f"delta.arrow has more than {bounds.records} rows")
        batch.validate(full=True)
        vectors = _vectors(batch.column("embedding"))
        vector_bytes += vectors.nbytes
        if vector_bytes > bounds.vector_bytes:
            raise DeltaTooLarge(f"delta.arrow has more than {bounds.vector_bytes} bytes of vectors")
        if batch.num_rows and dimension not in (None, vectors.shape[1]):
            raise DeltaCorrupt("delta.arrow has vectors of several lengths")
        dimension = vectors.shape[1] if batch.num_rows else dimension
        texts = [_texts(name, batch.column(name), bounds.text_bytes) for name in TEXTS]
        for vector, record_id, document, metadata, operation in zip(vectors, *texts, strict=True):
            if record_id is None or operation != UPSERT:
                raise DeltaCorrupt(
                    f"delta.arrow has the id {str(record_id)[:200]!r} and the op {str(operation)[:40]!r}:"
                    f" no id is null, and only {UPSERT!r} is known"
                )
            yield Record(record_id, vector, document, _metadata(record_id, metadata))


def _check_schema(schema: "pa.Schema") -> None:
    names = schema.names
    if sorted(names) != sorted(COLUMNS):
        raise DeltaCorrupt(f"delta.arrow has the columns {str(names)[:300]}, not {list(COLUMNS)}")
    if not _is_vector(schema.field("embedding").type):
        raise DeltaCorrupt(
            f"delta.arrow: embedding is {str(schema.field('embedding').type)[:200]}, not a fixed-size list of float32"
        )
    for name in TEXTS:
        if not _is_text(schema.field(name).type):
            raise DeltaCorrupt(f"delta.arrow: {name} is {str(schema.field(name).type)[:200]}, not a string")


def _is_text(kind: "pa.DataType") -> bool:
    import pyarrow.types as types

    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind) or types.is_null(kind)
    )


def _is_vector(kind: "pa.DataType") -> bool:
    import pyarrow.types as types

    is_list = types.is_fixed_size_list(kind) or types.is_list(kind) or types.is_large_list(kind)
    return bool(is_list and types.is_floating(kind.value_type))


def _texts(name: str, column: "pa.Array", most: int) -> list[str | None]:
    size = 0
    texts: list[str | None] = []
    for value in column:  # one at a time: thousands of rows may share one text
        text = value.as_py()
        size += len(text) if text is not None else 0
        if size > most:
            raise DeltaTooLarge(f"delta.arrow has more than {most} bytes of {name}")
        texts.append(text)
    return texts


def _vectors(column: "pa.Array") -> Any:
    """The vectors as rows of float32."""
    import pyarrow.types as types

    if column.null_count:
        raise DeltaCorrupt(f"delta.arrow: embedding is null in {column.null_count} rows")
    values = column.flatten()
    if values.null_count:
        raise DeltaCorrupt("delta.arrow: a vector holds a null")
    if types.is_fixed_size_list(column.type):
        length = column.type.list_size
    else:
        lengths = set(column.value_lengths().to_pylist())
        if len(lengths) > 1:
            raise DeltaCorrupt("delta.arrow has vectors of several lengths")
        length = lengths.pop() if lengths else 0
    if not 0 <= length <= MAX_DIMENSION:
        raise DeltaTooLarge(f"delta.arrow has vectors of {length} floats, more than {MAX_DIMENSION}")
    found = values.to_numpy(zero_copy_only=False)
    with np.errstate(over="ignore", invalid="ignore"):
        floats = found.astype(np.float32, copy=False)
    if found.dtype != np.float32 and not np.array_equal(floats.astype(found.dtype), found, equal_nan=True):
        raise DeltaCorrupt(f"delta.arrow: embedding is {found.dtype}, and float32 would not keep its bits")
    return floats.reshape(len(column), length)


def _metadata(record_id: str, text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DeltaCorrupt(f"delta.arrow: the metadata of {record_id[:200]!r} is not JSON: {error}") from error
    if not isinstance(metadata, dict):
        raise DeltaCorrupt(f"delta.arrow: the metadata of {record_id[:200]!r} is not a JSON object")
    return metadata

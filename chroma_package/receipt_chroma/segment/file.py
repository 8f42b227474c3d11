"""A segment's bytes: one Arrow IPC file, one batch, one row for each covered receipt in order of its key.

| Column | Type | |
|---|---|---|
| receipt | string | the receipt's key |
| digest | string | content digest of its records, 64 hex digits |
| records | list<struct> | all its records in order of id; an empty list: the receipt is gone |
| … id | string | |
| … embedding | fixed_size_list<float32>[dimension] | |
| … document | string, may be null | |
| … metadata | string | canonical JSON (records.metadata_bytes) |

A row is what the law speaks of, a receipt in its newest place, so the index is two columns beside the records and not
a second table that could name other receipts; the length of the list is the count. The vectors of all rows are one
buffer, which numpy uses where it lies in the bytes that were read.

Nothing is compressed. Measured, 87 words of 1,536 dimensions with 15 metadata keys: 575 KB (534 KB of it
vectors), with lz4 540 KB, with zstd 500 KB, and reading the buffers takes 0.01, 0.09 and 0.6 ms. Arrow compresses all
buffers of a batch or none, and a vector that is compressed has to be copied: 13 % of the bytes is not worth it.

Equal content has equal bytes for one release of pyarrow, whatever attempt wrote them. pyarrow is imported inside
functions.
"""

import json
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from receipt_dynamo_stream.round.report import ReceiptContent

from receipt_chroma.errors import SegmentInvalid
from receipt_chroma.records import Metadata, metadata_bytes
from receipt_chroma.segment.content import Segment, Vectors, with_vectors

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT: Final = b"segment 1"
"""Under the key `format` of the schema's metadata. A reader refuses a file that says something else."""

_NO_DIMENSION: Final = 1
"""Length of the vectors of a file that has none: Arrow wants one."""


def encode_segment(segment: Segment) -> bytes:
    """The bytes of the file."""
    import pyarrow as pa

    schema = _schema(segment.dimension or _NO_DIMENSION)
    lists = schema.field("records").type
    counts = [receipt.records for receipt in segment.receipts]
    records = segment.records
    rows = pa.StructArray.from_arrays(
        [
            pa.array([record.id for record in records], pa.string()),
            pa.FixedSizeListArray.from_arrays(
                pa.array(np.ascontiguousarray(segment.vectors, "<f4").reshape(-1), pa.float32()),
                type=lists.value_type.field("embedding").type,
            ),
            pa.array([record.document for record in records], pa.string()),
            pa.array([metadata_bytes(record.metadata).decode() for record in records], pa.string()),
        ],
        fields=list(lists.value_type),
    )
    batch = pa.record_batch(
        [
            pa.array([receipt.key for receipt in segment.receipts], pa.string()),
            pa.array([receipt.digest for receipt in segment.receipts], pa.string()),
            pa.ListArray.from_arrays(pa.array([0, *accumulate(counts)], pa.int32()), rows, type=lists),
        ],
        schema=schema,
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def read_segment(source: Path | bytes) -> Segment:
    """The segment of a file or its bytes, as it says it is: checks.check_segment proves it.

    The vectors are not copied and cannot be written to. Raises SegmentInvalid for bytes that are no segment file
    (`unreadable`, `schema`, `metadata`), OSError for a file that cannot be read.
    """
    import pyarrow as pa

    content = source if isinstance(source, bytes) else source.read_bytes()
    try:
        with pa.ipc.open_file(content) as reader:
            if reader.num_record_batches != 1:
                raise SegmentInvalid("schema", f"{reader.num_record_batches} batches, a segment has one")
            batch = reader.get_batch(0)
        batch.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise SegmentInvalid("unreadable", f"not a readable Arrow file: {error}") from error
    _check_schema(batch)
    lists = batch.column("records")
    counts, rows = lists.value_lengths().to_pylist(), lists.values
    if batch.num_rows and (lists.offsets[0].as_py() != 0 or lists.offsets[-1].as_py() != len(rows)):
        raise SegmentInvalid("schema", "there are records that belong to no receipt")
    vectors = _vectors(rows)
    ids, documents = rows.field("id").to_pylist(), rows.field("document").to_pylist()
    metadata = [_metadata(*pair) for pair in zip(ids, rows.field("metadata").to_pylist(), strict=True)]
    keys, digests = batch.column("receipt").to_pylist(), batch.column("digest").to_pylist()
    return Segment(
        receipts=tuple(ReceiptContent(*receipt) for receipt in zip(keys, counts, digests, strict=True)),
        records=with_vectors(zip(ids, documents, metadata, strict=True), vectors),
        vectors=vectors,
    )


def _schema(dimension: int) -> Any:
    import pyarrow as pa

    record = pa.struct(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("embedding", pa.list_(pa.field("item", pa.float32(), nullable=False), dimension), nullable=False),
            pa.field("document", pa.string()),
            pa.field("metadata", pa.string(), nullable=False),
        ]
    )
    return pa.schema(
        [
            pa.field("receipt", pa.string(), nullable=False),
            pa.field("digest", pa.string(), nullable=False),
            pa.field("records", pa.list_(pa.field("item", record, nullable=False)), nullable=False),
        ],
        metadata={b"format": FORMAT},
    )


def _check_schema(batch: "pa.RecordBatch") -> None:
    """Raise SegmentInvalid unless the columns are those of this format, whatever the dimension, with nulls nowhere."""
    import pyarrow as pa

    try:
        dimension = batch.schema.field("records").type.value_type.field("embedding").type.list_size
        same = batch.schema.equals(_schema(dimension), check_metadata=True)
    except (KeyError, AttributeError, pa.ArrowException) as error:
        raise SegmentInvalid("schema", f"the columns are not those of a segment: {error!r}") from error
    if not same:
        raise SegmentInvalid("schema", f"the columns are not those of a segment of this format: {batch.schema}")
    rows = batch.column("records").values
    columns = {name: batch.column(name) for name in ("receipt", "digest", "records")}
    columns |= {"item": rows} | {name: rows.field(name) for name in ("id", "embedding", "metadata")}
    columns["vector"] = rows.field("embedding").values
    for name, column in columns.items():
        if column.null_count:
            raise SegmentInvalid("schema", f"{name} is null {column.null_count} times")


def _vectors(rows: "pa.StructArray") -> Vectors:
    embedding = rows.field("embedding")
    dimension = embedding.type.list_size if len(rows) else 0
    flat = embedding.values.slice(0, len(rows) * dimension).to_numpy(zero_copy_only=True)
    vectors: Vectors = flat.reshape(len(rows), dimension)
    return vectors


def _metadata(record_id: str, text: str) -> Metadata:
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SegmentInvalid("metadata", f"the metadata of {record_id} is not JSON: {error}") from error
    if not isinstance(metadata, dict):
        raise SegmentInvalid("metadata", f"the metadata of {record_id} is not a JSON object")
    return metadata

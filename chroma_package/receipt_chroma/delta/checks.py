"""What makes a delta acceptable as a whole."""

import json
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from receipt_dynamo_stream.errors import KeyMalformed
from receipt_dynamo_stream.grain import grain_of
from receipt_dynamo_stream.keys import ReceiptId, RecordId, parse_record_id

from receipt_chroma.delta.bounds import (
    MAX_DIMENSION,
    MAX_KEY_BYTES,
    MAX_KEYS,
    MAX_LIST,
    MAX_RECORDS,
    MAX_TEXT_BYTES,
    MAX_TEXTS_BYTES,
    MAX_VECTOR_BYTES,
)
from receipt_chroma.derived import ROW_LINE_IDS, derived_keys, row_members
from receipt_chroma.errors import DeltaTooLarge, DuplicateRecord, ForeignRecord, InvalidVector, WrongDimension
from receipt_chroma.records import Metadata, Record, Vector, check_text, normal_metadata


def checked_records(
    records: Iterable[Record], *, collection: str, receipt: ReceiptId, dimension: int | None
) -> list[Record]:
    """The records of one delta with metadata in normal form; what belongs to the facts is left out of it.

    Without a dimension the first record's is the delta's. Raises ForeignRecord, DuplicateRecord, WrongDimension,
    InvalidVector, DeltaMetadataInvalid: one bad record refuses the whole delta.
    """
    checked: dict[str, Record] = {}
    for record in records:
        record_id = _check_id(record.id, collection, receipt)
        if record.id in checked:
            raise DuplicateRecord(f"{record.id} is in the delta twice")
        dimension = len(record.embedding) if dimension is None else dimension
        check_vector(record.id, record.embedding, dimension)
        if record.document is not None:
            check_text(f"the document of {record.id}", record.document)
        metadata = _own_metadata(record.metadata, collection, record_id)
        checked[record.id] = Record(record.id, np.array(record.embedding, dtype=np.float32), record.document, metadata)
    return list(checked.values())


def check_bounds(records: Sequence[Record]) -> None:
    """Raise DeltaTooLarge when a delta, or one record of it, is beyond the bounds."""
    if len(records) > MAX_RECORDS:
        raise DeltaTooLarge(f"the delta has {len(records)} records, more than {MAX_RECORDS}")
    vectors = texts = 0
    for record in records:
        vectors += record.embedding.nbytes
        texts += len(record.id) + _bytes_of_texts(record)
        if record.embedding.size > MAX_DIMENSION or vectors > MAX_VECTOR_BYTES:
            raise DeltaTooLarge(
                f"the delta's vectors have more than {MAX_DIMENSION} floats, or {MAX_VECTOR_BYTES} bytes together"
            )
        if texts > MAX_TEXTS_BYTES:
            raise DeltaTooLarge(f"the delta has more than {MAX_TEXTS_BYTES} bytes of documents and metadata")


def _bytes_of_texts(record: Record) -> int:
    metadata: Mapping[str, object] = record.metadata
    document = len((record.document or "").encode(errors="surrogatepass"))
    if len(metadata) > MAX_KEYS or any(len(key.encode(errors="surrogatepass")) > MAX_KEY_BYTES for key in metadata):
        raise DeltaTooLarge(
            f"{record.id[:200]!r} has more than {MAX_KEYS} metadata keys, or one of more than {MAX_KEY_BYTES} bytes"
        )
    if any(isinstance(value, list) and len(value) > MAX_LIST for value in metadata.values()):
        raise DeltaTooLarge(f"{record.id[:200]!r} has a list of more than {MAX_LIST} values")
    size = len(json.dumps(metadata, ensure_ascii=False).encode(errors="surrogatepass"))
    if max(document, size) > MAX_TEXT_BYTES:
        raise DeltaTooLarge(
            f"{record.id[:200]!r} has a document of {document} bytes and metadata of {size}:"
            f" {MAX_TEXT_BYTES} is the most"
        )
    return document + size


def check_vector(record_id: str, vector: Vector, dimension: int) -> None:
    """Raise WrongDimension or InvalidVector unless the vector has this length, is finite and not all zeros."""
    if vector.shape != (dimension,) or dimension == 0:
        raise WrongDimension(f"{record_id} has {vector.size} dimensions, the collection has {dimension}")
    if not np.isfinite(vector).all():
        raise InvalidVector(f"{record_id} has a vector with a value that is not finite")
    if not vector.any():
        raise InvalidVector(f"{record_id} has a zero vector")


def _check_id(record_id: str, collection: str, receipt: ReceiptId) -> RecordId:
    try:
        parsed = parse_record_id(record_id)
    except KeyMalformed as error:
        raise ForeignRecord(str(error)) from error
    if parsed.receipt != receipt:
        raise ForeignRecord(f"{record_id} is a record of another receipt than {receipt.key}")
    if parsed.grain != grain_of(collection):
        raise ForeignRecord(f"{record_id} is no record of the {collection} collection")
    return parsed


def _own_metadata(metadata: Mapping[str, object], collection: str, record_id: RecordId) -> Metadata:
    derived = derived_keys(collection)
    own = normal_metadata(metadata, ignored=derived)
    if ROW_LINE_IDS in derived and (rows := metadata.get(ROW_LINE_IDS)):
        row_members(rows, record_id)
        own[ROW_LINE_IDS] = str(rows)
    return own

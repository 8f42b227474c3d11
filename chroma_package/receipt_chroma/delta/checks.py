"""What makes a delta acceptable as a whole."""

from collections.abc import Iterable, Mapping

import numpy as np
from receipt_dynamo_stream.errors import KeyMalformed
from receipt_dynamo_stream.keys import ReceiptId, parse_record_id

from receipt_chroma.derived import DERIVED_KEYS, ROW_LINE_IDS, row_members
from receipt_chroma.errors import DuplicateRecord, ForeignRecord, InvalidVector, WrongDimension
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
        primary_line = _check_id(record.id, collection, receipt)
        if record.id in checked:
            raise DuplicateRecord(f"{record.id} is in the delta twice")
        dimension = len(record.embedding) if dimension is None else dimension
        check_vector(record.id, record.embedding, dimension)
        if record.document is not None:
            check_text(f"the document of {record.id}", record.document)
        metadata = _own_metadata(record.metadata, collection, primary_line)
        checked[record.id] = Record(record.id, np.array(record.embedding, dtype=np.float32), record.document, metadata)
    return list(checked.values())


def check_vector(record_id: str, vector: Vector, dimension: int) -> None:
    """Raise WrongDimension or InvalidVector unless the vector has this length, is finite and not all zeros."""
    if vector.shape != (dimension,) or dimension == 0:
        raise WrongDimension(f"{record_id} has {vector.size} dimensions, the collection has {dimension}")
    if not np.isfinite(vector).all():
        raise InvalidVector(f"{record_id} has a vector with a value that is not finite")
    if not vector.any():
        raise InvalidVector(f"{record_id} has a zero vector")


def _check_id(record_id: str, collection: str, receipt: ReceiptId) -> int:
    try:
        parsed = parse_record_id(record_id)
    except KeyMalformed as error:
        raise ForeignRecord(str(error)) from error
    if parsed.receipt != receipt:
        raise ForeignRecord(f"{record_id} is a record of another receipt than {receipt.key}")
    if (parsed.word_id is None) != (collection == "lines"):
        raise ForeignRecord(f"{record_id} is no record of the {collection} collection")
    return parsed.line_id


def _own_metadata(metadata: Mapping[str, object], collection: str, primary_line: int) -> Metadata:
    own = normal_metadata(metadata, ignored=DERIVED_KEYS[collection])
    if collection == "lines" and (rows := metadata.get(ROW_LINE_IDS)):
        row_members(rows, primary_line)
        own[ROW_LINE_IDS] = str(rows)
    return own

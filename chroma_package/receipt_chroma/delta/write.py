"""Writing deltas, for producers: what a merge would refuse is refused here, under the same name."""

from collections.abc import Sequence
from typing import Final

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.errors import KeyMalformed
from receipt_dynamo_stream.grain import COLLECTIONS, collection_with
from receipt_dynamo_stream.keys import ReceiptId, parse_record_id

from receipt_chroma.delta.arrow import encode_arrow
from receipt_chroma.delta.checks import check_bounds, checked_records
from receipt_chroma.delta.given import Given, records_of
from receipt_chroma.delta.read import ARROW_FILE
from receipt_chroma.errors import ForeignRecord
from receipt_chroma.records import Record

Belonging = tuple[str, ReceiptId]
"""A collection, and the receipt that a delta of it is for."""

NOTHING: Final[Belonging] = (COLLECTIONS[-1], ReceiptId("-", 0))


def write_arrow_delta(given: Given) -> bytes:
    """The bytes of a `delta.arrow` with these records: rows, columns or a table (see given.py).

    Collection and receipt are those of the first record, the dimension is that of its vector. Raises RecordsInvalid,
    and the subclasses of DeltaRefused that a merge would refuse the delta with.
    """
    records = records_of(given)
    collection, receipt = belonging(records)
    return encode_checked(records, collection=collection, receipt=receipt, dimension=None)


def write_arrow_delta_to(bucket: Bucket, prefix: str, given: Given) -> str:
    """Upload `delta.arrow` below a prefix; returns its key. Raises as write_arrow_delta, TransientServiceError."""
    key = f"{prefix.rstrip('/')}/{ARROW_FILE}"
    bucket.put(key, write_arrow_delta(given))
    return key


def encode_checked(records: Sequence[Record], *, collection: str, receipt: ReceiptId, dimension: int | None) -> bytes:
    """The bytes of a delta that a merge takes for this receipt. Raises subclasses of DeltaRefused."""
    check_bounds(records)
    checked_records(records, collection=collection, receipt=receipt, dimension=dimension)
    return encode_arrow(records)


def belonging(records: Sequence[Record]) -> Belonging:
    """Where the first record belongs; that of nothing is anywhere. Raises ForeignRecord for an id that is none."""
    if not records:
        return NOTHING
    try:
        first = parse_record_id(records[0].id)
    except KeyMalformed as error:
        raise ForeignRecord(str(error)) from error
    return collection_with(first.grain), first.receipt

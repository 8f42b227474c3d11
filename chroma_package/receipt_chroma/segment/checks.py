"""The proof of a segment from its bytes alone, each check with the name that SegmentInvalid carries.

| Name | What was wrong |
|---|---|
| unreadable | no Arrow file, cut off, or buffers that contradict each other |
| schema | other columns or types than a segment has, nulls, several batches, records of no receipt |
| receipts | the index names something that is no receipt, one twice, or not in order |
| foreign | an id that is malformed, of another receipt or collection, or routed to another shard |
| repeated | two records with one id |
| order | the records of a receipt are not in order of id |
| dimension | vectors of another length than the collection's |
| vector | a vector that is zero or not finite |
| metadata | not JSON, or not in the normal form that Chroma keeps |
| digest | the records of a receipt are not those that its content digest stands for |

A count cannot contradict the records: it is the length of their list.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from receipt_dynamo_stream.errors import KeyMalformed
from receipt_dynamo_stream.grain import grain_of
from receipt_dynamo_stream.keys import ReceiptId, parse_record_id
from receipt_dynamo_stream.round.report import ReceiptContent
from receipt_dynamo_stream.sharding import shard_of

from receipt_chroma.errors import DeltaMetadataInvalid, SegmentInvalid
from receipt_chroma.records import Record, content_of, normal_metadata
from receipt_chroma.segment.content import Segment, Vectors
from receipt_chroma.segment.file import read_segment

SEGMENT_CHECKS: Final = (
    *("unreadable", "schema", "receipts", "foreign", "repeated", "order"),
    *("dimension", "vector", "metadata", "digest"),
)
"""Names of all checks, as SegmentInvalid carries them."""


def check_segment(source: Path | bytes, *, collection: str, shard: int, shards: int, dimension: int | None) -> Segment:
    """Prove a segment of one of `shards` shards of a collection, and return it. Cost: its bytes, and nothing else's.

    dimension: of the collection's vectors; None while no vector was ever seen, and any length will do. Raises
    SegmentInvalid, OSError for a file that cannot be read.
    """
    segment = read_segment(source)
    _check_index(segment.receipts, shard, shards)
    by_receipt = segment.by_receipt()
    for key, records in by_receipt.items():
        _check_ids(key, records, collection)
    if dimension is not None and segment.dimension not in (None, dimension):
        raise SegmentInvalid("dimension", f"the vectors have {segment.dimension} dimensions, not {dimension}")
    _check_vectors(segment.vectors)
    for receipt in segment.receipts:
        _check_content(receipt, by_receipt[receipt.key])
    return segment


def _check_index(receipts: Sequence[ReceiptContent], shard: int, shards: int) -> None:
    previous = ""
    for receipt in receipts:
        try:
            parsed = ReceiptId.parse(receipt.key)
        except KeyMalformed as error:
            raise SegmentInvalid("receipts", str(error)) from error
        if receipt.key <= previous:
            raise SegmentInvalid("receipts", f"{receipt.key} comes twice, or after {previous}")
        previous = receipt.key
        home = shard_of(parsed.image_id, parsed.receipt_id, shards)
        if home != shard:
            raise SegmentInvalid("foreign", f"{receipt.key} belongs to shard {home}, not {shard}")


def _check_ids(key: str, records: Sequence[Record], collection: str) -> None:
    previous = ""
    for record in records:
        try:
            parsed = parse_record_id(record.id)
        except KeyMalformed as error:
            raise SegmentInvalid("foreign", str(error)) from error
        if parsed.receipt.key != key or parsed.grain != grain_of(collection):
            raise SegmentInvalid("foreign", f"{record.id} is no record of {key} in {collection}")
        if record.id == previous:
            raise SegmentInvalid("repeated", f"two records with the id {record.id}")
        if record.id < previous:
            twice = record.id in {other.id for other in records if other is not record}
            raise SegmentInvalid("repeated" if twice else "order", f"{record.id} comes after {previous}")
        previous = record.id


def _check_vectors(vectors: Vectors) -> None:
    bad = int(np.count_nonzero(~(np.isfinite(vectors).all(axis=1) & vectors.any(axis=1))))
    if bad:
        raise SegmentInvalid("vector", f"{bad} vectors are zero or not finite")


def _check_content(receipt: ReceiptContent, records: Sequence[Record]) -> None:
    for record in records:
        try:
            normal = normal_metadata(record.metadata)
        except DeltaMetadataInvalid as error:
            raise SegmentInvalid("metadata", f"{record.id}: {error}") from error
        if repr(normal) != repr(record.metadata):  # which tells 0.0 from -0.0, and 1 from 1.0 and True
            raise SegmentInvalid("metadata", f"the metadata of {record.id} is not in normal form")
    found = content_of(receipt.key, records)
    if found != receipt:
        raise SegmentInvalid(
            "digest", f"the records of {receipt.key} have the digest {found.digest}, its index says {receipt.digest}"
        )

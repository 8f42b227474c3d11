"""The steps of a compaction under one name, and the derived metadata of one receipt for scripts and batch jobs."""

from typing import Any

from receipt_dynamo_stream.facts import ReceiptFacts
from receipt_dynamo_stream.grain import grain_of
from receipt_dynamo_stream.keys import parse_record_id, record_id_of

from receipt_chroma.derived import DerivedMetadata
from receipt_chroma.difference import metadata_change
from receipt_chroma.merge import merge_deltas
from receipt_chroma.publish import write_manifest
from receipt_chroma.shard.chroma_dir import ChromaDir
from receipt_chroma.validate import validate_shard
from receipt_chroma.wanted import wanted_records

__all__ = ["merge_deltas", "update_receipt_metadata", "validate_shard", "wanted_records", "write_manifest"]


def update_receipt_metadata(collection: Any, facts: ReceiptFacts) -> int:
    """Bring the derived metadata of one receipt's records up to date, by the rules of the merge.

    `collection` is an open Chroma collection named as one of ours, such as `words`; vectors, documents and other
    metadata are not touched, no record is added or removed, records that are right already are not written. Returns how
    many were written. Raises ValueError for another collection, ChromaUnreadable, DeltaMetadataInvalid for metadata
    without a normal form. Never call it on a published directory: published files do not change.
    """
    name = str(collection.name)
    grain = grain_of(name)
    ids = [record_id_of(grain, facts.receipt, part) for part in sorted(facts.parts(grain))]
    directory, derived = ChromaDir.around(collection), DerivedMetadata(facts, name)
    changes = {}
    for record in directory.records(ids):
        new = derived.apply(parse_record_id(record.id), record.metadata)
        if change := metadata_change(record.metadata, new):
            changes[record.id] = change
    directory.update_metadata(changes)
    return len(changes)

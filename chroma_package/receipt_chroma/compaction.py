"""The steps of a compaction under one name, and the derived metadata of one receipt for scripts and batch jobs."""

from typing import Any

from receipt_dynamo_stream.facts import ReceiptFacts
from receipt_dynamo_stream.keys import line_record_id, parse_record_id, word_record_id

from receipt_chroma.derived import DERIVED_KEYS, DerivedMetadata
from receipt_chroma.difference import metadata_change
from receipt_chroma.merge import merge_deltas
from receipt_chroma.publish import write_manifest
from receipt_chroma.shard.chroma_dir import ChromaDir
from receipt_chroma.validate import validate_shard
from receipt_chroma.wanted import wanted_records

__all__ = ["merge_deltas", "update_receipt_metadata", "validate_shard", "wanted_records", "write_manifest"]


def update_receipt_metadata(collection: Any, facts: ReceiptFacts) -> int:
    """Bring the derived metadata of one receipt's records up to date, by the rules of the merge.

    `collection` is an open Chroma collection named `lines` or `words`; vectors, documents and other metadata are not
    touched, no record is added or removed, records that are right already are not written. Returns how many were
    written. Raises ValueError for another collection, ChromaUnreadable, DeltaMetadataInvalid for metadata without a
    normal form. Never call it on a published directory: published files do not change.
    """
    name = str(collection.name)
    if name not in DERIVED_KEYS:
        raise ValueError(f"the collection is named {name!r}, not one of {sorted(DERIVED_KEYS)}")
    receipt = facts.receipt
    if name == "lines":
        ids = [line_record_id(receipt, line) for line in sorted(facts.lines)]
    else:
        ids = [word_record_id(receipt, line, word) for line, word in sorted(facts.words)]
    directory, derived = ChromaDir.around(collection), DerivedMetadata(facts, name)
    changes = {}
    for record in directory.records(ids):
        new = derived.apply(parse_record_id(record.id), record.metadata)
        if change := metadata_change(record.metadata, new):
            changes[record.id] = change
    directory.update_metadata(changes)
    return len(changes)

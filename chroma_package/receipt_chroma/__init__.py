"""Merge deltas into ChromaDB snapshots, validate them, publish them on EFS and S3, and read them.

Importing this package imports neither chromadb nor pyarrow: both are loaded by the first function that needs them.
"""

from receipt_chroma.arrow import write_arrow_delta
from receipt_chroma.compaction import update_receipt_metadata
from receipt_chroma.deltas import DeltaRecord, read_delta, write_arrow_delta_to
from receipt_chroma.download import DownloadResult, ensure_snapshot
from receipt_chroma.manifest import Manifest, ManifestShard, load_manifest, manifest_schema
from receipt_chroma.merge import merge_shard
from receipt_chroma.pointer import Current, read_current, swap_pointer
from receipt_chroma.publish import write_manifest
from receipt_chroma.reader import SnapshotReader
from receipt_chroma.records import Record
from receipt_chroma.results import QueryHit
from receipt_chroma.validate import ShardValidation, validate_shard
from receipt_chroma.wanted import VANISHED, RunDelta, Wanted, wanted_records

__all__ = [
    "VANISHED",
    "Current",
    "DeltaRecord",
    "DownloadResult",
    "Manifest",
    "ManifestShard",
    "QueryHit",
    "Record",
    "RunDelta",
    "ShardValidation",
    "SnapshotReader",
    "Wanted",
    "ensure_snapshot",
    "load_manifest",
    "manifest_schema",
    "merge_shard",
    "read_current",
    "read_delta",
    "swap_pointer",
    "update_receipt_metadata",
    "validate_shard",
    "wanted_records",
    "write_arrow_delta",
    "write_arrow_delta_to",
    "write_manifest",
]

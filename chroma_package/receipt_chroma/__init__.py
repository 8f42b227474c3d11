"""Merge deltas into ChromaDB snapshots, validate them, publish them on EFS and S3, and read them.

Importing this package imports nothing of it: a name brings its own module when it is asked for, and chromadb and
pyarrow are loaded by the first function that needs them. Who asks for a manifest alone pays for that alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from receipt_chroma.announcing import announce_run
    from receipt_chroma.batch import announce_batch
    from receipt_chroma.compaction import update_receipt_metadata
    from receipt_chroma.delta.read import DeltaRecord, read_delta
    from receipt_chroma.delta.write import write_arrow_delta, write_arrow_delta_to
    from receipt_chroma.errors import (
        CurrentGone,
        NoSnapshotYet,
        QuestionInvalid,
        RegexUnsupported,
        SnapshotUnavailable,
        StorageUnavailable,
        UnknownCollection,
        VersionNotServed,
        WrongModel,
    )
    from receipt_chroma.merge import merge_deltas
    from receipt_chroma.publish import write_manifest
    from receipt_chroma.reader import SnapshotReader
    from receipt_chroma.records import Record
    from receipt_chroma.results import GetResult, QueryHit, QueryResult
    from receipt_chroma.snapshot.download import DownloadResult, download_snapshot
    from receipt_chroma.snapshot.manifest import Manifest, ManifestShard, load_manifest, manifest_schema
    from receipt_chroma.snapshot.pointer import Current, read_current, swap_pointer
    from receipt_chroma.validate import ShardValidation, validate_shard
    from receipt_chroma.wanted import VANISHED, RunDelta, Wanted, wanted_records

_HOMES: Final = {
    "VANISHED": "wanted",
    "Current": "snapshot.pointer",
    "CurrentGone": "errors",
    "DeltaRecord": "delta.read",
    "DownloadResult": "snapshot.download",
    "GetResult": "results",
    "Manifest": "snapshot.manifest",
    "ManifestShard": "snapshot.manifest",
    "NoSnapshotYet": "errors",
    "QueryHit": "results",
    "QueryResult": "results",
    "QuestionInvalid": "errors",
    "Record": "records",
    "RegexUnsupported": "errors",
    "RunDelta": "wanted",
    "ShardValidation": "validate",
    "SnapshotReader": "reader",
    "SnapshotUnavailable": "errors",
    "StorageUnavailable": "errors",
    "UnknownCollection": "errors",
    "VersionNotServed": "errors",
    "Wanted": "wanted",
    "WrongModel": "errors",
    "announce_batch": "batch",
    "announce_run": "announcing",
    "download_snapshot": "snapshot.download",
    "load_manifest": "snapshot.manifest",
    "manifest_schema": "snapshot.manifest",
    "merge_deltas": "merge",
    "read_current": "snapshot.pointer",
    "read_delta": "delta.read",
    "swap_pointer": "snapshot.pointer",
    "update_receipt_metadata": "compaction",
    "validate_shard": "validate",
    "wanted_records": "wanted",
    "write_arrow_delta": "delta.write",
    "write_arrow_delta_to": "delta.write",
    "write_manifest": "publish",
}

__all__ = [
    "VANISHED",
    "Current",
    "CurrentGone",
    "DeltaRecord",
    "DownloadResult",
    "GetResult",
    "Manifest",
    "ManifestShard",
    "NoSnapshotYet",
    "QueryHit",
    "QueryResult",
    "QuestionInvalid",
    "Record",
    "RegexUnsupported",
    "RunDelta",
    "ShardValidation",
    "SnapshotReader",
    "SnapshotUnavailable",
    "StorageUnavailable",
    "UnknownCollection",
    "VersionNotServed",
    "Wanted",
    "WrongModel",
    "announce_batch",
    "announce_run",
    "download_snapshot",
    "load_manifest",
    "manifest_schema",
    "merge_deltas",
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


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

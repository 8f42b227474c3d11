"""Where everything lies. EFS `{root}/{collection}/…` and S3 `snapshots/{collection}/…` hold the same immutable tree.

    CURRENT                                        the pointer, projected onto each side
    SERVING                                        which generation readers follow; without it the collection itself
    CURRENT.lock                                   EFS only
    ../{collection}.published                      EFS only, beside the folder: CURRENT was written once
    manifests/{snapshot_id}.json                   immutable
    shards/{shard:04d}/{shard_version}/<files>     a base: an immutable Chroma directory
    segments/{shard:04d}/{segment_version}.arrow   immutable
    staging/{execution}/{round}/{shard:04d}/{attempt}/<files>     EFS only, until it is renamed into its place

Paths here are relative to the collection's folder, with forward slashes.
"""

from pathlib import Path

CURRENT = "CURRENT"
CURRENT_LOCK = "CURRENT.lock"
SERVING = "SERVING"
MANIFESTS = "manifests"
SHARDS = "shards"
SEGMENTS = "segments"
STAGING = "staging"
RECEIPTS_FILE = "receipts.txt"
"""In a base of schema version 1: the sorted keys of the receipts it has, one a line."""
INDEX_FILE = "receipts.json"
"""In every other base: what it has of each receipt, see shard.index."""
ROWS_FILE = "vector_rows.bin"
"""Beside it: where in the index file the vectors of a receipt's records are."""
SEGMENT_FILE = "segment.arrow"
"""Name of a segment in its staging folder."""


def collection_folder(efs_root: Path, collection: str) -> Path:
    """The collection's folder on EFS."""
    return efs_root / collection


def published_mark(efs_root: Path, collection: str) -> Path:
    """An empty file that outlives the collection's folder: with it a CURRENT that is missing is gone."""
    return efs_root / f"{collection}.published"


def object_key(collection: str, path: str) -> str:
    """S3 key of a relative path."""
    return f"snapshots/{collection}/{path}"


def manifest_path(snapshot_id: str) -> str:
    """Relative path of a snapshot's manifest."""
    return f"{MANIFESTS}/{snapshot_id}.json"


def shard_version_of(snapshot_id: str, attempt: str) -> str:
    """Name of one shard directory: unique per attempt, so that no two writers ever share it."""
    return f"{snapshot_id}-{attempt}"


def shard_path(shard: int, shard_version: str) -> str:
    """Relative path of a published shard directory."""
    return f"{SHARDS}/{shard:04d}/{shard_version}"


def segment_path(shard: int, segment_version: str) -> str:
    """Relative path of a published segment."""
    return f"{SEGMENTS}/{shard:04d}/{segment_version}.arrow"


def staging_path(execution: str, round_number: int, shard: int, attempt: str) -> str:
    """Relative path where one attempt stages its shard."""
    return f"{STAGING}/{execution}/{round_number}/{shard:04d}/{attempt}"

"""Snapshot files in S3: fetched whole, and proved against what a manifest says of them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.round.report import FileEntry

from receipt_chroma.errors import SnapshotDamaged

PARALLEL_FILES: Final = 8


def fetch_file(bucket: Bucket, key: str, target: Path, expected: FileEntry) -> None:
    """Fetch an object into a file, which is on disk when this returns.

    Raises SnapshotDamaged, and leaves no file, unless it is there and has the expected size and sha256.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    found = bucket.fetch(key, target)
    if found != (expected.size, expected.sha256):
        target.unlink()
        problem = "is not there" if found is None else f"has {found[0]} bytes with sha256 {found[1]}"
        raise SnapshotDamaged(
            f"s3://{bucket.name}/{key} {problem}, its manifest says {expected.size} bytes with sha256"
            f" {expected.sha256}: roll back to a version that validates"
        )


def file_pool() -> ThreadPoolExecutor:
    """Threads for a handful of files at once: the time goes into latency."""
    return ThreadPoolExecutor(max_workers=PARALLEL_FILES, thread_name_prefix="snapshot-files")

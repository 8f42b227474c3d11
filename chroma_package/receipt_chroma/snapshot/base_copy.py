"""The private copy of a shard that a merge or a reader starts from, proved against the manifest."""

import logging
import tempfile
from pathlib import Path

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.round.report import FileEntry

from receipt_chroma.snapshot.manifest import ManifestShard
from receipt_chroma.storage.files import copy_in, copy_out, storage_errors, sync_folder
from receipt_chroma.storage.objects import fetch_file, file_pool
from receipt_chroma.storage.tree import STAGING, object_key

logger = logging.getLogger(__name__)


def copy_base(shard: ManifestShard, target: Path, *, bucket: Bucket, efs_folder: Path) -> None:
    """Copy a published shard from EFS into a private folder, every file hashed while it is copied.

    A file that is missing or differs from the manifest is fetched from S3, verified, and put right on EFS by rename.
    Raises SnapshotDamaged when S3 is wrong too, StorageUnavailable.
    """
    if shard.path is None:
        raise ValueError(f"shard {shard.shard} was never written")
    target.mkdir(parents=True)
    published = efs_folder / shard.path
    key = object_key(efs_folder.name, shard.path)

    def copy_one(entry: FileEntry) -> None:
        if _copied(published / entry.name, target / entry.name, entry):
            return
        logger.warning(
            "EFS file differs from its manifest; fetching it again", extra={"path": f"{published}/{entry.name}"}
        )
        fetch_file(bucket, f"{key}/{entry.name}", target / entry.name, entry)
        with storage_errors():
            put_in_place(target / entry.name, published / entry.name, efs_folder)

    with file_pool() as pool:
        list(pool.map(copy_one, shard.files))


def put_in_place(source: Path, target: Path, efs_folder: Path) -> None:
    """Copy a verified file into the immutable tree: temp file in staging, fsync, rename."""
    staging = efs_folder / STAGING
    staging.mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=staging, prefix="repair-") as folder:
        copy_out(source, Path(folder) / target.name)
        (Path(folder) / target.name).replace(target)
    sync_folder(target.parent)


def _copied(source: Path, target: Path, expected: FileEntry) -> bool:
    with storage_errors():
        try:
            return copy_in(source, target) == (expected.size, expected.sha256)
        except (FileNotFoundError, NotADirectoryError):
            return False

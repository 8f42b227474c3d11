"""Staging a merged shard: copied to EFS where no reader looks, uploaded to S3 under its final name."""

from pathlib import Path
from typing import Any

from receipt_dynamo_stream.plan import Plan
from receipt_dynamo_stream.report import FileEntry

from receipt_chroma.files import copy_file, file_names, storage_errors, sync_folder
from receipt_chroma.objects import file_pool, put_file
from receipt_chroma.tree import collection_folder, object_key, shard_path, shard_version_of, staging_path


def stage_files(
    folder: Path, *, plan: Plan, shard: int, attempt: str, s3: Any, bucket: str, efs_root: Path
) -> tuple[FileEntry, ...]:
    """Bring a closed shard directory to EFS staging (on disk when this returns) and to S3; the files with sha256.

    Both places carry the attempt, so a late or repeated one overwrites nothing. Raises StorageUnavailable,
    TransientServiceError.
    """
    staged = collection_folder(efs_root, plan.collection) / staging_path(plan.execution, plan.round, shard, attempt)
    key = object_key(plan.collection, shard_path(shard, shard_version_of(plan.snapshot_id, attempt)))

    def stage_one(name: str) -> FileEntry:
        with storage_errors():
            size, digest = copy_file(folder / name, staged / name, sync=True)
        put_file(s3, bucket, f"{key}/{name}", folder / name)
        return FileEntry(name, size, digest)

    with file_pool() as pool:
        entries = tuple(pool.map(stage_one, file_names(folder)))
    with storage_errors():
        for path in sorted(path for path in staged.rglob("*") if path.is_dir()):
            sync_folder(path)
        sync_folder(staged)
    return entries

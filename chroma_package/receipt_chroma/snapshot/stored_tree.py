"""What lies in a collection's tree on S3 and EFS, how old it is, and its deletion."""

import shutil
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from receipt_dynamo_stream.bucket import Bucket

from receipt_chroma.storage.files import storage_errors
from receipt_chroma.storage.tree import MANIFESTS, SEGMENTS, SHARDS, STAGING, object_key

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass
class Entry:
    """A manifest, a base, a segment or a staging folder: how big, when it was last written, and its S3 objects."""

    bytes: int = 0
    changed: datetime = _NEVER
    keys: list[str] = field(default_factory=list)

    def note(self, size: int, changed: datetime) -> None:
        """Take in one file or object."""
        self.bytes += size
        self.changed = max(self.changed, changed)


@dataclass(frozen=True)
class StoredTree:
    """Entries by their path relative to the collection's folder; one entry stands for both places."""

    manifests: dict[str, Entry]
    shards: dict[str, Entry]
    segments: dict[str, Entry]
    staging: dict[str, Entry]


def read_tree(bucket: Bucket, efs_folder: Path) -> StoredTree:
    """List S3 and EFS. Raises StorageUnavailable, TransientServiceError."""
    tree = StoredTree({}, {}, {}, {})
    prefix = object_key(efs_folder.name, "")
    for found in bucket.list(prefix):
        entry = _entry(tree, found.key.removeprefix(prefix).split("/"))
        if entry is not None:
            entry.note(found.size, found.written_at)
            entry.keys.append(found.key)
    with storage_errors():
        for top in (MANIFESTS, SHARDS, SEGMENTS, STAGING):
            for path in (efs_folder / top).rglob("*"):
                entry = _entry(tree, list(path.relative_to(efs_folder).parts))
                try:
                    status = path.lstat()
                except FileNotFoundError:
                    continue  # renamed or removed since it was listed
                if entry is not None:
                    entry.note(0 if path.is_dir() else status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))
    return tree


def delete_entry(bucket: Bucket, efs_folder: Path, path: str, entry: Entry) -> list[str]:
    """Remove one entry from EFS and S3; what did not go, and why: whatever else of it can be removed is. May run twice.

    Raises TransientServiceError when S3 does not answer.
    """
    from botocore.exceptions import ClientError

    problems = [f"{error.filename or path}: {error.strerror or error}" for error in _remove(efs_folder / path)]
    try:
        refused = bucket.delete_all(entry.keys)
    except ClientError as error:
        return [*problems, f"s3://{bucket.name}/{entry.keys[0]}: {error}"]
    return [*problems, *(f"s3://{bucket.name}/{one.get('Key')}: {one.get('Code')}" for one in refused)]


def _remove(target: Path) -> list[OSError]:
    """Remove a file or a folder; the errors of what cannot be removed (on NFS a file that somebody has open)."""
    errors: list[OSError] = []

    def note(_function: object, _path: str, error: BaseException | tuple[object, BaseException, object]) -> None:
        failed = error[1] if isinstance(error, tuple) else error
        if isinstance(failed, OSError) and not isinstance(failed, FileNotFoundError):
            errors.append(failed)

    try:
        if not target.is_dir() or target.is_symlink():
            target.unlink(missing_ok=True)
        elif sys.version_info >= (3, 12):
            shutil.rmtree(target, onexc=note)
        else:
            shutil.rmtree(target, onerror=note)
    except OSError as error:
        errors.append(error)
    return errors


def _entry(tree: StoredTree, parts: list[str]) -> Entry | None:
    """The entry that a path belongs to; None for folders above the entries."""
    if parts[0] == MANIFESTS and len(parts) == 2:
        return tree.manifests.setdefault("/".join(parts), Entry())
    if parts[0] == SHARDS and len(parts) >= 3:
        return tree.shards.setdefault("/".join(parts[:3]), Entry())
    if parts[0] == SEGMENTS and len(parts) == 3:
        return tree.segments.setdefault("/".join(parts), Entry())
    if parts[0] == STAGING and len(parts) >= 2:
        return tree.staging.setdefault("/".join(parts[:2]), Entry())
    return None

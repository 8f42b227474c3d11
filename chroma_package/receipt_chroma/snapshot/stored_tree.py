"""What lies in a collection's tree on S3 and EFS, how old it is, and its deletion."""

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from receipt_dynamo_stream.bucket import Bucket

from receipt_chroma.errors import StorageUnavailable
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


def delete_entry(bucket: Bucket, efs_folder: Path, path: str, entry: Entry) -> None:
    """Remove one entry from EFS, then from S3. May run twice. Raises StorageUnavailable, TransientServiceError."""
    target = efs_folder / path
    with storage_errors():
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)
    if problems := bucket.delete_all(entry.keys):
        raise StorageUnavailable(f"S3 did not delete {len(problems)} objects: {problems[0]}")


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

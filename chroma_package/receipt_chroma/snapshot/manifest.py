"""The manifest: the immutable list of a snapshot's shards and files, with counts, digest and parent.

`manifests/{snapshot_id}.json` on EFS and S3; its JSON Schema is `manifest.schema.json` beside this file. Equal
manifests have equal bytes, so that a step that runs twice writes the same object, and the pointer's sha256 proves it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib import resources
from typing import Any, Final, Self

from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.errors import SchemaUnsupported
from receipt_dynamo_stream.round.report import FileEntry

from receipt_chroma.errors import SnapshotDamaged
from receipt_chroma.records import EMPTY_DIGEST
from receipt_chroma.storage.objects import read_whole
from receipt_chroma.storage.tree import manifest_path, object_key

SCHEMA_VERSION: Final = 1


@dataclass(frozen=True)
class ManifestShard:
    """One shard of a snapshot. path is relative to the collection's folder, None while nothing was ever written."""

    shard: int
    path: str | None = None
    files: tuple[FileEntry, ...] = ()
    records: int = 0
    tombstones: int = 0
    digest: str = EMPTY_DIGEST

    @property
    def total_bytes(self) -> int:
        """Size of the shard's files."""
        return sum(entry.size for entry in self.files)


@dataclass(frozen=True)
class Manifest:
    """One snapshot. dimension is None while no vector was ever seen; digest is the sum of the shards' digests."""

    collection: str
    version: int
    snapshot_id: str
    parent: Pointer | None
    dimension: int | None
    space: str
    chromadb_version: str
    shard_count: int
    records: int
    digest: str
    shards: tuple[ManifestShard, ...]
    plan_key: str
    execution: str
    trigger: str
    created_at: str

    @property
    def total_bytes(self) -> int:
        """Size of all files that the snapshot names."""
        return sum(shard.total_bytes for shard in self.shards)

    @property
    def pointer(self) -> Pointer:
        """What HEAD says of this snapshot once it is committed."""
        key = object_key(self.collection, manifest_path(self.snapshot_id))
        return Pointer(self.version, self.snapshot_id, key, sha256(self.encode()).hexdigest())

    def encode(self) -> bytes:
        """The stored form: JSON, the same bytes for equal manifests."""
        value = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        value["parent"] = self.parent.to_json() if self.parent else None
        return (json.dumps(value, indent=1) + "\n").encode()

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """What encode gave. Raises SchemaUnsupported, SnapshotDamaged."""
        try:
            value = json.loads(content)
            found = value.pop("schema_version")
            if found != SCHEMA_VERSION:
                raise SchemaUnsupported("the manifest", found, (SCHEMA_VERSION,))
            return cls._from_json(value)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SnapshotDamaged(f"the manifest cannot be read: {error!r}") from error

    @classmethod
    def _from_json(cls, value: dict[str, Any]) -> Self:
        parent, shards = value.pop("parent"), value.pop("shards")
        return cls(
            **value,
            parent=Pointer.from_json(parent) if parent else None,
            shards=tuple(_shard_from_json(shard) for shard in shards),
        )


def _shard_from_json(value: Mapping[str, Any]) -> ManifestShard:
    return ManifestShard(**{**value, "files": tuple(FileEntry(**entry) for entry in value["files"])})


def manifest_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a manifest's stored form."""
    text = resources.files(__package__).joinpath("manifest.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def check_manifest(content: bytes, expected_sha256: str, where: str) -> Manifest:
    """The manifest of these bytes. Raises SnapshotDamaged unless they have this sha256."""
    found = sha256(content).hexdigest()
    if found != expected_sha256:
        raise SnapshotDamaged(f"{where} has sha256 {found}, its pointer says {expected_sha256}")
    return Manifest.decode(content)


def load_manifest(s3: Any, bucket: str, pointer: Pointer) -> Manifest:
    """The manifest that a pointer names, from S3. Raises SnapshotDamaged, SchemaUnsupported, TransientServiceError."""
    content = read_whole(s3, bucket, pointer.manifest_key)
    where = f"s3://{bucket}/{pointer.manifest_key}"
    if content is None:
        raise SnapshotDamaged(f"{where} is not there: restore it from a copy of the bucket, or roll back")
    return check_manifest(content, pointer.manifest_sha256, where)

"""The manifest: the immutable list of a snapshot's shards and files, with counts, digest and parent.

`manifests/{snapshot_id}.json` on EFS and S3; its JSON Schema is `manifest.schema.json` beside this file. Equal
manifests have equal bytes, so that a step that runs twice writes the same object, and the pointer's sha256 proves it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import sha256
from importlib import resources
from typing import Any, Final, Self

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.control.versions import VersionRow
from receipt_dynamo_stream.errors import SchemaUnsupported
from receipt_dynamo_stream.round.report import FileEntry, ReceiptContent
from receipt_dynamo_stream.times import normal_time

from receipt_chroma.digests import EMPTY_DIGEST
from receipt_chroma.errors import SnapshotDamaged
from receipt_chroma.storage.tree import INDEX_FILE, manifest_path, object_key

SCHEMA_VERSION: Final = 2
"""Of what is written. 1 knows no segments and no kind; it is read, and written again as it was."""

MERGE: Final = "merge"
FOLD: Final = "fold"
RESHARD: Final = "reshard"
ROLLBACK: Final = "rollback"
RESTORE: Final = "restore"
SAME_RECORDS: Final = (FOLD, RESHARD)
"""Kinds of a version whose records are its parent's."""


@dataclass(frozen=True)
class ManifestSegment:
    """One segment of a shard: a file relative to the collection's folder, and the receipts that it covers, by key."""

    path: str
    size: int
    sha256: str
    receipts: tuple[ReceiptContent, ...]

    @property
    def records(self) -> int:
        """How many records it holds."""
        return sum(receipt.records for receipt in self.receipts)


@dataclass(frozen=True)
class ManifestShard:
    """One shard of a snapshot: a base directory, and the segments over it, oldest first.

    path is relative to the collection's folder, None while no base was ever written; files, tombstones, base_records
    and base_digest are the base's. records and digest are what base and segments come to together.
    """

    shard: int
    path: str | None = None
    files: tuple[FileEntry, ...] = ()
    records: int = 0
    tombstones: int = 0
    digest: str = EMPTY_DIGEST
    base_records: int = 0
    base_digest: str = EMPTY_DIGEST
    segments: tuple[ManifestSegment, ...] = ()

    @property
    def total_bytes(self) -> int:
        """Size of the base's files and of the segments."""
        return sum(entry.size for entry in self.files) + sum(segment.size for segment in self.segments)

    @property
    def is_plain(self) -> bool:
        """Whether the base has no index of its receipts: those of schema version 1 have none."""
        return all(entry.name != INDEX_FILE for entry in self.files)

    @property
    def fresh_records(self) -> int:
        """Records in segments, those that a newer segment covers again too."""
        return sum(segment.records for segment in self.segments)


@dataclass(frozen=True)
class Manifest:
    """One snapshot. dimension is None while no vector was ever seen; digest is the sum of the shards' digests.

    kind: what made it, MERGE, FOLD (the same records as its parent's), RESHARD (the same, in another number of shards),
    ROLLBACK, or RESTORE (its parent's shards, under a version that readers have not seen); None in schema version 1.
    model: of which all vectors are; "" for a collection's first one, and then it is not written.
    """

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
    kind: str | None = MERGE
    model: str = ""
    schema_version: int = SCHEMA_VERSION

    @property
    def total_bytes(self) -> int:
        """Size of all files that the snapshot names."""
        return sum(shard.total_bytes for shard in self.shards)

    @property
    def segment_count(self) -> int:
        """How many segments its shards have."""
        return sum(len(shard.segments) for shard in self.shards)

    @property
    def fresh_records(self) -> int:
        """Records in segments."""
        return sum(shard.fresh_records for shard in self.shards)

    @property
    def pointer(self) -> Pointer:
        """What HEAD says of this snapshot once it is committed."""
        key = object_key(self.collection, manifest_path(self.snapshot_id))
        return Pointer(self.version, self.snapshot_id, key, sha256(self.encode()).hexdigest())

    def row(self, execution: str, **known: Any) -> VersionRow:
        """Its VERSION row, a candidate. execution: the ARN of what made it; known: what only its maker knows."""
        pointer = self.pointer
        return VersionRow(
            snapshot_id=self.snapshot_id,
            parent=self.parent.snapshot_id if self.parent else None,
            manifest_key=pointer.manifest_key,
            manifest_sha256=pointer.manifest_sha256,
            plan_key=self.plan_key,
            execution=execution,
            trigger=self.trigger,
            created_at=normal_time(self.created_at),
            records=self.records,
            bytes=self.total_bytes,
            kind=self.kind,
            segments=self.segment_count,
            fresh_records=self.fresh_records,
            **known,
        )

    def encode(self) -> bytes:
        """The stored form: JSON, the same bytes for equal manifests; of one that was read, what was read."""
        return self._stored

    @cached_property
    def _stored(self) -> bytes:
        # Kept: a publication asks four times, and with hundreds of segments that took ten milliseconds each time.
        value = {"schema_version": self.schema_version, **asdict(self)}
        value["parent"] = self.parent.to_json() if self.parent else None
        if not self.model:
            del value["model"]
        if self.schema_version == 1:
            del value["kind"]
            value["shards"] = [{name: shard[name] for name in _SHARD_1} for shard in value["shards"]]
        return (json.dumps(value, indent=1) + "\n").encode()

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """What encode gave. Raises SchemaUnsupported, SnapshotDamaged."""
        try:
            value = json.loads(content)
            if value["schema_version"] not in (1, SCHEMA_VERSION):
                raise SchemaUnsupported("the manifest", value["schema_version"], (1, SCHEMA_VERSION))
            manifest = cls._from_json(value)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SnapshotDamaged(f"the manifest cannot be read: {error!r}") from error
        vars(manifest)["_stored"] = content
        return manifest

    @classmethod
    def _from_json(cls, value: dict[str, Any]) -> Self:
        parent, shards = value.pop("parent"), value.pop("shards")
        return cls(
            **{"kind": None, **value},
            parent=Pointer.from_json(parent) if parent else None,
            shards=tuple(_shard_from_json(shard) for shard in shards),
        )


_SHARD_1: Final = ("shard", "path", "files", "records", "tombstones", "digest")


def _shard_from_json(value: Mapping[str, Any]) -> ManifestShard:
    base = {"base_records": value["records"], "base_digest": value["digest"], "segments": ()}
    known = {**base, **value}
    known["files"] = tuple(FileEntry(**entry) for entry in value["files"])
    known["segments"] = tuple(_segment_from_json(segment) for segment in known["segments"])
    return ManifestShard(**known)


def _segment_from_json(value: Mapping[str, Any]) -> ManifestSegment:
    return ManifestSegment(**{**value, "receipts": tuple(ReceiptContent(**one) for one in value["receipts"])})


def manifest_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a manifest's stored form."""
    text = resources.files(__package__).joinpath("manifest.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def check_manifest(content: bytes, expected_sha256: str, where: str) -> Manifest:
    """The manifest of these bytes. Raises SnapshotDamaged unless they have this sha256."""
    found = sha256(content).hexdigest()
    if found != expected_sha256:
        raise SnapshotDamaged(
            f"{where} has sha256 {found[:12]}…, its pointer says {expected_sha256[:12]}…: restore it from a copy of"
            " the bucket, or roll back"
        )
    return Manifest.decode(content)


def load_manifest(bucket: Bucket, pointer: Pointer) -> Manifest:
    """The manifest that a pointer names, from S3. Raises SnapshotDamaged, SchemaUnsupported, TransientServiceError."""
    content = bucket.find(pointer.manifest_key)
    where = f"s3://{bucket.name}/{pointer.manifest_key}"
    if content is None:
        raise SnapshotDamaged(f"{where} is not there: restore it from a copy of the bucket, or roll back")
    return check_manifest(content, pointer.manifest_sha256, where)

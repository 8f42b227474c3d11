"""What a stack keeps on S3 of each version: manifests, shards' files, plans and merge reports.

What is gone by a lifecycle rule is None; what a version needs and is gone or damaged is VersionUnreadable.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol

from receipt_chroma.errors import ShardInvalid, SnapshotDamaged, SnapshotUnavailable
from receipt_chroma.snapshot.download import download_shards
from receipt_chroma.snapshot.lineage import snapshot_ids
from receipt_chroma.snapshot.manifest import Manifest, ManifestShard, load_manifest
from receipt_chroma.snapshot.pointer import Current
from receipt_chroma.snapshot.receipts import load_receipts
from receipt_chroma.snapshot.serving import Serving, read_stored_serving
from receipt_chroma.snapshot.stored_pointer import read_stored_current
from receipt_chroma.storage.tree import MANIFESTS, manifest_path, object_key
from receipt_dynamo_stream.bucket import Bucket, ListedObject
from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.errors import PlanMissing, ReportMissing, SchemaUnsupported
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.round.plan import Plan, load_plan
from receipt_dynamo_stream.round.report import ShardReport, load_report

from operate.errors import VersionUnreadable


class HasBucket(Protocol):
    """The services of a stack, or a bucket alone; it is made when it is first asked for."""

    @property
    def bucket(self) -> Bucket: ...


class Stored:
    """What lies on S3 behind a pointer or an execution's name; every read raises TransientServiceError too."""

    def __init__(self, services: HasBucket) -> None:
        self._services = services

    def manifest(self, pointer: Pointer) -> Manifest:
        """The manifest that a pointer names, proved by its sha256. Raises VersionUnreadable."""
        with unreadable(f"the manifest of version {pointer.version} cannot be read"):
            return load_manifest(self._services.bucket, pointer)

    def current(self, collection: str) -> Current | None:
        """What the bucket's CURRENT says; None without one. Raises VersionUnreadable."""
        with unreadable(f"CURRENT of {collection} in the bucket cannot be read"):
            return read_stored_current(self._services.bucket, collection)

    def current_manifest(self, collection: str, current: Current) -> Manifest:
        """The manifest that a CURRENT names, proved by its sha256. Raises VersionUnreadable."""
        key = object_key(collection, manifest_path(current.snapshot_id))
        return self.manifest(Pointer(current.version, current.snapshot_id, key, current.manifest_sha256))

    def snapshot_ids(self, collection: str) -> list[str]:
        """Whose manifests are there, oldest first: published versions and what lost attempts left."""
        keys = self._services.bucket.list(object_key(collection, f"{MANIFESTS}/"))
        return snapshot_ids(PurePosixPath(one.key).name for one in keys)

    def serving(self, collection: str) -> Serving:
        """Which generation the bucket says serves. Raises VersionUnreadable."""
        with unreadable(f"SERVING of {collection} in the bucket cannot be read"):
            return read_stored_serving(self._services.bucket, collection)

    def manifest_content(self, collection: str, snapshot_id: str) -> bytes | None:
        """A manifest as it is stored; nothing proves it. None when it is gone."""
        return self._services.bucket.find(object_key(collection, manifest_path(snapshot_id)))

    def sizes(self, collection: str) -> dict[str, int]:
        """Every object of a collection's snapshots, by its path relative to the collection's folder."""
        prefix = object_key(collection, "")
        return {one.key.removeprefix(prefix): one.size for one in self._services.bucket.list(prefix)}

    def receipts(self, manifest: Manifest) -> list[ReceiptId]:
        """The receipts that a version has, shard by shard. Raises VersionUnreadable unless all lists are whole."""
        with unreadable(f"the receipts of version {manifest.version} cannot be read"):
            return [
                receipt
                for shard in manifest.shards
                for receipt in load_receipts(self._services.bucket, manifest.collection, shard)
            ]

    def bring_files(self, root: Path, collection: str, shards: Iterable[ManifestShard]) -> None:
        """Fetch the files of these shards that the tree below `root` lacks, each verified. Raises VersionUnreadable."""
        with unreadable("a file is gone"):
            download_shards(self._services.bucket, root, collection, shards)

    def plan(self, key: str) -> Plan | None:
        """A plan; None when it is gone. Raises SchemaUnsupported, StoredObjectDamaged."""
        try:
            return load_plan(self._services.bucket, key)
        except PlanMissing:
            return None

    def report(self, key: str) -> ShardReport | None:
        """A merge report; None when it is gone. Raises SchemaUnsupported, StoredObjectDamaged."""
        try:
            return load_report(self._services.bucket, key)
        except ReportMissing:
            return None

    def plans_of(self, collection: str, execution: str) -> list[ListedObject]:
        """All plans that an execution, given by its whole name, left: several of a round where a step was retried."""
        return list(self._services.bucket.list(f"plans/{collection}/{execution}/"))

    def reports_of(self, collection: str, execution: str) -> list[ListedObject]:
        """All merge reports that an execution left: several of a shard where a step was retried."""
        return list(self._services.bucket.list(f"reports/{collection}/{execution}/"))


@contextmanager
def unreadable(what: str) -> Iterator[None]:
    """Say by VersionUnreadable that something is not what it must be."""
    try:
        yield
    except (SnapshotDamaged, SnapshotUnavailable, ShardInvalid, SchemaUnsupported) as error:
        raise VersionUnreadable(f"{what}: {error}") from error

"""What a stack keeps on S3 of each version: manifests, shards' files, plans and merge reports.

What is gone by a lifecycle rule is None; what a version needs and is gone or damaged is VersionUnreadable.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.errors import PlanMissing, ReportMissing
from receipt_dynamo_stream.round.plan import Plan, load_plan
from receipt_dynamo_stream.round.report import ShardReport, load_report

from operate.api import Api
from operate.errors import VersionUnreadable

if TYPE_CHECKING:
    from receipt_chroma.snapshot.manifest import Manifest, ManifestShard


@dataclass(frozen=True)
class StoredObject:
    """An object's key, and when it was written."""

    key: str
    written_at: datetime


class StoredApi(Api):
    """The API, with what lies on S3 behind a pointer or an execution's name."""

    def stored_manifest(self, pointer: Pointer) -> "Manifest":
        """The manifest that a pointer names. Raises VersionUnreadable."""
        from receipt_chroma.errors import SnapshotDamaged
        from receipt_chroma.snapshot.manifest import load_manifest

        try:
            return load_manifest(Bucket(self._s3, self.connection.bucket), pointer)
        except SnapshotDamaged as error:
            raise VersionUnreadable(f"the manifest of version {pointer.version} cannot be read: {error}") from error

    def bring_files(self, root: Path, collection: str, shards: Iterable["ManifestShard"]) -> None:
        """Fetch the files of these shards that the tree below `root` lacks, each verified. Raises VersionUnreadable."""
        from receipt_chroma.errors import SnapshotDamaged
        from receipt_chroma.snapshot.download import ensure_shards

        try:
            ensure_shards(Bucket(self._s3, self.connection.bucket), root, collection, shards)
        except SnapshotDamaged as error:
            raise VersionUnreadable(f"a file is gone: {error}") from error

    def stored_plan(self, key: str) -> Plan | None:
        """A plan; None when it is gone. Raises SchemaUnsupported, StoredObjectDamaged."""
        try:
            return load_plan(Bucket(self._s3, self.connection.bucket), key)
        except PlanMissing:
            return None

    def stored_report(self, key: str) -> ShardReport | None:
        """A merge report; None when it is gone. Raises SchemaUnsupported, StoredObjectDamaged."""
        try:
            return load_report(Bucket(self._s3, self.connection.bucket), key)
        except ReportMissing:
            return None

    def plans_of(self, collection: str, execution: str) -> list[StoredObject]:
        """All plans that an execution, given by its whole name, left: several of a round where a step was retried."""
        return self._listed(f"plans/{collection}/{execution}/")

    def reports_of(self, collection: str, execution: str) -> list[StoredObject]:
        """All merge reports that an execution left: several of a shard where a step was retried."""
        return self._listed(f"reports/{collection}/{execution}/")

    def _listed(self, prefix: str) -> list[StoredObject]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.connection.bucket, Prefix=prefix)
        return [
            StoredObject(found["Key"], found["LastModified"]) for page in pages for found in page.get("Contents", ())
        ]

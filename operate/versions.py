"""The versions of a collection: which there are, keeping one, and executions that prove, roll back to or expire one.

Everything that publishes or deletes is an execution that takes the lease and commits; nothing here does it beside them.
"""

from dataclasses import asdict, dataclass
from typing import Any

from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.control.versions import VersionRow

from operate.collections import Collections
from operate.errors import SnapshotNotFound, VersionRefused
from operate.executions import Executions
from operate.lineage import Version, find_version, lineage
from operate.services import Services


@dataclass(frozen=True)
class Expiry:
    """What expiry did, or would do. Versions marked EXPIRED; manifests, shards (bases), segments and staging folders
    deleted, on EFS and S3 together `bytes`. `fenced`: it stopped, because another execution has the lease."""

    dry_run: bool
    fenced: bool
    expired: int
    manifests: int
    shards: int
    staging: int
    bytes: int
    segments: int = 0

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


class Versions:
    """A version is given by number or snapshot id, None is the current one; unless a method says otherwise it raises
    VersionNotFound, and VersionRefused for one that is EXPIRED."""

    def __init__(self, services: Services, collections: Collections, executions: Executions) -> None:
        self._services = services
        self._collections = collections
        self._executions = executions

    # What is

    def of(self, collection: str) -> list[Version]:
        """HEAD's chain from HEAD back, then what was never published."""
        rows = self._services.control.versions(collection).list()
        return lineage(self._collections.head(collection), rows)

    def rows(self, collection: str, first: int, last: int) -> list[VersionRow]:
        """The VERSION rows of these version numbers, both included."""
        return self._services.control.versions(collection).between(first, last)

    def find(self, collection: str, given: str | None, *, expired: bool = False) -> Version:
        """A published version, with `expired` also one whose files may be gone."""
        return find_version(collection, self.of(collection), given, expired=expired)

    def pointer(self, collection: str, given: str | None) -> Pointer:
        """Where the manifest of a version is. Raises SnapshotNotFound too, before the first publication."""
        if given is not None:
            return self.find(collection, given).pointer
        head = self._collections.head(collection)
        if head is None or head.pointer is None:
            raise SnapshotNotFound(f"no snapshot of {collection} yet: `compaction status` says what waits")
        return head.pointer

    # Keeping

    def pin(self, collection: str, given: str, why: str) -> Version:
        """Keep a version until it is unpinned."""
        version = self.find(collection, given)
        text = f"{self._services.now().isoformat(timespec='seconds')} {why}"
        if not self._services.control.versions(collection).pin(version.snapshot_id, text):
            raise VersionRefused(f"version {version.version} of {collection} was marked EXPIRED just now")
        return version

    def unpin(self, collection: str, given: str) -> Version:
        """Leave a version to expiry again."""
        version = self.find(collection, given)
        self._services.control.versions(collection).unpin(version.snapshot_id)
        return version

    # Executions about versions; each returns the ARN of the one that it started

    def verify(self, collection: str, given: str | None) -> str:
        """Prove every file and every record of a version again."""
        return self._executions.start(collection, "verify", snapshot_id=self.find(collection, given).snapshot_id)

    def to_roll_back(self, collection: str, given: str) -> tuple[Version, Version]:
        """The current version, and the one to publish again. Raises VersionRefused for the current one too."""
        current, target = self.find(collection, None), self.find(collection, given)
        if target.state == "current":
            raise VersionRefused(f"version {target.version} of {collection} is the current one: name an older version")
        return current, target

    def rollback(self, collection: str, given: str) -> str:
        """Publish an older version again, and pause. Raises as `to_roll_back` does."""
        _, target = self.to_roll_back(collection, given)
        return self._executions.start(collection, "rollback", snapshot_id=target.snapshot_id)

    def expire(self, collection: str, *, apply: bool) -> str:
        """Mark and delete what no retained version needs; unless `apply` only say what that would be."""
        return self._executions.start(collection, "expire", apply=apply)

    def fold(self, collection: str) -> str:
        """Fold every shard that has a segment: new bases with the same records."""
        return self._executions.start(collection, "fold", all=True)

    def restore(self, collection: str) -> str:
        """Compare what readers see with HEAD now, and bring what is wrong from S3; paused or not."""
        return self._executions.start(collection, "restore")

    def expiry(self, execution: str) -> Expiry | None:
        """What an ended execution of mode `expire` did or would do; None when it got to no answer."""
        said = self._executions.output(execution).get("expired")
        if not said:
            return None
        return Expiry(**{name: said[name] for name in Expiry.__dataclass_fields__ if name in said})

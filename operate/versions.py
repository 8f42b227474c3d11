"""The versions of a collection: which there are, keeping one, and the executions that are about them.

Everything that publishes or deletes is an execution that takes the lease and commits; nothing here does it beside them.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.control.versions import EXPIRED, VersionRow

from operate.collections import Collections
from operate.errors import SnapshotNotFound, VersionNotFound, VersionRefused
from operate.executions import Executions
from operate.lineage import ArchivedVersions, Version, archived_version, find_version, lineage, version_number
from operate.resharding import ReshardPlan, number_of_shards, plan_reshard
from operate.services import Services
from operate.stored import Stored
from operate.wording import count_of


@dataclass(frozen=True)
class Expiry:
    """What expiry did, or would do. Versions marked EXPIRED; manifests, shards (bases), segments and staging folders
    deleted, on EFS and S3 together `bytes`. `fenced`: it stopped, because another execution has the lease.

    `archived` rows of long expired versions left for the archive. `unremovable` entries could not be deleted; the first
    are `named`, with the reason. `more`: it stopped at its bound of rows, and the next expiry goes on."""

    dry_run: bool
    fenced: bool
    expired: int
    manifests: int
    shards: int
    staging: int
    bytes: int
    segments: int = 0
    archived: int = 0
    unremovable: int = 0
    named: Sequence[str] = ()
    more: bool = False

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


class Versions:
    """A version is given by number or snapshot id, None is the current one; unless a method says otherwise it raises
    VersionNotFound, and VersionRefused for one that is EXPIRED."""

    def __init__(self, services: Services, stored: Stored, collections: Collections, executions: Executions) -> None:
        self._services = services
        self._stored = stored
        self._collections = collections
        self._executions = executions

    # What is

    def of(self, collection: str) -> list[Version]:
        """HEAD's chain from HEAD back, then what was never published; what expired long ago is in `archived`."""
        rows = self._services.control.versions(collection).list()
        return lineage(self._collections.head(collection), rows)

    def rows(self, collection: str, first: int, last: int) -> list[VersionRow]:
        """The VERSION rows of these version numbers, both included."""
        return self._services.control.versions(collection).between(first, last)

    def archived(self, collection: str, before: str | None = None, limit: int = 20) -> ArchivedVersions:
        """What expired so long ago that no list has it any more: a page, the newest first, older than a snapshot id."""
        rows = self._services.control.versions(collection).archived(before=before, limit=limit)
        found = tuple(map(archived_version, rows))
        return ArchivedVersions(found, found[-1].snapshot_id if len(found) == limit else None)

    def archived_one(self, collection: str, snapshot_id: str) -> Version | None:
        """An archived version by its snapshot id; None for one that is not in the archive."""
        row = self._services.control.versions(collection).read(snapshot_id)
        return archived_version(row) if row is not None and row.state == EXPIRED else None

    def row(self, collection: str, snapshot_id: str) -> VersionRow:
        """The VERSION row of a snapshot id, archived or not. Raises VersionNotFound."""
        row = self._services.control.versions(collection).read(snapshot_id)
        if row is None:
            raise VersionNotFound(f"no version {snapshot_id} of {collection}: `compaction versions` lists them")
        return row

    def find(self, collection: str, given: str | None, *, expired: bool = False) -> Version:
        """A published version, with `expired` also one whose files may be gone."""
        versions = self.of(collection)
        try:
            return find_version(collection, versions, given, expired=expired)
        except VersionNotFound:
            return find_version(collection, self._archived_as(collection, given), given, expired=expired)

    def _archived_as(self, collection: str, given: str | None) -> list[Version]:
        """The archived versions of a number or snapshot id."""
        number = version_number(given)
        if number is None:
            return []
        rows = self._services.control.versions(collection).between(number, number)
        return [archived_version(row) for row in rows if row.state == EXPIRED]

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

    def expire(self, collection: str, *, apply: bool, before: str | None = None) -> str:
        """Mark and delete what no retained version needs; unless `apply` only say what that would be.

        before: a version; older ones are given up however new they are. Raises as `find` does, and VersionRefused while
        an older one is pinned.
        """
        if before is None:
            return self._executions.start(collection, "expire", apply=apply)
        bound = self.find(collection, before, expired=True).version
        pinned = [str(one.version) for one in self.of(collection) if one.pinned and one.version < bound]
        if pinned:
            raise VersionRefused(
                f"older than version {bound} of {collection} and pinned: {', '.join(pinned)}; unpin what may go"
            )
        return self._executions.start(collection, "expire", apply=apply, before=bound)

    def fold(self, collection: str, *, rebuild: bool = False) -> str:
        """Fold every shard that has a segment: new bases with the same records.

        rebuild: every shard, from its live records alone, so that a new base holds no byte of a deleted one.
        """
        more: dict[str, bool] = {"rebuild": True} if rebuild else {}
        return self._executions.start(collection, mode="fold", trigger="operator", all=True, **more)

    def to_reshard(self, collection: str, into: int) -> ReshardPlan:
        """What a re-shard would take. Raises UsageError for what is no number of shards, VersionRefused for the present
        one, SnapshotNotFound, VersionUnreadable."""
        number_of_shards(into)
        manifest = self._stored.manifest(self.pointer(collection, None))
        if manifest.shard_count == into:
            raise VersionRefused(f"{collection} has {count_of(into, 'shard')} already: nothing was done")
        return plan_reshard(manifest, into)

    def reshard(self, collection: str, into: int) -> str:
        """Bring the same records into another number of shards. Raises as `to_reshard` does."""
        self.to_reshard(collection, into)
        return self._executions.start(collection, "reshard", shards=into)

    def restore(self, collection: str) -> str:
        """Compare what readers see with HEAD now, and bring what is wrong from S3; paused or not."""
        return self._executions.start(collection, "restore")

    def expiry(self, execution: str) -> Expiry | None:
        """What an ended execution of mode `expire` did or would do; None when it got to no answer."""
        said = self._executions.output(execution).get("expired")
        if not said:
            return None
        return Expiry(**{name: said[name] for name in Expiry.__dataclass_fields__ if name in said})

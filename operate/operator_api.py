"""What an operator may do to what is published and to what waits: versions, pauses, quarantine.

Everything that publishes or deletes is an execution that takes the lease and commits; nothing here does it beside them.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from receipt_dynamo_stream.control import pausing
from receipt_dynamo_stream.control.head import Head, Pointer
from receipt_dynamo_stream.control.pausing import Resumed
from receipt_dynamo_stream.control.quarantine import Quarantine, QuarantinedRun
from receipt_dynamo_stream.names import COLLECTIONS
from receipt_dynamo_stream.runs import RunStates

from operate.errors import NothingToPause, ResumeRefused, RunAmbiguous, RunNotFound, SnapshotNotFound, VersionRefused
from operate.lineage import Version, find_version, lineage
from operate.stored_api import StoredApi

Waiting = tuple[str, QuarantinedRun]
"""A collection, and a run that is in its quarantine."""


@dataclass(frozen=True)
class Expiry:
    """What expiry did, or would do. Versions marked EXPIRED; manifests, shards and staging folders deleted, on EFS and
    S3 together `bytes`. `fenced`: it stopped, because another execution has the lease."""

    dry_run: bool
    fenced: bool
    expired: int
    manifests: int
    shards: int
    staging: int
    bytes: int

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


class OperatorApi(StoredApi):
    """The API, with what changes more than an execution started by hand does."""

    # Versions

    def versions(self, collection: str) -> list[Version]:
        """HEAD's chain from HEAD back, then what was never published."""
        rows = self._control.versions(collection).list()
        return lineage(self.head(collection), rows)

    def version(self, collection: str, given: str | None) -> Version:
        """By number or snapshot id, None for the current one. Raises VersionNotFound or VersionRefused."""
        return find_version(collection, self.versions(collection), given)

    def pointer(self, collection: str, given: str | None) -> Pointer:
        """Where the manifest of a retained version is, given as `version` takes it.

        Raises SnapshotNotFound before the first publication, VersionNotFound or VersionRefused.
        """
        if given is not None:
            return self.version(collection, given).pointer
        head = self.head(collection)
        if head is None or head.pointer is None:
            raise SnapshotNotFound(f"no snapshot of {collection} yet: `compaction status` says what waits")
        return head.pointer

    def pin(self, collection: str, given: str, why: str) -> Version:
        """Keep a version until it is unpinned. Raises VersionNotFound, or VersionRefused for one that is EXPIRED."""
        version = self.version(collection, given)
        text = f"{self.now().isoformat(timespec='seconds')} {why}"
        if not self._control.versions(collection).pin(version.snapshot_id, text):
            raise VersionRefused(f"version {version.version} of {collection} was marked EXPIRED just now")
        return version

    def unpin(self, collection: str, given: str) -> Version:
        """Leave a version to expiry again. Raises VersionNotFound or VersionRefused."""
        version = self.version(collection, given)
        self._control.versions(collection).unpin(version.snapshot_id)
        return version

    def expiry(self, arn: str) -> Expiry | None:
        """What an ended execution of mode `expire` did or would do; None when it got to no answer."""
        said = self.output(arn).get("expired")
        return Expiry(**{name: said[name] for name in Expiry.__dataclass_fields__}) if said else None

    # Pause

    def paused(self, collection: str) -> str | None:
        """The reason for which a collection is paused; None when it is not."""
        head = self.head(collection)
        return head.paused if head else None

    def pause(self, collection: str, why: str) -> str | None:
        """Publish nothing but rollbacks from now on. None, or the reason for which it is paused already: that stays.

        Raises NothingToPause.
        """
        text = f"{self.now().isoformat(timespec='seconds')} {why}"
        head = pausing.pause(self._control.head(collection), text)
        if head is None:
            raise NothingToPause(f"{collection} has no HEAD before its first execution: there is nothing to pause yet")
        return None if head.paused == text else head.paused

    def resume(self, collection: str) -> Resumed:
        """Mark every receipt pending, those that only the snapshot knows too, then unpause, then start an execution.

        In this order nothing is lost after a rollback: whatever ends this in between leaves the collection paused,
        and the whole is done again. Raises ResumeRefused, and SnapshotNotFound when the current manifest is missing.
        """

        def mark(seen: Head) -> int:
            if seen.version > 0:
                self.manifest(collection)  # without it the receipts that only the snapshot knows would go unmarked
            return self.reconcile([collection])

        resumed = pausing.resume(self._control.head(collection), mark=mark, start=lambda: self.start(collection))
        if resumed is not None:
            return resumed
        raise ResumeRefused(
            f"{collection} was rolled back or paused anew with every try and is still paused: look at"
            f" `compaction history {collection}`, then resume it again"
        )

    # Quarantine

    def quarantined(self, collections: Sequence[str] = COLLECTIONS) -> list[Waiting]:
        """The runs that wait for a person, the oldest first in each collection."""
        return [(collection, run) for collection in collections for run in self._quarantine(collection).list()]

    def find_quarantined(self, given: str, collections: Sequence[str] = COLLECTIONS) -> list[Waiting]:
        """Where the run of this id, or of the only id that begins so, is in quarantine.

        Raises RunNotFound or RunAmbiguous.
        """
        waiting = self.quarantined(collections)
        found = [one for one in waiting if one[1].run_id == given]
        found = found or [one for one in waiting if given and one[1].run_id.startswith(given)]
        if not found:
            raise RunNotFound(f"no run {given} in quarantine: `compaction quarantine list` shows them")
        if len({run.run_id for _, run in found}) > 1:
            raise RunAmbiguous(f"several runs in quarantine begin with {given}: give more of the id")
        return found

    def retry(self, waiting: Waiting) -> str:
        """Give a run another chance, and start an execution; returns its ARN."""
        collection, run = waiting
        now, table = self.now().isoformat(), self.connection.receipts_table
        self._quarantine(collection).retry(run.run_id, receipts_table=table, now=now, new_token=self.new_unique)
        return self.start(collection)

    def drop(self, waiting: Waiting, why: str) -> str | None:
        """Take a run out of quarantine for good. It is FAILED, and its error says who gave it up and why.

        Returns the run's state: COMPLETED when a later round merged it after all, None when its item is gone.
        """
        collection, run = waiting
        now = self.now().isoformat()
        state = RunStates(self._dynamodb, self.connection.receipts_table, collection).fail(
            run.receipt, run.run_id, error=f"Dropped: {why}; it was refused as {run.error}: {run.message}", now=now
        )
        # Last, so that a crash in between leaves the run where it is found and dropped again.
        self._quarantine(collection).remove(run.run_id, now=now)
        return state

    def _quarantine(self, collection: str) -> Quarantine:
        return self._control.quarantine(collection)

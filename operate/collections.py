"""The collections as a whole: how each is, what waits, holding one back and letting it go, deriving one again."""

from collections.abc import Callable, Sequence
from pathlib import Path

from receipt_chroma.snapshot.manifest import Manifest
from receipt_chroma.snapshot.seen import look
from receipt_dynamo_stream.control import pausing
from receipt_dynamo_stream.control.generations import Generations
from receipt_dynamo_stream.control.head import Head
from receipt_dynamo_stream.control.pausing import Resumed
from receipt_dynamo_stream.control.pending import PendingReceipt
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.reconcile import reconcile

from operate.errors import NothingToPause, ResumeRefused, VersionUnreadable
from operate.executions import Executions
from operate.generations import active_names, generations_of, known_name
from operate.models import CollectionStatus, parse_time, state_word, unpublished_of
from operate.services import Services
from operate.stored import Stored


class Collections:
    """A collection is given by its name, or a generation of one by its own: each is a collection for what is here."""

    def __init__(self, services: Services, stored: Stored, executions: Executions) -> None:
        self._services = services
        self._stored = stored
        self._executions = executions

    # What is

    def names(self) -> tuple[str, ...]:
        """What is kept up: of each collection its active generations."""
        return active_names(self._services.control)

    def known(self, given: str) -> str:
        """The same name. Raises CollectionNotFound."""
        return known_name(self._services.control, given)

    def generations(self, name: str) -> Generations:
        """Those of the collection that this is the name of, or of a generation of."""
        return generations_of(self._services.control, name)

    def model(self, name: str) -> str:
        """The embedding model of its vectors; "" of a collection's first generation."""
        head = self.head(name)
        return head.model if head else ""

    def head(self, collection: str) -> Head | None:
        """Lease and pointer of a collection; None before its first execution."""
        return self._services.control.head(collection).read()

    def status(self, collection: str) -> CollectionStatus:
        """One look at a collection. A manifest that is not what the pointer says is a `problem`, not an exception."""
        head = self.head(collection)
        backlog = self._services.control.pending(collection).backlog(self._services.now().isoformat())
        manifest, problem = None, None
        try:
            manifest = self._manifest(head)
        except VersionUnreadable as error:
            problem = str(error)
        version, paused = (head.version, head.paused) if head else (0, None)
        unseen = self._unseen(head) if head else None
        quarantined = self._services.control.quarantine(collection).list()
        return CollectionStatus(
            collection=collection,
            state=state_word(version=version, pending=backlog.count, paused=paused, unseen=unseen),
            version=version,
            projected_version=head.projected_version if head else 0,
            snapshot_id=head.pointer.snapshot_id if head and head.pointer else None,
            records=manifest.records if manifest else None,
            fresh_records=manifest.fresh_records if manifest else 0,
            segments=manifest.segment_count if manifest else 0,
            dimension=manifest.dimension if manifest else None,
            shards=head.shards if head else None,
            committed_at=parse_time(head.committed_at) if head else None,
            pending=backlog.count,
            behind_seconds=backlog.oldest_seconds or 0.0,
            holder=head.holder if head else None,
            holder_since=parse_time(head.acquired_at) if head and head.holder else None,
            fence=head.fence if head else 0,
            paused=paused,
            rerun=head.rerun if head else None,
            quarantined=len(quarantined),
            unpublished=unpublished_of(backlog.oldest_seconds, quarantined, self._services.now()),
            last_execution=next(self._executions.of(collection), None),
            problem=problem,
            unseen=unseen,
            restored=head.restored if head else None,
            went_back=head.went_back if head else None,
        )

    def pending(self, collection: str) -> list[PendingReceipt]:
        """Every receipt with changes that no snapshot has, the longest waiting first."""
        return self._services.control.pending(collection).read()

    def _unseen(self, head: Head) -> str | None:
        """Why readers do not see what HEAD names: as the last execution found, or where the file system is at hand as
        it is now. A commit that was not projected yet is no reason."""
        root = self._services.connection.efs_root
        if head.unseen is not None or root is None or head.pointer is None or head.projected_version < head.version:
            return head.unseen
        seen = look(Path(root), head.collection, head.pointer)
        if seen.problem is None or self.head(head.collection) != head:  # or a commit came in between
            return None
        return f"readers see {'nothing' if seen.nothing else 'something else'}: {seen.problem}"

    def _manifest(self, head: Head | None) -> Manifest | None:
        """The current manifest; None before the first publication. Raises VersionUnreadable."""
        if head is None or head.version == 0:
            return None
        if head.pointer is None:
            raise VersionUnreadable(
                f"HEAD of {head.collection} names no snapshot, though version {head.version} was committed"
            )
        return self._stored.manifest(head.pointer)

    # Deriving again

    def reconcile(
        self,
        collections: Sequence[str],
        image_id: str | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> int:
        """Mark every receipt pending in these collections, or those of one image; returns how many receipts.

        Also those that only the current snapshots know: they were deleted while nobody looked. Raises
        VersionUnreadable, before anything is marked, where a manifest or a shard's list of receipts does not tell.
        """
        published = [receipt for collection in collections for receipt in self._published_receipts(collection)]
        marked = reconcile(
            [self._services.control.pending(collection) for collection in collections],
            receipts_table=self._services.connection.receipts_table,
            image_id=image_id,
            snapshot_receipts=published,
            now=self._services.now().isoformat(),
            new_token=self._services.new_unique,
            progress=progress,
        )
        if image_id is None:
            for collection in collections:
                self._services.control.head(collection).forget_going_back()
        return marked

    def _published_receipts(self, collection: str) -> list[ReceiptId]:
        manifest = self._manifest(self.head(collection))
        return self._stored.receipts(manifest) if manifest else []

    # Pause

    def paused(self, collection: str) -> str | None:
        """The reason for which a collection is paused; None when it is not."""
        head = self.head(collection)
        return head.paused if head else None

    def pause(self, collection: str, why: str) -> str | None:
        """Publish nothing but rollbacks from now on. None, or the reason for which it is paused already: that stays.

        Raises NothingToPause.
        """
        text = f"{self._services.now().isoformat(timespec='seconds')} {why}"
        head = pausing.pause(self._services.control.head(collection), text)
        if head is None:
            raise NothingToPause(f"{collection} has no HEAD before its first execution: there is nothing to pause yet")
        return None if head.paused == text else head.paused

    def resume(self, collection: str) -> Resumed:
        """Mark every receipt pending, those that only the snapshot knows too, then unpause, then start an execution.

        In this order nothing is lost after a rollback: whatever ends this in between leaves the collection paused,
        and the whole is done again. Raises ResumeRefused, and VersionUnreadable as `reconcile` does.
        """
        resumed = pausing.resume(
            self._services.control.head(collection),
            mark=lambda _seen: self.reconcile([collection]),
            start=lambda: self._executions.start(collection),
        )
        if resumed is not None:
            return resumed
        raise ResumeRefused(
            f"{collection} was rolled back or paused anew with every try and is still paused: look at"
            f" `compaction history {collection}`, then resume it again"
        )

"""A control table that was lost, beside a bucket that was not: HEAD and the VERSION rows from the manifests there."""

from receipt_chroma.snapshot.download import shard_files
from receipt_chroma.snapshot.manifest import Manifest
from receipt_chroma.storage.tree import manifest_path
from receipt_dynamo_stream.control.head import Head, parse_snapshot_id
from receipt_dynamo_stream.errors import CompactionError
from receipt_dynamo_stream.generations import number_of
from receipt_dynamo_stream.times import utc_text

from operate.collections import Collections
from operate.errors import HeadStands, SnapshotNotFound, VersionUnreadable
from operate.services import Services
from operate.stored import Stored


class Restoring:
    """What an operator does once, when DynamoDB's own backups do not help."""

    def __init__(self, services: Services, collections: Collections, stored: Stored) -> None:
        self._services = services
        self._collections = collections
        self._stored = stored

    def newest_in_bucket(self, collection: str) -> Manifest:
        """The newest snapshot whose files are all in the bucket. It may be one that was just about to be committed:
        it was validated, and whatever it lacks is derived again. Raises HeadStands, SnapshotNotFound.
        """
        head = self._lost_head(collection)
        whole = self._whole(collection)
        if whole:
            return whole[0]
        if head.pointer is None:
            how = f"`compaction reconcile {collection}` builds it anew"
        else:
            how = f"while EFS has version {head.version} it can be copied back, else begin anew: docs/howto/restore.md"
        raise SnapshotNotFound(f"the bucket has no whole version of {collection}: {how}")

    def head_from_bucket(self, collection: str, newest: Manifest) -> int:
        """Write HEAD and a VERSION row for each whole version on the way back from this one, then mark every receipt
        pending; returns how many. May be done again after it was cut off. Raises HeadStands, VersionUnreadable.
        """
        head = self._lost_head(collection)
        now, control = utc_text(self._services.now()), self._services.control
        known = {manifest.snapshot_id: manifest for manifest in self._whole(collection)}
        manifest: Manifest | None = newest
        while manifest is not None:
            row = manifest.row(manifest.execution)
            control.versions(collection).put_candidate(row)
            control.versions(collection).mark_committed(row.snapshot_id, committed_at=row.created_at)
            manifest = known.get(row.parent or "")
        fence = max(parse_snapshot_id(one).fence for one in self._stored.snapshot_ids(collection))
        why = f"{now} HEAD was lost; version {newest.version} was taken up from the bucket"
        taken = control.head(collection).take_up(
            newest.pointer,
            instead_of=head,
            fence=fence,
            shards=newest.shard_count,
            why=why,
            now=now,
            model=newest.model,
        )
        if not taken:
            raise HeadStands(f"HEAD of {collection} changed just now: look at `compaction status`, then try again")
        if number_of(collection) == 1 and (serving := self._stored.serving(collection)).order:
            control.generations(collection).take_up(serving.generation, serving.order)
        return self._collections.reconcile([collection])

    def _lost_head(self, collection: str) -> Head:
        head = self._collections.head(collection) or Head(collection)
        if head.pointer is None:
            return head
        try:
            self._stored.manifest(head.pointer)
        except VersionUnreadable:
            return head
        raise HeadStands(
            f"HEAD of {collection} names version {head.version}, and its manifest is there: leave --head-from-bucket"
            f" out, or roll back to another version (`compaction versions {collection}`)"
        )

    def _whole(self, collection: str) -> list[Manifest]:
        """The manifests whose files are all in the bucket, the newest first."""
        sizes = self._stored.sizes(collection)
        found = []
        for snapshot_id in reversed(self._stored.snapshot_ids(collection)):
            content = self._stored.manifest_content(collection, snapshot_id)
            if content is None or manifest_path(snapshot_id) not in sizes:
                continue
            try:
                manifest = Manifest.decode(content)
            except CompactionError:
                continue
            if all(sizes.get(path) == entry.size for shard in manifest.shards for path, entry in shard_files(shard)):
                found.append(manifest)
        return found

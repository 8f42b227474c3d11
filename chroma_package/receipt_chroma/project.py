"""SwapPointer: EFS shows what HEAD names, whole, and the bucket says which snapshot that is.

HEAD is the truth, EFS and the bucket's CURRENT are its projections, and a projection is checked, not believed. What EFS
lacks comes from S3, and CURRENT is written on either side when it is not what HEAD says: forward only. Where CURRENT is
*ahead* of HEAD, HEAD went back (its table was restored to an earlier time), and the lease's holder publishes HEAD's
snapshot again under a version past everything that was ever named: readers go forward to it, and whatever still arrives
late is behind it.
"""

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final

from receipt_dynamo_stream.attributes import Item
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import CollectionHead, Head, parse_head, snapshot_id_of
from receipt_dynamo_stream.control.head import parse_snapshot_id as parsed
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.errors import PointerMissing
from receipt_dynamo_stream.generations import number_of
from receipt_dynamo_stream.invariants import readers_never_mix
from receipt_dynamo_stream.times import utc_text

from receipt_chroma.errors import Fenced, NoSnapshotYet, SnapshotDamaged, SnapshotUnavailable
from receipt_chroma.new_version import check_new_version
from receipt_chroma.project_serving import project_serving
from receipt_chroma.publish import put_manifest
from receipt_chroma.segment.places import ShardContent
from receipt_chroma.snapshot import pointer as efs_pointer
from receipt_chroma.snapshot.download import DownloadResult, download_snapshot
from receipt_chroma.snapshot.lineage import falls_back_to, snapshot_ids
from receipt_chroma.snapshot.manifest import RESTORE, SCHEMA_VERSION, Manifest, load_manifest
from receipt_chroma.snapshot.pointer import read_current
from receipt_chroma.snapshot.seen import Seen, look, look_at_bucket
from receipt_chroma.snapshot.stored_pointer import read_stored_current, swap_stored_pointer
from receipt_chroma.stopwatch import Stopwatch
from receipt_chroma.storage.tree import MANIFESTS, collection_folder, object_key

logger = logging.getLogger(__name__)

NOTHING: Final = DownloadResult(0, 0)


@dataclass(frozen=True)
class Projected:
    """head: HEAD's attributes as they are now. manifest: of what was projected, None when nothing had to be done.

    found: what was wrong with what readers saw, "" when it was only a commit that they had not seen yet. fetched: what
    EFS did not have. moved: CURRENT was written on EFS.
    """

    head: Item
    manifest: Manifest | None = None
    found: str = ""
    fetched: DownloadResult = NOTHING
    moved: bool = False


def swap_pointer(
    *,
    control: ControlTable,
    bucket: Bucket,
    efs_root: Path,
    collection: str,
    execution: str,
    fence: int,
    trigger: str,
    now: datetime,
    by_hand: bool = False,
    leave_damaged: bool = False,
) -> Projected:
    """Compare what readers see with HEAD, and bring what is wrong there from S3.

    execution is the ARN of the lease's holder, fence its token. by_hand: an operator asks for a restore, so that even
    where EFS and HEAD went back together readers get past what they saw. leave_damaged: what S3 does not have either is
    left as it is. May run twice, late, and at once with others: HEAD must be the caller's, CURRENT only moves forward,
    and a restore is committed as every version is. Raises Fenced, PointerMissing, SnapshotDamaged, ManifestConflict,
    InvariantViolated, StorageUnavailable, TransientServiceError.
    """
    projection = _Projection(control, bucket, efs_root, collection, execution, fence, trigger, now, by_hand)
    try:
        return projection.project()
    except SnapshotDamaged as error:
        if not leave_damaged:
            raise
        logger.warning("the snapshot is lost on both sides", extra={"collection": collection, "error": str(error)})
        return projection.unprojected()


@dataclass(frozen=True)
class _Projection:
    control: ControlTable
    bucket: Bucket
    efs_root: Path
    collection: str
    execution: str
    fence: int
    trigger: str
    now: datetime
    by_hand: bool

    def project(self) -> Projected:
        part = self.control.head(self.collection)
        item, head = self._mine(part)
        if head.pointer is None:
            self._require_never_published(head)
            return Projected(item)
        self._project_serving()
        seen = _both(
            look(self.efs_root, self.collection, head.pointer),
            look_at_bucket(self.bucket, self.collection, head.pointer),
        )
        found = _unexpected(head, seen)
        later = self._later_than(head, seen)
        if later is None and seen.problem is None and head.unseen is None and head.projected_version >= head.version:
            return Projected(item)
        if later is not None:
            found = f"{found or seen.problem or 'CURRENT is right'}; {later}"
        if found:
            logger.warning("readers do not see what HEAD names", extra={"collection": self.collection, "found": found})
            what = "nothing" if seen.nothing else f"another version than {head.version}, or a part of it"
            part.note_unseen(f"readers see {what}, found {utc_text(self.now)}: {found}")
        if later is not None:
            head = self._publish_again(part, head, seen, f"{utc_text(self.now)} {found}")
        return self._bring(part, head, found)

    def _project_serving(self) -> None:
        if number_of(self.collection) == 1:
            project_serving(
                self.control,
                self.bucket,
                self.efs_root,
                self.collection,
                execution=self.execution,
                fence=self.fence,
                by_hand=self.by_hand,
            )

    def unprojected(self) -> Projected:
        return Projected(self._mine(self.control.head(self.collection))[0])

    def _bring(self, part: CollectionHead, head: Head, found: str) -> Projected:
        assert head.pointer is not None
        watch = Stopwatch()
        with watch.measure("swap"):
            manifest = load_manifest(self.bucket, head.pointer)
            readers_never_mix(
                f"the manifest of {head.pointer.snapshot_id}",
                shown=(manifest.collection, manifest.version, manifest.snapshot_id),
                named=(self.collection, head.version, head.pointer.snapshot_id),
            )
            fetched = download_snapshot(self.bucket, self.efs_root, self.collection, manifest)
            before = falls_back_to(collection_folder(self.efs_root, self.collection), manifest)
            # The bucket first: what readers on EFS ever saw it then knows, should EFS and HEAD go back together.
            stored = swap_stored_pointer(self.bucket, self.collection, head.pointer, before=before)
            moved = efs_pointer.swap_pointer(self.efs_root, self.collection, head.pointer, before=before)
        part.raise_projected_version(head.version)
        self.control.versions(self.collection).mark_committed(
            head.pointer.snapshot_id, committed_at=self.now.isoformat(), seconds=watch.seconds
        )
        if found or head.unseen is not None:
            written = " and ".join(where for where, done in (("on EFS", moved), ("in the bucket", stored)) if done)
            what = f"{fetched.files} files, {fetched.bytes} bytes{written and f', and CURRENT {written}'}"
            part.note_restored(f"{utc_text(self.now)} {what}: {found or head.unseen}")
        return Projected(self._mine(part)[0], manifest, found, fetched, moved)

    def _later_than(self, head: Head, seen: Seen) -> str | None:
        """What says that HEAD is behind what readers may have seen. The bucket is asked where CURRENT cannot tell, and
        when somebody asks for a restore; what it has may be of an attempt that was never published, and going past that
        does no harm."""
        assert head.pointer is not None
        if seen.ahead is not None:
            return "HEAD went back"
        if not (self.by_hand or (seen.nothing and head.projected_version)):
            return None
        newest = self._stored()[-1:]
        return f"the bucket has a manifest of {newest[0]}" if newest and newest[0] > head.pointer.snapshot_id else None

    def _mine(self, part: CollectionHead) -> tuple[Item, Head]:
        item = part.read_item()
        head = parse_head(self.collection, item)
        if (head.holder, head.fence) != (self.execution, self.fence):
            raise Fenced(f"{self.execution} with fence {self.fence} no longer holds the lease of {self.collection}")
        return item, head

    def _publish_again(self, part: CollectionHead, head: Head, seen: Seen, why: str) -> Head:
        """Commit HEAD's snapshot under a version that is past every one that was named anywhere; HEAD as it is then."""
        assert head.pointer is not None
        older = load_manifest(self.bucket, head.pointer)
        version = 1 + max(map(_version, self._named()))
        manifest = replace(
            older,
            schema_version=SCHEMA_VERSION,
            kind=RESTORE,
            version=version,
            snapshot_id=snapshot_id_of(version, head.fence, 0),
            parent=head.pointer,
            execution=self.execution.rpartition(":")[2],
            trigger=self.trigger,
            created_at=utc_text(self.now),
        )
        same = ShardContent(older.records, older.digest)
        check_new_version(manifest, over=head.pointer, fence=head.fence, wanted=same)
        put_manifest(self.bucket, collection_folder(self.efs_root, self.collection), manifest)
        self.control.versions(self.collection).put_candidate(manifest.row(self.execution))
        # A manifest of the next version alone may be of an attempt that was lost, while HEAD is right.
        went_back = why if seen.ahead is not None or version > head.version + 2 else None
        part.commit_restored(manifest.pointer, over=head, went_back=went_back, now=utc_text(self.now))
        return self._mine(part)[1]  # refused: another attempt of this step was first, and HEAD says what it committed

    def _named(self) -> Iterator[str]:
        """Every snapshot id that CURRENT or a manifest names, on S3 and on EFS."""
        with suppress(NoSnapshotYet, SnapshotUnavailable):
            yield read_current(self.efs_root, self.collection).snapshot_id
        with suppress(SnapshotUnavailable):
            if stored := read_stored_current(self.bucket, self.collection):
                yield stored.snapshot_id
        yield from self._stored()
        folder = collection_folder(self.efs_root, self.collection) / MANIFESTS
        yield from snapshot_ids(path.name for path in folder.glob("*.json"))

    def _stored(self) -> list[str]:
        keys = self.bucket.list(object_key(self.collection, f"{MANIFESTS}/"))
        return snapshot_ids(PurePosixPath(one.key).name for one in keys)

    def _require_never_published(self, head: Head) -> None:
        """A collection without a pointer is new, unless EFS or S3 know better. A manifest of version 1 alone proves
        nothing: the first execution may have been lost before its commit. Raises PointerMissing."""
        known = None
        try:
            known = f"CURRENT on EFS names {read_current(self.efs_root, self.collection).snapshot_id}"
        except NoSnapshotYet:
            pass
        except SnapshotUnavailable as error:
            logger.warning("CURRENT tells nothing", extra={"collection": self.collection, "error": str(error)})
        with suppress(SnapshotUnavailable):
            if current := read_stored_current(self.bucket, self.collection):
                known = known or f"CURRENT in the bucket names {current.snapshot_id}"
        stored = self._stored()
        if known is None and stored and _version(stored[-1]) > 1:
            known = f"the bucket has manifests up to {stored[-1]}"
        if known is None and head.version == 0:
            return
        raise PointerMissing(
            f"HEAD of {self.collection} names no snapshot, but {known or f'version {head.version} was committed'}:"
            f" `compaction restore {self.collection} --head-from-bucket` takes up the newest that the bucket has"
        )


def _unexpected(head: Head, seen: Seen) -> str:
    """What is wrong with what readers see; "" for a commit that was not projected yet."""
    awaited = head.projected_version < head.version and seen.ahead is None
    if seen.problem is None or (awaited and not (seen.nothing and head.projected_version)):
        return ""
    return seen.problem


def _both(efs: Seen, stored: Seen) -> Seen:
    """What is wrong on either side; whether EFS has nothing at all."""
    ahead = max((one for one in (efs.ahead, stored.ahead) if one is not None), key=lambda one: one.place, default=None)
    problems = [one.problem for one in (efs, stored) if one.problem is not None]
    return Seen("; ".join(problems) or None, nothing=efs.nothing, ahead=ahead)


def _version(snapshot_id: str) -> int:
    return parsed(snapshot_id).version

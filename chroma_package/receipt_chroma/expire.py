"""ExpireSnapshots: what nobody may need is marked first and deleted later.

Phase 1 marks VERSION rows EXPIRED, for ever, each in one transaction with a check of HEAD's fence: from then on
nobody may choose them. Phase 2 deletes the files that only versions EXPIRED for an hour name, and orphans (of lost
attempts) past the grace. It deletes only while HEAD's fence is its own: a late deleter could remove what a rollback
just published.
"""

import logging
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import CollectionHead, Head
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.control.versions import EXPIRED, VersionRow
from receipt_dynamo_stream.times import utc_text

from receipt_chroma.errors import SnapshotDamaged
from receipt_chroma.snapshot.manifest import Manifest
from receipt_chroma.snapshot.retention import Retention
from receipt_chroma.snapshot.stored_tree import Entry, StoredTree, delete_entry, read_tree
from receipt_chroma.storage.tree import collection_folder, manifest_path, object_key

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Expired:
    """What was done, or would be. fenced: it stopped, because another execution holds the lease.

    expired: snapshot ids that were marked. manifests, shards, segments, staging: relative paths that were deleted.
    bytes: of both places together.
    """

    dry_run: bool
    fenced: bool = False
    expired: tuple[str, ...] = ()
    manifests: tuple[str, ...] = ()
    shards: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    staging: tuple[str, ...] = ()
    bytes: int = 0


def expire_snapshots(
    control: ControlTable,
    bucket: Bucket,
    *,
    efs_root: Path,
    collection: str,
    fence: int,
    retention: Retention,
    dry_run: bool = True,
) -> Expired:
    """Mark and delete what need not be kept; a dry run only says what would be.

    `fence` is the caller's lease. Kept are HEAD's snapshot and what `retention` says. May run twice and late.
    Raises SnapshotDamaged, and deletes nothing, when a manifest that is kept cannot be read.
    """
    head = _head_if_mine(control.head(collection), fence)
    if head is None or head.pointer is None:
        return Expired(dry_run, fenced=head is None)
    versions = control.versions(collection)
    rows = versions.list()
    marks = [row.snapshot_id for row in retention.rows_to_expire(rows, head.pointer.snapshot_id)]
    if not dry_run:
        at = utc_text(retention.now)
        marks = [one for one in marks if versions.mark_expired(one, now=at, fence=fence)]
    folder = collection_folder(efs_root, collection)
    tree = read_tree(bucket, folder)
    manifests = _leaving_manifests(tree, rows, head.pointer.snapshot_id, retention)
    kept = _kept_manifests(bucket, folder, tree, manifests, rows, head.pointer.snapshot_id)
    named = {shard.path for manifest in kept for shard in manifest.shards}
    laid = {segment.path for manifest in kept for shard in manifest.shards for segment in shard.segments}
    shards = {
        path: entry for path, entry in tree.shards.items() if path not in named and retention.is_old(entry.changed)
    }
    segments = {
        path: entry for path, entry in tree.segments.items() if path not in laid and retention.is_old(entry.changed)
    }
    staging = {path: entry for path, entry in tree.staging.items() if retention.is_old(entry.changed)}
    # Manifests last: by them a run after a crash finds again what was left.
    files = [*sorted(staging.items()), *sorted(segments.items()), *sorted(shards.items())]
    leaving = [*files, *sorted(manifests.items())]
    for path, entry in () if dry_run else leaving:
        if _head_if_mine(control.head(collection), fence) is None:
            return Expired(dry_run, fenced=True, expired=tuple(marks))
        delete_entry(bucket, folder, path, entry)
    logger.info("expiry", extra={"collection": collection, "marked": len(marks), "entries": len(leaving)})
    return Expired(
        dry_run=dry_run,
        expired=tuple(marks),
        manifests=tuple(sorted(manifests)),
        shards=tuple(sorted(shards)),
        segments=tuple(sorted(segments)),
        staging=tuple(sorted(staging)),
        bytes=sum(entry.bytes for _, entry in leaving),
    )


def _head_if_mine(collection: CollectionHead, fence: int) -> Head | None:
    head = collection.read()
    return head if head is not None and head.fence == fence else None


def _leaving_manifests(
    tree: StoredTree, rows: Sequence[VersionRow], head_snapshot: str, retention: Retention
) -> dict[str, Entry]:
    """Those of versions that were EXPIRED long enough ago, and those past the grace that no row names."""
    known = {row.snapshot_id for row in rows} | {head_snapshot}
    leaving = {manifest_path(one) for one in retention.deletable(rows) - {head_snapshot}}
    return {
        path: entry
        for path, entry in tree.manifests.items()
        if path in leaving or (path not in map(manifest_path, known) and retention.is_old(entry.changed))
    }


def _kept_manifests(
    bucket: Bucket,
    folder: Path,
    tree: StoredTree,
    leaving: Container[str],
    rows: Sequence[VersionRow],
    head_snapshot: str,
) -> list[Manifest]:
    """Every manifest that stays, from S3 or else from EFS: what they name is not deleted."""
    required = {manifest_path(row.snapshot_id) for row in rows if row.state != EXPIRED} | {manifest_path(head_snapshot)}
    kept = []
    for path in sorted({path for path in tree.manifests if path not in leaving and path.endswith(".json")} | required):
        content = bucket.find(object_key(folder.name, path))
        if content is None:
            try:
                content = (folder / path).read_bytes()
            except FileNotFoundError as error:
                raise SnapshotDamaged(f"{path} is kept, but neither on S3 nor on EFS: nothing was deleted") from error
        kept.append(Manifest.decode(content))
    return kept

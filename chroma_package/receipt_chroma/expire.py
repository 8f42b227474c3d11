"""ExpireSnapshots: what nobody may need is marked first and deleted later.

Phase 1 marks VERSION rows EXPIRED, for ever, each in one transaction with a check of HEAD's fence: from then on
nobody may choose them. Phase 2 deletes the files that only versions EXPIRED for an hour name, and orphans (of lost
attempts) past the grace. It deletes only while HEAD's fence is its own: a late deleter could remove what a rollback
just published. Rows EXPIRED for an hour leave for the archive, so that a round reads what is retained and little more.

One thing that cannot be removed stops nothing: the rest goes, and the answer names it.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import CollectionHead, Head
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.control.versions import EXPIRED, VersionRow
from receipt_dynamo_stream.errors import TransientServiceError
from receipt_dynamo_stream.invariants import retained_is_readable
from receipt_dynamo_stream.times import utc_text

from receipt_chroma.errors import SnapshotDamaged
from receipt_chroma.snapshot.manifest import Manifest
from receipt_chroma.snapshot.retention import Retention
from receipt_chroma.snapshot.stored_tree import Entry, StoredTree, delete_entry, read_tree
from receipt_chroma.storage.tree import collection_folder, manifest_path, object_key

logger = logging.getLogger(__name__)

ROWS_A_ROUND: Final = 300
"""How many rows a round marks, and how many it archives. A table that has more, from before there was an archive, is
worked off over the next rounds; until then no files are deleted."""

ROWS_BY_HAND: Final = 10_000
"""The same when somebody waits for it: what five minutes of a function are enough for."""

_SILENCES: Final = 3
"""After so many entries in a row for which S3 did not answer, it is S3 that is away, not the entries."""


@dataclass(frozen=True)
class Expired:
    """What was done, or would be. fenced: it stopped, because another execution holds the lease.

    expired: snapshot ids that were marked, archived: whose rows left for the archive. manifests, shards, segments,
    staging: relative paths that were deleted. bytes: of both places together. unremovable: relative paths of what could
    not be removed, or not wholly, and why; they are tried again with the next round. more: ROWS_A_ROUND was reached.
    """

    dry_run: bool
    fenced: bool = False
    expired: tuple[str, ...] = ()
    archived: tuple[str, ...] = ()
    manifests: tuple[str, ...] = ()
    shards: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    staging: tuple[str, ...] = ()
    bytes: int = 0
    unremovable: tuple[tuple[str, str], ...] = ()
    more: bool = False


def expire_snapshots(
    control: ControlTable,
    bucket: Bucket,
    *,
    efs_root: Path,
    collection: str,
    fence: int,
    retention: Retention,
    dry_run: bool = True,
    rows_a_round: int = ROWS_A_ROUND,
) -> Expired:
    """Mark and delete what need not be kept; a dry run only says what would be.

    `fence` is the caller's lease. Kept are HEAD's snapshot and what `retention` says. May run twice and late.
    Raises SnapshotDamaged, and deletes nothing, when a manifest that is kept cannot be read; InvariantViolated likewise
    when something would go that is kept.
    """
    head = _head_if_mine(control.head(collection), fence)
    if head is None or head.pointer is None:
        return Expired(dry_run, fenced=head is None)
    versions, head_snapshot = control.versions(collection), head.pointer.snapshot_id

    def is_deletable(row: VersionRow) -> bool:
        return row.snapshot_id != head_snapshot and retention.is_deletable(row)

    archived = versions.archive(is_deletable, at_most=rows_a_round, dry_run=dry_run)
    if archived.more:
        return Expired(dry_run, archived=archived.snapshot_ids, more=True)
    gone = frozenset(archived.snapshot_ids)
    kept = retention.kept(head_snapshot, versions.newest_first())
    rows: list[VersionRow] = []
    marks: list[str] = []
    at = utc_text(retention.now)
    for row in versions.oldest_first():
        if row.snapshot_id in gone:
            continue  # a dry run moved nothing
        rows.append(row)
        if retention.may_expire(row, kept) and (dry_run or versions.mark_expired(row.snapshot_id, now=at, fence=fence)):
            marks.append(row.snapshot_id)
            if len(marks) == rows_a_round:
                return Expired(dry_run, expired=tuple(marks), archived=archived.snapshot_ids, more=True)
    folder = collection_folder(efs_root, collection)
    tree = read_tree(bucket, folder)
    manifests = _leaving_manifests(tree, rows, gone, head_snapshot, retention)
    retained = _kept_manifests(bucket, folder, tree, manifests, rows, head_snapshot)
    named = {shard.path for manifest in retained for shard in manifest.shards}
    laid = {segment.path for manifest in retained for shard in manifest.shards for segment in shard.segments}
    shards = {
        path: entry for path, entry in tree.shards.items() if path not in named and retention.is_old(entry.changed)
    }
    segments = {
        path: entry for path, entry in tree.segments.items() if path not in laid and retention.is_old(entry.changed)
    }
    _check_nothing_retained_leaves({*segments, *shards, *manifests}, {*laid, *named}, retained, rows, head_snapshot)
    staging = {path: entry for path, entry in tree.staging.items() if retention.is_old(entry.changed)}
    # Manifests last: by them a run after a crash finds again what was left.
    files = [*sorted(staging.items()), *sorted(segments.items()), *sorted(shards.items())]
    leaving = [*files, *sorted(manifests.items())]
    unremovable: dict[str, str] = {}
    silences = 0
    for path, entry in () if dry_run else leaving:
        if _head_if_mine(control.head(collection), fence) is None:
            return Expired(
                dry_run,
                fenced=True,
                expired=tuple(marks),
                archived=archived.snapshot_ids,
                unremovable=tuple(unremovable.items()),
            )
        try:
            problems, silences = delete_entry(bucket, folder, path, entry), 0
        except TransientServiceError as error:
            problems, silences = [str(error)], silences + 1
            if silences == _SILENCES:
                raise
        if problems:
            more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
            unremovable[path] = problems[0] + more
            logger.error("not removed", extra={"collection": collection, "path": path, "problems": problems[:10]})
    removed = [(path, entry) for path, entry in leaving if path not in unremovable]
    logger.info("expiry", extra={"collection": collection, "marked": len(marks), "entries": len(removed)})

    def removed_of(kind: dict[str, Entry]) -> tuple[str, ...]:
        return tuple(sorted(kind.keys() - unremovable.keys()))

    return Expired(
        dry_run=dry_run,
        expired=tuple(marks),
        archived=archived.snapshot_ids,
        manifests=removed_of(manifests),
        shards=removed_of(shards),
        segments=removed_of(segments),
        staging=removed_of(staging),
        bytes=sum(entry.bytes for _, entry in removed),
        unremovable=tuple(unremovable.items()),
    )


def _check_nothing_retained_leaves(
    leaving: Collection[str],
    named: Collection[str | None],
    retained: Sequence[Manifest],
    rows: Collection[VersionRow],
    head_snapshot: str,
) -> None:
    """Nothing that a retained version names goes; and what HEAD and the rows retain was asked for its names."""
    kept = {head_snapshot, *(row.snapshot_id for row in rows if row.state != EXPIRED)}
    unasked = kept.difference(manifest.snapshot_id for manifest in retained)
    gone = {path for path in leaving if path in named or path in map(manifest_path, kept)}
    retained_is_readable("after this expiry what is retained", unasked | gone)


def _head_if_mine(collection: CollectionHead, fence: int) -> Head | None:
    head = collection.read()
    return head if head is not None and head.fence == fence else None


def _leaving_manifests(
    tree: StoredTree, rows: Collection[VersionRow], gone: Collection[str], head_snapshot: str, retention: Retention
) -> dict[str, Entry]:
    """Those of versions whose rows left for the archive now, and those past the grace that no row names."""
    known = {manifest_path(row.snapshot_id) for row in rows} | {manifest_path(head_snapshot)}
    leaving = set(map(manifest_path, gone))
    return {
        path: entry
        for path, entry in tree.manifests.items()
        if path in leaving or (path not in known and retention.is_old(entry.changed))
    }


def _kept_manifests(
    bucket: Bucket,
    folder: Path,
    tree: StoredTree,
    leaving: Collection[str],
    rows: Collection[VersionRow],
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

"""Folding: base and segments of a shard become a new base, with the same records.

It is prepared without the lease, from the manifest of some version, and takes long. Only its commit needs the lease:
by then newer versions may have laid segments over the same base. Each covers whole receipts, so it means the same over
the new base, and the new version is *new base + later segments*. Where the base is another one by then, or the folded
segments are not the oldest ones any more, the fold has lost: what it staged is left to expiry.
"""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Head, Pointer, snapshot_id_of
from receipt_dynamo_stream.invariants import rows_conserved, violation_as
from receipt_dynamo_stream.round.fold_report import FoldReport

from receipt_chroma.errors import FoldChangedContent
from receipt_chroma.new_base import NewContent, write_new_base
from receipt_chroma.new_version import check_new_version
from receipt_chroma.publish import new_base_shard, place_shard, put_manifest
from receipt_chroma.segment.places import ShardContent
from receipt_chroma.shard.checks import Expected
from receipt_chroma.snapshot.manifest import FOLD, SCHEMA_VERSION, Manifest, ManifestShard, load_manifest
from receipt_chroma.snapshot.repaired_shard import RepairedShard
from receipt_chroma.stage import Attempt
from receipt_chroma.stopwatch import Stopwatch
from receipt_chroma.storage.files import storage_errors
from receipt_chroma.storage.room import room
from receipt_chroma.storage.tree import collection_folder
from receipt_chroma.validate import FULL_READ_RECORDS, ShardValidation, validate_base

SHARE_OF_GRACE: Final = 0.9
"""The rest of the grace is for clocks that differ."""


def fold_attempt(base: Pointer, shard: int, name: str, *, collection: str, execution: str) -> Attempt:
    """One attempt to fold a shard of a version. The name of what it writes has the next version's number and fence 0,
    which no lease ever has: so it is not taken for a shard that a merge wrote."""
    return Attempt(collection, execution, 0, shard, name, snapshot_id_of(base.version + 1, 0, 0))


def fold_shard(
    base: Pointer,
    shard: int,
    attempt: Attempt,
    *,
    bucket: Bucket,
    efs_root: Path,
    workdir: Path,
    rebuild: bool = False,
) -> FoldReport:
    """Stage the base that a shard of a version folds to. Needs no lease, and may run twice: paths carry the attempt.

    rebuild: a new index and new tables are filled from the live records, so that no byte of a deleted one is left;
    else the old base is copied and changed where that is cheaper.

    Raises FoldChangedContent when base and segments do not come to what the manifest says, SnapshotDamaged when they
    are wrong on EFS and on S3, DiskFull, StorageUnavailable, TransientServiceError.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    os.environ["SQLITE_TMPDIR"] = str(workdir)
    manifest, watch = load_manifest(bucket, base), Stopwatch()
    before = manifest.shards[shard]
    with (
        room(workdir),
        tempfile.TemporaryDirectory(dir=workdir, prefix=f"fold-{shard:04d}-") as private,
        RepairedShard(before, attempt.collection, bucket=bucket, efs_root=efs_root) as published,
    ):
        with watch.measure("read"):
            overlay, contents = published.overlay(), published.contents()
            new = NewContent(overlay=overlay, contents=contents, dimension=manifest.dimension)
        staged = write_new_base(
            before,
            new,
            attempt=attempt,
            folder=Path(private),
            watch=watch,
            bucket=bucket,
            efs_root=efs_root,
            rebuild=rebuild,
        )
    with violation_as(FoldChangedContent):
        rows_conserved(
            f"what shard {shard} of {base.snapshot_id} folds to (verify the version)",
            wanted=ShardContent(before.records, before.digest),
            found=ShardContent(staged.records, staged.digest),
        )
    return FoldReport(
        collection=attempt.collection,
        execution=attempt.execution,
        shard=shard,
        attempt=attempt.name,
        base=base,
        base_path=before.path,
        segments=tuple(segment.path for segment in before.segments),
        staged=staged,
        seconds=watch.seconds,
    )


def validate_fold(
    report: FoldReport, *, bucket: Bucket, efs_root: Path, workdir: Path, full_read_records: int = FULL_READ_RECORDS
) -> ShardValidation:
    """Prove what a fold or a re-shard staged, in another process: a whole shard, and of a fold that it has the records
    that the manifest counts. Those of a re-shard are counted together, when it is written.

    Raises FoldChangedContent, ShardInvalid with the name of the check that failed, StorageUnavailable,
    TransientServiceError.
    """
    manifest = load_manifest(bucket, report.base)
    if report.into is None:
        _check_unchanged(report, manifest.shards[report.shard])
    return validate_base(
        Expected.of(report.staged, report.collection, report.shard, report.into or manifest.shard_count),
        report.staged,
        bucket=bucket,
        efs_root=efs_root,
        workdir=workdir,
        full_read_records=full_read_records,
    )


def _check_unchanged(report: FoldReport, before: ManifestShard) -> None:
    with violation_as(FoldChangedContent):
        rows_conserved(
            f"the report of shard {report.shard} of {report.base.snapshot_id}",
            wanted=ShardContent(before.records, before.digest),
            found=ShardContent(report.staged.records, report.staged.digest),
        )


def write_fold(
    head: Head, reports: Sequence[FoldReport], *, execution: str, trigger: str, at: str, bucket: Bucket, efs_root: Path
) -> tuple[Pointer, Manifest] | None:
    """Under the lease: the manifest of a new version that has HEAD's records on the folded bases.

    Returns what may be committed, None when every fold has lost. `at` is when the lease was acquired: the bytes depend
    on HEAD and the reports only, so this may run twice. Raises StagingMissing, InvariantViolated, SnapshotDamaged,
    ManifestConflict, StorageUnavailable, TransientServiceError.
    """
    if head.pointer is None:
        return None
    current = load_manifest(bucket, head.pointer)
    folder = collection_folder(efs_root, head.collection)
    shards = list(current.shards)
    for report in reports:
        if fits(report, current):
            with storage_errors():
                place_shard(folder, report.shard, report.staged)
            shards[report.shard] = folded(current.shards[report.shard], report)
    if shards == list(current.shards):
        return None
    manifest = replace(
        current,
        schema_version=SCHEMA_VERSION,
        kind=FOLD,
        version=head.version + 1,
        snapshot_id=snapshot_id_of(head.version + 1, head.fence, 0),
        parent=head.pointer,
        shards=tuple(shards),
        execution=execution,
        trigger=trigger,
        created_at=at,
    )
    same = ShardContent(current.records, current.digest)
    check_new_version(manifest, over=head.pointer, fence=head.fence, wanted=same)
    put_manifest(bucket, folder, manifest)
    return manifest.pointer, manifest


def is_late(planned_at: str, grace: timedelta, now: datetime) -> bool:
    """Whether what was staged since the plan may be so old that the expiry of another execution takes it.

    A fold stages without the lease: nothing but its age keeps expiry, which spares for `grace` what nobody names, from
    its files. What is not late was never an orphan before, and what is committed is none any more.
    """
    return now - datetime.fromisoformat(planned_at) >= SHARE_OF_GRACE * grace


def fits(report: FoldReport, current: Manifest) -> bool:
    """Whether the shard still has the base that was folded, and the folded segments are still its oldest ones."""
    if not 0 <= report.shard < len(current.shards):
        return False
    shard = current.shards[report.shard]
    oldest = tuple(segment.path for segment in shard.segments[: len(report.segments)])
    return shard.path == report.base_path and oldest == report.segments


def folded(before: ManifestShard, report: FoldReport) -> ManifestShard:
    """The shard on the new base, with the segments that came after those that were folded; its records stay."""
    later = before.segments[len(report.segments) :]
    return replace(new_base_shard(before.shard, report.staged, later), records=before.records, digest=before.digest)

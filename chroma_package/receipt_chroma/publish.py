"""WriteManifest: staged shards into their places, and the manifest that names them. Readers see nothing of it yet."""

import errno
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Pointer, parse_snapshot_id
from receipt_dynamo_stream.round.plan import Plan
from receipt_dynamo_stream.round.report import ReceiptContent, ShardReport, StagedSegment, StagedShard

from receipt_chroma.digests import add_digests
from receipt_chroma.errors import ManifestConflict, ShardInvalid, StagingMissing
from receipt_chroma.new_version import check_new_version
from receipt_chroma.segment.places import ShardContent
from receipt_chroma.shard.chroma_dir import SPACE, chromadb_version
from receipt_chroma.snapshot.manifest import Manifest, ManifestSegment, ManifestShard, load_manifest
from receipt_chroma.storage.files import file_names, file_size, storage_errors, sync_folder, write_atomically
from receipt_chroma.storage.tree import collection_folder, manifest_path, segment_path, shard_path


def write_manifest(
    *, plan: Plan, reports: Sequence[ShardReport], bucket: Bucket, efs_root: Path
) -> tuple[Pointer, Manifest]:
    """Rename the staged shards into place on EFS, then write the manifest to S3 and EFS; returns what may be committed.

    The reports are those of every touched shard of the plan. May run twice: a shard that is in place already is
    verified and accepted, and the manifest's bytes depend on plan and reports only. Raises ManifestConflict when
    another manifest has this snapshot id, StagingMissing, ShardInvalid when the reports do not fit together,
    InvariantViolated, SnapshotDamaged, StorageUnavailable.
    """
    _check_reports(plan, reports)
    base = load_manifest(bucket, plan.base) if plan.base else None
    folder = collection_folder(efs_root, plan.collection)
    shards = {shard.shard: shard for shard in base.shards} if base else {}
    for report in reports:
        before = shards.get(report.shard, ManifestShard(report.shard))
        with storage_errors():
            if report.staged is not None:
                place_shard(folder, report.shard, report.staged)
                shards[report.shard] = new_base_shard(report.shard, report.staged)
            elif report.segment is not None:
                place_segment(folder, report.shard, report.segment)
                shards[report.shard] = laid_over(before, report.segment)
    entries = tuple(shards.get(number, ManifestShard(number)) for number in range(plan.shards))
    manifest = Manifest(
        collection=plan.collection,
        version=parse_snapshot_id(plan.snapshot_id).version,
        snapshot_id=plan.snapshot_id,
        parent=plan.base,
        dimension=_dimension(base, reports),
        space=SPACE,
        chromadb_version=chromadb_version(),
        shard_count=plan.shards,
        records=sum(entry.records for entry in entries),
        digest=add_digests(*(entry.digest for entry in entries)),
        shards=entries,
        plan_key=reports[0].plan_key,
        execution=plan.execution,
        trigger=plan.trigger,
        created_at=plan.planned_at,
        model=plan.model,
    )
    check_new_version(manifest, over=plan.base, fence=plan.fence, wanted=_wanted(base, reports, manifest))
    put_manifest(bucket, folder, manifest)
    return manifest.pointer, manifest


def _wanted(base: Manifest | None, reports: Sequence[ShardReport], manifest: Manifest) -> ShardContent:
    """What the version has to come to: the records that the merges counted, the digest of its shards."""
    before = {shard.shard: shard for shard in base.shards} if base else {}
    touched = [report.shard for report in reports]
    gone, come = (
        [ReceiptContent("", shard.records, shard.digest) for shard in map(shards.get, touched) if shard]
        for shards in (before, {shard.shard: shard for shard in manifest.shards})
    )
    whole = ShardContent(base.records, base.digest) if base else ShardContent()
    counted = sum(report.counts.added - report.counts.removed for report in reports)
    return ShardContent(whole.records + counted, whole.after(gone, come).digest)


def put_manifest(bucket: Bucket, folder: Path, manifest: Manifest) -> None:
    """Write a manifest to S3, which decides what it is, and then to the collection's folder on EFS. May run twice.

    Raises ManifestConflict when another manifest has this snapshot id, StorageUnavailable, TransientServiceError.
    """
    key, content = manifest.pointer.manifest_key, manifest.encode()
    if not bucket.put_once(key, content):
        raise ManifestConflict(
            f"s3://{bucket.name}/{key} is another manifest with this snapshot id; nothing was overwritten"
        )
    path = folder / manifest_path(manifest.snapshot_id)
    with storage_errors():
        if not path.exists() or path.read_bytes() != content:  # S3 decided: EFS follows
            write_atomically(path, content)


def place_shard(folder: Path, shard: int, staged: StagedShard) -> None:
    """Rename a staged shard directory into `shards/`; one that is in place already is verified by its sizes.

    Raises StagingMissing when it is at neither place as the report says.
    """
    source, target = folder / staged.path, folder / shard_path(shard, staged.shard_version)
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        try:
            source.rename(target)
            sync_folder(target.parent)
            sync_folder(source.parent)
        except FileNotFoundError:
            pass  # a late twin may have renamed it just now
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    expected = {entry.name: entry.size for entry in staged.files}
    found = {name: file_size(target / name) for name in file_names(target)} if target.is_dir() else {}
    if found != expected:
        raise StagingMissing(
            f"{target} does not hold what was staged at {source}: start a new execution, it merges again"
        )


def place_segment(folder: Path, shard: int, staged: StagedSegment) -> None:
    """Rename a staged segment into `segments/`; one that is in place already is verified by its size.

    Raises StagingMissing when it is at neither place as the report says.
    """
    source, target = folder / staged.path, folder / segment_path(shard, staged.segment_version)
    target.parent.mkdir(parents=True, exist_ok=True)
    if file_size(target) is None:
        with suppress(FileNotFoundError):  # a late twin may have renamed it just now
            source.rename(target)
            sync_folder(target.parent)
    if file_size(target) != staged.size:
        raise StagingMissing(
            f"{target} does not hold what was staged at {source}: start a new execution, it merges again"
        )


def _check_reports(plan: Plan, reports: Sequence[ShardReport]) -> None:
    mine = [report for report in reports if (report.execution, report.round) == (plan.execution, plan.round)]
    if len(mine) != len(reports) or sorted(report.shard for report in reports) != list(plan.touched_shards()):
        found = [(report.execution, report.round, report.shard) for report in reports]
        raise ShardInvalid(
            "reports", f"the plan touches the shards {list(plan.touched_shards())}, the reports are {found}"
        )


def _dimension(base: Manifest | None, reports: Sequence[ShardReport]) -> int | None:
    staged = [one for report in reports for one in (report.staged, report.segment) if one is not None]
    found = {one.dimension for one in staged if one.dimension is not None}
    if base and base.dimension is not None:
        found.add(base.dimension)
    if len(found) > 1:
        # The first deltas of a collection changed in S3 while its shards were merged.
        raise ShardInvalid("dimension", f"the shards have the dimensions {sorted(found)}: start a new execution")
    return next(iter(found), None)


def laid_over(before: ManifestShard, staged: StagedSegment) -> ManifestShard:
    """The shard with one more segment, the newest."""
    path = segment_path(before.shard, staged.segment_version)
    return replace(
        before,
        records=staged.shard_records,
        digest=staged.shard_digest,
        segments=(*before.segments, ManifestSegment(path, staged.size, staged.sha256, staged.receipts)),
    )


def new_base_shard(shard: int, staged: StagedShard, segments: tuple[ManifestSegment, ...] = ()) -> ManifestShard:
    """A shard whose base is the staged one; with segments over it, its records and digest are for the caller to say."""
    return ManifestShard(
        shard=shard,
        path=shard_path(shard, staged.shard_version),
        files=staged.files,
        records=staged.records,
        tombstones=staged.tombstones,
        digest=staged.digest,
        base_records=staged.records,
        base_digest=staged.digest,
        segments=segments,
    )

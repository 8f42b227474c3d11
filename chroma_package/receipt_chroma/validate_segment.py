"""Proving a staged segment: another process than the merge reads what was written, and counts for itself."""

import tempfile
from functools import partial
from pathlib import Path
from typing import Final

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.invariants import rows_conserved, violation_as
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.round.plan import Plan
from receipt_dynamo_stream.round.report import ReceiptContent, ShardReport, StagedSegment

from receipt_chroma.errors import SegmentInvalid
from receipt_chroma.segment.checks import SEGMENT_CHECKS, check_segment
from receipt_chroma.segment.places import ShardContent
from receipt_chroma.snapshot.manifest import ManifestShard, load_manifest
from receipt_chroma.snapshot.repaired_shard import RepairedShard
from receipt_chroma.storage.files import sha256_of, storage_errors
from receipt_chroma.storage.tree import collection_folder, object_key, segment_path

CHECKS: Final = ("files", "file_sha256", "objects", *SEGMENT_CHECKS, "covered", "conservation")
"""Names of all checks, as SegmentInvalid carries them."""


def validate_segment(
    *, plan: Plan, report: ShardReport, staged: StagedSegment, bucket: Bucket, efs_root: Path, workdir: Path
) -> int:
    """Prove the staged segment of a report; returns how many records it holds. Cost: the segment's.

    What the covered receipts were before is read from the base again; the other receipts that it lies over are believed
    as the manifest sums them up: a base is proved when it is written, when a reader opens it, and by verification.
    Reads EFS and S3, writes only below `workdir`. Raises SegmentInvalid with the name of the check that failed,
    SnapshotDamaged, StorageUnavailable, TransientServiceError.
    """
    content = _staged_bytes(collection_folder(efs_root, plan.collection), report.shard, staged)
    if sha256_of(content) != staged.sha256:
        raise SegmentInvalid("file_sha256", f"{staged.path} has another sha256 than the report says")
    key = object_key(plan.collection, segment_path(report.shard, staged.segment_version))
    if bucket.find(key) != content:
        raise SegmentInvalid("objects", f"s3://{bucket.name}/{key} is not what was staged on EFS")
    segment = check_segment(
        content, collection=plan.collection, shard=report.shard, shards=plan.shards, dimension=staged.dimension
    )
    if segment.receipts != staged.receipts:
        raise SegmentInvalid("receipts", "it covers other receipts than the report says")
    _check_covered(plan, report, segment.receipts)
    before = load_manifest(bucket, plan.base).shards[report.shard] if plan.base else ManifestShard(report.shard)
    with (
        tempfile.TemporaryDirectory(dir=workdir, prefix="published-") as private,
        RepairedShard(before, plan.collection, bucket=bucket, efs_root=efs_root, private=Path(private)) as published,
    ):
        gone = [published.proved_content(receipt.key) for receipt in segment.receipts]
    with violation_as(partial(SegmentInvalid, "conservation")):
        rows_conserved(
            f"the report of shard {report.shard}, with its segment,",
            wanted=ShardContent(before.records, before.digest).after(gone, segment.receipts),
            found=ShardContent(staged.shard_records, staged.shard_digest),
        )
    return len(segment.records)


def _staged_bytes(root: Path, shard: int, staged: StagedSegment) -> bytes:
    places = (staged.path, segment_path(shard, staged.segment_version))
    for path in places:  # a redriven execution may validate what was renamed already
        with storage_errors():
            try:
                return (root / path).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                continue
    raise SegmentInvalid("files", f"{root / staged.path} is not there")


def _check_covered(plan: Plan, report: ShardReport, covered: tuple[ReceiptContent, ...]) -> None:
    """It covers just those of the plan's receipts that changed, and every planned one was looked at."""
    planned = {one.facts.receipt for one in plan.receipts if one.shard == report.shard}
    looked_at = {one.receipt for one in report.receipts}
    changed = {one.receipt for one in report.receipts if one.counts.changed}
    if looked_at != planned or {ReceiptId.parse(one.key) for one in covered} != changed:
        raise SegmentInvalid("covered", f"it covers {len(covered)} receipts, {len(changed)} of the plan's changed")

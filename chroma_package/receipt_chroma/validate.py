"""ValidateShard: another process than the merge proves a staged shard from its files alone.

A correct count proves nothing: chromadb opens a directory with a truncated index, a missing pickle or a corrupt page
and counts right. So the files are compared with the report, SQLite, the HNSW files and the pickle with each other,
and every record is read again through chromadb from a private copy.
"""

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.round.blame import AtRisk, risk
from receipt_dynamo_stream.round.plan import Plan
from receipt_dynamo_stream.round.report import ShardReport, StagedShard

from receipt_chroma.errors import ShardInvalid
from receipt_chroma.shard.checks import CONTENT_CHECKS, Expected, check_directory
from receipt_chroma.stopwatch import Stopwatch
from receipt_chroma.storage.files import copy_in, file_names, file_size, storage_errors
from receipt_chroma.storage.objects import file_pool
from receipt_chroma.storage.room import room
from receipt_chroma.storage.tree import collection_folder, object_key, shard_path
from receipt_chroma.validate_segment import CHECKS as SEGMENT_CHECKS
from receipt_chroma.validate_segment import validate_segment

FULL_READ_RECORDS: Final = 250_000
"""Shards up to this size are read whole and their content digest is recomputed; above, a sample is read."""

CHECKS: Final = ("files", "file_sha256", "objects", *CONTENT_CHECKS)
"""Names of all checks, as ShardInvalid carries them."""


@dataclass(frozen=True)
class ShardValidation:
    """What was proved, and by which checks; full: every record was read and the content digest recomputed."""

    shard: int
    records: int
    tombstones: int
    full: bool
    checks: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)


def validate_shard(
    *,
    plan: Plan,
    report: ShardReport,
    bucket: Bucket,
    efs_root: Path,
    workdir: Path,
    full_read_records: int = FULL_READ_RECORDS,
    at_risk: AtRisk | None = None,
) -> ShardValidation:
    """Prove what a report staged, a directory or a segment; a report without either is valid by itself.

    Reads EFS and S3, writes only below `workdir`. at_risk is put around the proof of the content, for which a receipt
    may be to blame; not around that files and objects are there. Raises ShardInvalid or SegmentInvalid with the name of
    the check that failed, SnapshotDamaged, StorageUnavailable, TransientServiceError.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    if report.segment is not None:
        watch = Stopwatch()
        with watch.measure("segment"), risk(at_risk):
            records = validate_segment(
                plan=plan, report=report, staged=report.segment, bucket=bucket, efs_root=efs_root, workdir=workdir
            )
        return ShardValidation(report.shard, records, 0, full=True, checks=SEGMENT_CHECKS, seconds=watch.seconds)
    if report.staged is None:
        return ShardValidation(report.shard, 0, 0, full=True)
    return validate_base(
        Expected.of(report.staged, plan.collection, report.shard, plan.shards),
        report.staged,
        bucket=bucket,
        efs_root=efs_root,
        workdir=workdir,
        full_read_records=full_read_records,
        at_risk=at_risk,
    )


def validate_base(
    expected: Expected,
    staged: StagedShard,
    *,
    bucket: Bucket,
    efs_root: Path,
    workdir: Path,
    full_read_records: int = FULL_READ_RECORDS,
    at_risk: AtRisk | None = None,
) -> ShardValidation:
    """Prove a staged directory, of a merge or a fold; raises as validate_shard does."""
    workdir.mkdir(parents=True, exist_ok=True)
    os.environ["SQLITE_TMPDIR"] = str(workdir)
    watch = Stopwatch()
    full = staged.records <= full_read_records
    collection, shard = expected.collection, expected.shard
    with (
        room(workdir, sum(entry.size for entry in staged.files)),
        tempfile.TemporaryDirectory(dir=workdir, prefix=f"validate-{shard:04d}-") as private,
    ):
        folder = Path(private) / "shard"
        with watch.measure("copy"):
            _copy_staged(collection_folder(efs_root, collection), shard, staged, folder)
        with watch.measure("objects"):
            _check_objects(bucket, collection, shard, staged)
        with watch.measure("content"), risk(at_risk):
            check_directory(folder, expected, full=full)
    checks = tuple(check for check in CHECKS if full or check != "digest")
    return ShardValidation(shard, staged.records, staged.tombstones, full, checks, watch.seconds)


def _copy_staged(root: Path, shard: int, staged: StagedShard, target: Path) -> None:
    with storage_errors():
        source = root / staged.path
        if not source.is_dir():  # a redriven execution may validate what was renamed already
            source = root / shard_path(shard, staged.shard_version)
        found = {name: file_size(source / name) for name in file_names(source)} if source.is_dir() else {}
        expected = {entry.name: entry.size for entry in staged.files}
        if found != expected:
            raise ShardInvalid("files", f"{source} holds {found}, the report says {expected}")
        with file_pool() as pool:
            copies = list(pool.map(lambda entry: copy_in(source / entry.name, target / entry.name), staged.files))
    for entry, (_, digest) in zip(staged.files, copies, strict=True):
        if digest != entry.sha256:
            raise ShardInvalid("file_sha256", f"{entry.name} has sha256 {digest}, the report says {entry.sha256}")


def _check_objects(bucket: Bucket, collection: str, shard: int, staged: StagedShard) -> None:
    """Every file is in S3 with its size: what is published has a durable copy."""
    prefix = object_key(collection, shard_path(shard, staged.shard_version)) + "/"
    found = {entry.key.removeprefix(prefix): entry.size for entry in bucket.list(prefix)}
    expected = {entry.name: entry.size for entry in staged.files}
    if found != expected:
        raise ShardInvalid("objects", f"s3://{bucket.name}/{prefix} holds {found}, the report says {expected}")

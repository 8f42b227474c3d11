"""The commit of a re-shard: new bases, and over them what has changed since they were read.

The version that was re-sharded is compared with HEAD's, receipt by receipt, by the digests of their indexes. What
differs, whatever made it so (publications, folds, a rollback, another re-shard), is laid over the new bases, one
segment a shard. So nothing that comes in between makes it lose, but too much of it, or time.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Head, Pointer, snapshot_id_of
from receipt_dynamo_stream.invariants import rows_conserved, violation_as
from receipt_dynamo_stream.round.fold_report import FoldReport
from receipt_dynamo_stream.round.report import ReceiptContent, StagedSegment
from receipt_dynamo_stream.sharding import home_of

from receipt_chroma.errors import FoldChangedContent, SegmentInvalid
from receipt_chroma.folding import MOST_RECORDS, OVERDUE, FoldBound
from receipt_chroma.new_version import check_new_version, whole_of
from receipt_chroma.publish import laid_over, new_base_shard, place_segment, place_shard, put_manifest
from receipt_chroma.records import Record, nothing_of
from receipt_chroma.segment.checks import SEGMENT_CHECKS, check_segment
from receipt_chroma.segment.content import Segment
from receipt_chroma.segment.file import encode_segment
from receipt_chroma.segment.places import ShardContent
from receipt_chroma.snapshot.manifest import RESHARD, SCHEMA_VERSION, Manifest, ManifestShard, load_manifest
from receipt_chroma.snapshot.repaired_shard import RepairedShard
from receipt_chroma.stage import Attempt, stage_segment
from receipt_chroma.storage.files import sha256_of, storage_errors
from receipt_chroma.storage.tree import collection_folder, object_key

CHECKS: Final = ("files", "file_sha256", "objects", *SEGMENT_CHECKS, "conservation")
"""Names of all checks, as SegmentInvalid carries them."""

Contents = dict[str, ReceiptContent]


def write_reshard(
    head: Head,
    reports: Sequence[FoldReport],
    *,
    bound: FoldBound,
    execution: str,
    trigger: str,
    at: str,
    bucket: Bucket,
    efs_root: Path,
) -> tuple[Pointer, Manifest] | None:
    """Under the lease: the manifest of a new version that has HEAD's records in the shards of the reports.

    Returns what may be committed, None where so much has changed since that a shard would be overdue for a fold at
    once. The bytes depend on HEAD and the reports only, so this may run twice. Raises FoldChangedContent,
    InvariantViolated, StagingMissing, SnapshotDamaged, ManifestConflict, StorageUnavailable, TransientServiceError.
    """
    if head.pointer is None:
        return None
    base, current = load_manifest(bucket, reports[0].base), load_manifest(bucket, head.pointer)
    _check_reports(reports, base)
    folder = collection_folder(efs_root, head.collection)
    shards = [new_base_shard(report.shard, report.staged) for report in sorted(reports, key=lambda one: one.shard)]
    later = _Later(base, current, bucket, efs_root)
    changes = later.changes(len(shards))
    if any(_is_too_much(shards[number], now, bound) for number, (_, now) in changes.items()):
        return None
    snapshot_id = snapshot_id_of(head.version + 1, head.fence, 0)
    with storage_errors():
        for report in reports:
            place_shard(folder, report.shard, report.staged)
        for number, (before, now) in changes.items():
            # A redrive has another lease: what its late first attempt writes must not lie where this one writes.
            attempt = Attempt(head.collection, execution, 0, number, f"later-{head.fence}", snapshot_id)
            staged = later.stage(attempt, shards[number], before, now)
            place_segment(folder, number, staged)
            shards[number] = laid_over(shards[number], staged)
    manifest = replace(
        current,
        schema_version=SCHEMA_VERSION,
        kind=RESHARD,
        version=head.version + 1,
        snapshot_id=snapshot_id,
        parent=head.pointer,
        shard_count=len(shards),
        shards=tuple(shards),
        execution=execution,
        trigger=trigger,
        created_at=at,
    )
    _check_same_records(manifest, current)
    same = ShardContent(current.records, current.digest)
    check_new_version(manifest, over=head.pointer, fence=head.fence, wanted=same)
    put_manifest(bucket, folder, manifest)
    return manifest.pointer, manifest


def validate_reshard(pointer: Pointer, *, bucket: Bucket, efs_root: Path, workdir: Path) -> int:
    """Prove a version that write_reshard wrote, in another process; returns how many records are in its segments.

    Its bases are proved one by one, as those of a fold are. Proved here, from the files: each segment, what shard it
    comes to with its base, and that all shards together have the records of the version before. Reads EFS and S3,
    writes only below `workdir`. Raises SegmentInvalid with the name of the check that failed, FoldChangedContent,
    SnapshotDamaged, StorageUnavailable, TransientServiceError.
    """
    manifest = load_manifest(bucket, pointer)
    if manifest.parent is None:
        raise FoldChangedContent(f"{manifest.snapshot_id} has no parent whose records it could have")
    _check_same_records(manifest, load_manifest(bucket, manifest.parent))
    workdir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=workdir, prefix="published-") as private:
        laid = [shard for shard in manifest.shards if shard.segments]
        return sum(_validated(manifest, shard, bucket, efs_root, Path(private)) for shard in laid)


def _validated(manifest: Manifest, shard: ManifestShard, bucket: Bucket, efs_root: Path, private: Path) -> int:
    found, records = ShardContent(shard.base_records, shard.base_digest), 0
    base = replace(shard, segments=(), records=shard.base_records, digest=shard.base_digest)
    with RepairedShard(base, manifest.collection, bucket=bucket, efs_root=efs_root, private=private) as published:
        for segment in shard.segments:
            content = _read(collection_folder(efs_root, manifest.collection) / segment.path)
            if sha256_of(content) != segment.sha256:
                raise SegmentInvalid("file_sha256", f"{segment.path} has another sha256 than the manifest says")
            if bucket.find(object_key(manifest.collection, segment.path)) != content:
                raise SegmentInvalid("objects", f"{segment.path} is another one on S3 than on EFS")
            read = check_segment(
                content,
                collection=manifest.collection,
                shard=shard.shard,
                shards=manifest.shard_count,
                dimension=manifest.dimension,
            )
            if read.receipts != segment.receipts:
                raise SegmentInvalid("receipts", f"{segment.path} covers other receipts than the manifest says")
            found = found.after([published.proved_content(one.key) for one in read.receipts], read.receipts)
            records += len(read.records)
    with violation_as(partial(SegmentInvalid, "conservation")):
        rows_conserved(f"shard {shard.shard}", wanted=ShardContent(shard.records, shard.digest), found=found)
    return records


def _read(path: Path) -> bytes:
    with storage_errors():
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise SegmentInvalid("files", f"{path} is not there") from error


def _check_reports(reports: Sequence[FoldReport], base: Manifest) -> None:
    found = [(report.shard, report.into) for report in reports]
    if sorted(found) != [(number, len(reports)) for number in range(len(reports))]:
        raise FoldChangedContent(f"the reports are of the shards {found}, a re-shard needs each of its own once")
    if {report.base for report in reports} != {base.pointer}:
        raise FoldChangedContent("the reports are of several versions")
    staged = [ManifestShard(one.shard, records=one.staged.records, digest=one.staged.digest) for one in reports]
    _check_same_records(replace(base, shards=tuple(staged)), base)


def _check_same_records(manifest: Manifest, before: Manifest) -> None:
    wanted = ShardContent(before.records, before.digest)
    with violation_as(FoldChangedContent):
        what = f"what {before.snapshot_id} comes to in {len(manifest.shards)} shards (verify that version)"
        rows_conserved(what, wanted=wanted, found=whole_of(manifest))
        rows_conserved(what, wanted=wanted, found=ShardContent(manifest.records, manifest.digest))


def _is_too_much(shard: ManifestShard, now: Mapping[str, ReceiptContent], bound: FoldBound) -> bool:
    """Overdue for a fold at once, or more than the process that writes the manifest should hold."""
    most = min(OVERDUE * bound.records(shard.base_records), MOST_RECORDS)
    return sum(one.records for one in now.values()) > most


class _Later:
    """What the receipts of a collection have become between a version and a later one."""

    def __init__(self, base: Manifest, current: Manifest, bucket: Bucket, efs_root: Path) -> None:
        self._base, self._current = base, current
        self._bucket, self._efs_root = bucket, efs_root

    def changes(self, into: int) -> dict[int, tuple[Contents, Contents]]:
        """Of those that differ, what they were and what they are, by the new shard that they belong to."""
        if self._base.shards == self._current.shards:
            return {}
        was, now = self._contents(self._base), self._contents(self._current)
        found: dict[int, tuple[Contents, Contents]] = {}
        for key in sorted(was.keys() | now.keys()):
            before, after = was.get(key, nothing_of(key)), now.get(key, nothing_of(key))
            if before != after:
                gone, come = found.setdefault(home_of(key, into), ({}, {}))
                gone[key], come[key] = before, after
        return found

    def stage(self, attempt: Attempt, shard: ManifestShard, before: Contents, now: Contents) -> StagedSegment:
        """Stage the segment that brings a new shard from what its receipts were to what they are."""
        records: dict[str, list[Record]] = {}
        for old in self._current.shards:
            keys = [key for key in now if home_of(key, self._current.shard_count) == old.shard]
            if keys:
                with self._published(old) as published:
                    records |= {key: list(published.records(key).values()) for key in keys}
        segment = Segment.of(records)
        if segment.receipts != tuple(now[key] for key in sorted(now)):
            raise FoldChangedContent(f"records of {self._current.snapshot_id} are not those of its index: verify it")
        content = encode_segment(segment)
        path, sha256 = stage_segment(attempt, content, bucket=self._bucket, efs_root=self._efs_root)
        whole = ShardContent(shard.records, shard.digest).after(before.values(), now.values())
        return StagedSegment(
            path=path,
            segment_version=attempt.version,
            size=len(content),
            sha256=sha256,
            receipts=segment.receipts,
            shard_records=whole.records,
            shard_digest=whole.digest,
            dimension=segment.dimension,
        )

    def _contents(self, manifest: Manifest) -> Contents:
        found: Contents = {}
        for shard in manifest.shards:
            with self._published(shard) as published:
                found |= published.contents()
        return found

    def _published(self, shard: ManifestShard) -> RepairedShard:
        return RepairedShard(shard, self._current.collection, bucket=self._bucket, efs_root=self._efs_root)

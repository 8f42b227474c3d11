"""Verify: prove a published version again, from the files that readers open."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Head, Pointer, parse_snapshot_id
from receipt_dynamo_stream.control.versions import VersionRow
from receipt_dynamo_stream.errors import InvariantViolated
from receipt_dynamo_stream.invariants import (
    fenced_never_publishes,
    one_lineage,
    readers_never_mix,
    retained_is_readable,
    rows_conserved,
    versions_only_grow,
    violation_as,
)

from receipt_chroma.errors import NoSnapshotYet, SegmentInvalid, ShardInvalid, SnapshotDamaged, SnapshotUnavailable
from receipt_chroma.segment.checks import SEGMENT_CHECKS, check_segment
from receipt_chroma.segment.places import ShardContent
from receipt_chroma.shard.checks import CONTENT_CHECKS, Expected, check_directory
from receipt_chroma.snapshot.lineage import read_manifest
from receipt_chroma.snapshot.manifest import Manifest, ManifestShard, load_manifest
from receipt_chroma.snapshot.pointer import Current, read_current
from receipt_chroma.snapshot.published_shard import PublishedShard, read_published
from receipt_chroma.storage.files import copy_in, file_names, storage_errors
from receipt_chroma.storage.room import room
from receipt_chroma.storage.tree import collection_folder

_CHECKS: Final = tuple(dict.fromkeys(("sha256", *CONTENT_CHECKS, *SEGMENT_CHECKS, "conservation")))
_MENDED: Final = "the next scheduled execution mends it, and so does `compaction restore`"


@dataclass(frozen=True)
class Verified:
    """What was proved: every check of every shard that holds anything."""

    records: int
    shards: int
    checks: tuple[str, ...]


def verify_snapshot(
    *,
    pointer: Pointer,
    collection: str,
    bucket: Bucket,
    efs_root: Path,
    workdir: Path,
    row: VersionRow | None = None,
) -> Verified:
    """Every check of validation on every shard of a version, all records read, one shard at a time.

    row: its VERSION row, which must tell of the same parent. Reads EFS and S3, writes only below `workdir`. Raises
    SnapshotDamaged when the manifest or a file on EFS is not what S3's manifest says, ShardInvalid or SegmentInvalid
    with the name of the check that failed, InvariantViolated, StorageUnavailable, TransientServiceError.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    os.environ["SQLITE_TMPDIR"] = str(workdir)
    try:
        manifest = load_manifest(bucket, pointer)
        shards = _verify_files(manifest, pointer, collection_folder(efs_root, collection), workdir)
    except (SnapshotDamaged, ShardInvalid, SegmentInvalid) as error:
        with suppress(InvariantViolated):  # who looks on is told, and the error has the better name
            retained_is_readable(pointer.snapshot_id, [str(error)])
        raise
    retained_is_readable(pointer.snapshot_id, ())
    _check_lineage(manifest, row)
    return Verified(manifest.records, shards, ("manifest", *_CHECKS))


def _check_lineage(manifest: Manifest, row: VersionRow | None) -> None:
    """It came after its parent, by its version and by its fence, and its row says so too."""
    name, parent = manifest.snapshot_id, manifest.parent
    if parent is not None:
        versions_only_grow(f"{manifest.collection}, by {name},", parent.version, manifest.version, strictly=True)
        fences = [parse_snapshot_id(one).fence for one in (name, parent.snapshot_id)]
        fenced_never_publishes(name, fence=fences[0], newest=fences[1])
    if row is not None:
        one_lineage(name, parent=parent.snapshot_id if parent else None, replaced=row.parent)


def _verify_files(manifest: Manifest, pointer: Pointer, root: Path, workdir: Path) -> int:
    try:
        read_manifest(root, Current.of(pointer))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise SnapshotDamaged(f"readers do not find the manifest: {error}; {_MENDED}") from error
    written = [shard for shard in manifest.shards if shard.path is not None or shard.segments]
    for shard in written:
        _verify_whole(root, manifest, shard)
        if shard.path is None:
            continue
        with (
            room(workdir, sum(entry.size for entry in shard.files)),
            tempfile.TemporaryDirectory(dir=workdir, prefix=f"verify-{shard.shard:04d}-") as private,
        ):
            folder = Path(private) / "shard"
            _copy_published(root / str(shard.path), shard, folder)
            check_directory(folder, _expected(manifest, shard), full=True)
    return len(written)


def verify_current(read_head: Callable[[], Head | None], efs_root: Path) -> Pointer | None:
    """Prove that CURRENT is what HEAD says, and return what that is; None before the first publication.

    HEAD is read before and after CURRENT: a commit may be on its way to EFS. Raises SnapshotDamaged,
    StorageUnavailable.
    """
    before = read_head()
    if before is None or before.pointer is None:
        return None
    try:
        current = read_current(efs_root, before.collection)
    except (NoSnapshotYet, SnapshotUnavailable) as error:
        raise SnapshotDamaged(f"readers find no pointer: {error}") from error
    after = read_head() or before
    shown, newest = Current.of(before.pointer), Current.of(after.pointer or before.pointer)
    with violation_as(lambda said: SnapshotDamaged(f"{said}; {_MENDED}")):
        if before.projected_version >= before.version:
            versions_only_grow("CURRENT, since HEAD says that it was projected,", shown.place, current.place)
        versions_only_grow("HEAD, since CURRENT was written,", current.place, newest.place)
        if current.place == newest.place:
            readers_never_mix("CURRENT", shown=current.manifest_sha256, named=newest.manifest_sha256)
    return before.pointer


def _verify_whole(root: Path, manifest: Manifest, shard: ManifestShard) -> None:
    """Prove the segments of a shard, and that base and segments come to what the manifest says of the shard."""
    with storage_errors():
        try:
            for segment in shard.segments:
                read_published(root, segment)
                check_segment(
                    root / segment.path,
                    collection=manifest.collection,
                    shard=shard.shard,
                    shards=manifest.shard_count,
                    dimension=manifest.dimension,
                )
            with PublishedShard.open(root, manifest.collection, shard) as published:
                found = ShardContent.of(published.contents().values())
        except (FileNotFoundError, NotADirectoryError) as error:
            raise SnapshotDamaged(f"{error}: DownloadSnapshot fetches what is missing from S3") from error
    with violation_as(partial(ShardInvalid, "conservation")):
        rows_conserved(f"shard {shard.shard}", wanted=ShardContent(shard.records, shard.digest), found=found)


def _copy_published(source: Path, shard: ManifestShard, target: Path) -> None:
    with storage_errors():
        found = file_names(source) if source.is_dir() else []
        if found != sorted(entry.name for entry in shard.files):
            raise SnapshotDamaged(f"{source} holds {found}: DownloadSnapshot fetches what is missing from S3")
        for entry in shard.files:
            if copy_in(source / entry.name, target / entry.name) != (entry.size, entry.sha256):
                raise SnapshotDamaged(f"{source / entry.name} is not the file of the manifest: the next merge mends it")


def _expected(manifest: Manifest, shard: ManifestShard) -> Expected:
    return Expected(
        collection=manifest.collection,
        shard=shard.shard,
        shards=manifest.shard_count,
        records=shard.base_records,
        tombstones=shard.tombstones,
        digest=shard.base_digest,
        dimension=manifest.dimension,
    )

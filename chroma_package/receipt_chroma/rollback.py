"""Rollback: the shards of an older version under a new one. History only grows; no file is copied."""

from dataclasses import replace
from pathlib import Path

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Head, Pointer, snapshot_id_of
from receipt_dynamo_stream.control.versions import EXPIRED, Versions

from receipt_chroma.errors import RollbackRefused
from receipt_chroma.new_version import check_new_version
from receipt_chroma.publish import put_manifest
from receipt_chroma.segment.places import ShardContent
from receipt_chroma.snapshot.download import download_snapshot
from receipt_chroma.snapshot.manifest import ROLLBACK, SCHEMA_VERSION, Manifest, load_manifest
from receipt_chroma.snapshot.retention import parent_chain
from receipt_chroma.storage.tree import collection_folder


def rollback_target(head: Head, versions: Versions, snapshot_id: str) -> Pointer:
    """The pointer of the version to roll back to.

    Only an ancestor of HEAD, which is what was once published, and only while it is not EXPIRED: its files may be gone.
    Raises RollbackRefused.
    """
    row = versions.read(snapshot_id)
    if row is not None and row.state == EXPIRED:
        raise RollbackRefused(f"{snapshot_id} is EXPIRED, its files may be gone: see `compaction versions`")
    chain = parent_chain(head.pointer.snapshot_id, versions.newest_first()) if head.pointer and row else iter(())
    ancestor = next((one for one in chain if one.snapshot_id <= snapshot_id), None)
    if row is None or ancestor is None or ancestor.snapshot_id != snapshot_id:
        raise RollbackRefused(f"{snapshot_id} was never published in {head.collection}: see `compaction versions`")
    return Pointer(row.version, row.snapshot_id, row.manifest_key, row.manifest_sha256)


def prepare_rollback(
    *, head: Head, target: Pointer, execution: str, trigger: str, at: str, bucket: Bucket, efs_root: Path
) -> tuple[Pointer, Manifest]:
    """Write the manifest of a new version that names the target's shards, however many; returns what may be committed.

    `at` is when the lease was acquired: the manifest's bytes depend on HEAD and the target only, so that this may run
    twice. EFS holds every file of the target when this returns. Raises InvariantViolated, SnapshotDamaged,
    ManifestConflict, StorageUnavailable, TransientServiceError.
    """
    older = load_manifest(bucket, target)
    download_snapshot(bucket, efs_root, head.collection, older)
    manifest = replace(
        older,
        schema_version=SCHEMA_VERSION,
        kind=ROLLBACK,
        version=head.version + 1,
        snapshot_id=snapshot_id_of(head.version + 1, head.fence, 0),
        parent=head.pointer,
        execution=execution,
        trigger=trigger,
        created_at=at,
    )
    same = ShardContent(older.records, older.digest)
    check_new_version(manifest, over=head.pointer, fence=head.fence, wanted=same)
    put_manifest(bucket, collection_folder(efs_root, head.collection), manifest)
    return manifest.pointer, manifest

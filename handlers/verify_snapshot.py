"""VerifySnapshot: prove a published version again, for an operator who asks and for the scrub."""

from __future__ import annotations

from receipt_chroma import verify
from receipt_chroma.errors import SnapshotUnavailable
from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.control.versions import EXPIRED

from .border import VerifySnapshotInput, VerifySnapshotOutput
from .clients import bucket, control_table
from .settings import settings
from .step import LambdaContext, step
from .work import work_folder


@step
def verify_snapshot(event: VerifySnapshotInput, _context: LambdaContext) -> VerifySnapshotOutput:
    """Raises what did not hold. A collection without any version is sound."""
    collection, snapshot_id = event["collection"], event["snapshot_id"]
    current = verify.verify_current(control_table().head(collection).read, settings().efs)
    pointer = pointer_of(collection, snapshot_id) if snapshot_id else current
    if pointer is None:
        return {"version": 0, "snapshot_id": "", "records": 0, "shards": 0, "checks": []}
    with work_folder("verify") as workdir:
        proof = verify.verify_snapshot(
            pointer=pointer,
            collection=collection,
            bucket=bucket(),
            efs_root=settings().efs,
            workdir=workdir,
        )
    return {
        "version": pointer.version,
        "snapshot_id": pointer.snapshot_id,
        "records": proof.records,
        "shards": proof.shards,
        "checks": list(proof.checks),
    }


def pointer_of(collection: str, snapshot_id: str) -> Pointer:
    """The pointer of a version that is not EXPIRED. Raises SnapshotUnavailable."""
    row = control_table().versions(collection).read(snapshot_id)
    if row is None or row.state == EXPIRED:
        state = row.state if row else "unknown"
        raise SnapshotUnavailable(f"{snapshot_id} of {collection} is {state}: there is nothing to verify")
    return Pointer(row.version, row.snapshot_id, row.manifest_key, row.manifest_sha256)

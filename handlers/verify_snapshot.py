"""VerifySnapshot: prove a published version again, for an operator who asks and for the scrub."""

from __future__ import annotations

from receipt_chroma import verify
from receipt_chroma.errors import SnapshotUnavailable
from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.control.versions import EXPIRED, VersionRow
from receipt_dynamo_stream.invariants import Invariant, observed

from .border import VerifySnapshotInput, VerifySnapshotOutput
from .clients import bucket, control_table
from .settings import settings
from .step import LambdaContext, step
from .work import work_folder


@step
def verify_snapshot(event: VerifySnapshotInput, _context: LambdaContext) -> VerifySnapshotOutput:
    """Raises what did not hold. A collection without any version is sound. Among the checks are the invariants."""
    collection, snapshot_id = event["collection"], event["snapshot_id"]
    held: dict[Invariant, bool] = {}
    with observed(held.__setitem__), work_folder("verify") as workdir:
        current = verify.verify_current(control_table().head(collection).read, settings().efs)
        named = snapshot_id or (current.snapshot_id if current else None)
        if named is None:
            return {"version": 0, "snapshot_id": "", "records": 0, "shards": 0, "checks": []}
        row = control_table().versions(collection).read(named)
        pointer = current if current and current.snapshot_id == named else pointer_of(collection, named, row)
        proof = verify.verify_snapshot(
            pointer=pointer,
            collection=collection,
            bucket=bucket(),
            efs_root=settings().efs,
            workdir=workdir,
            row=row,
        )
    return {
        "version": pointer.version,
        "snapshot_id": pointer.snapshot_id,
        "records": proof.records,
        "shards": proof.shards,
        "checks": [*sorted(held), *proof.checks],
    }


def pointer_of(collection: str, snapshot_id: str, row: VersionRow | None) -> Pointer:
    """The pointer of a version that is not EXPIRED. Raises SnapshotUnavailable."""
    if row is None or row.state == EXPIRED:
        state = row.state if row else "unknown"
        raise SnapshotUnavailable(f"{snapshot_id} of {collection} is {state}: there is nothing to verify")
    return Pointer(row.version, row.snapshot_id, row.manifest_key, row.manifest_sha256)

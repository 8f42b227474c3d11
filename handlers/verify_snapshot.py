"""VerifySnapshot: prove a published version again, for an operator who asks."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from receipt_chroma import verify
from receipt_chroma.errors import SnapshotUnavailable
from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.control.versions import EXPIRED

from .border import VerifySnapshotInput, VerifySnapshotOutput
from .clients import bucket, control_table
from .settings import settings
from .step import LambdaContext, step


@step
def verify_snapshot(event: VerifySnapshotInput, _context: LambdaContext) -> VerifySnapshotOutput:
    """Raises what did not hold."""
    collection, snapshot_id = event["collection"], event["snapshot_id"]
    row = control_table().versions(collection).read(snapshot_id)
    if row is None or row.state == EXPIRED:
        state = row.state if row else "unknown"
        raise SnapshotUnavailable(f"{snapshot_id} of {collection} is {state}: there is nothing to verify")
    with TemporaryDirectory(dir=settings().work_root, prefix="verify-") as workdir:
        proof = verify.verify_snapshot(
            pointer=Pointer(row.version, row.snapshot_id, row.manifest_key, row.manifest_sha256),
            collection=collection,
            bucket=bucket(),
            efs_root=settings().efs,
            workdir=Path(workdir),
        )
    return {
        "version": row.version,
        "snapshot_id": row.snapshot_id,
        "records": proof.records,
        "shards": proof.shards,
        "checks": list(proof.checks),
    }

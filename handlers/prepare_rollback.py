"""PrepareRollback: the manifest of a new version that names an older one's shards."""

from __future__ import annotations

from dataclasses import replace

from receipt_chroma import rollback
from receipt_chroma.folding import FoldBound, shards_to_fold
from receipt_chroma.stopwatch import Stopwatch
from receipt_dynamo_stream.errors import PointerMissing

from .border import PrepareRollbackInput, PrepareRollbackOutput
from .clients import bucket, control_table
from .settings import settings
from .step import LambdaContext, step


@step
def prepare_rollback(event: PrepareRollbackInput, _context: LambdaContext) -> PrepareRollbackOutput:
    """The new version has the fence of this lease: if the lease is lost meanwhile, its commit is refused."""
    control, collection = control_table(), event["collection"]
    head = control.head(collection).read()
    if head is None or head.pointer is None:
        raise PointerMissing(f"HEAD of {collection} names no snapshot: there is nothing to roll back")
    target = rollback.rollback_target(head, control.versions(collection), event["snapshot_id"])
    watch = Stopwatch()
    with watch.measure("manifest"):
        pointer, manifest = rollback.prepare_rollback(
            head=replace(head, fence=event["fence"]),
            target=target,
            execution=event["execution_name"],
            trigger=event["trigger"],
            at=event["acquired_at"],
            bucket=bucket(),
            efs_root=settings().efs,
        )
    row = manifest.row(event["execution"], seconds=watch.seconds, rollback=event["snapshot_id"])
    control.versions(collection).put_candidate(row)
    return {
        **pointer.to_json(),
        "records": manifest.records,
        "fold_due": len(shards_to_fold(manifest, FoldBound(**settings().fold_bound))),
        "shards": manifest.shard_count,
        "rollback": event["snapshot_id"],
    }

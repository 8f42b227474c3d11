"""SwapPointer: EFS shows what HEAD names; readers follow CURRENT there."""

from __future__ import annotations

from datetime import UTC, datetime

from receipt_chroma import project
from receipt_chroma.folding import OVERDUE, FoldBound
from receipt_chroma.snapshot.manifest import FOLD, Manifest

from .border import SwapPointerInput, SwapPointerOutput
from .clients import bucket, control_table
from .settings import settings
from .step import LambdaContext, measure, metrics, step


@step
def swap_pointer(event: SwapPointerInput, _context: LambdaContext) -> SwapPointerOutput:
    """After a commit, and whenever the schedule asks: what is wrong on EFS comes from S3.

    A rollback is the way out of a snapshot that is lost on both sides, so before it begins that is no obstacle.
    """
    projected = project.swap_pointer(
        control=control_table(),
        bucket=bucket(),
        efs_root=settings().efs,
        collection=event["collection"],
        execution=event["execution"],
        fence=event["fence"],
        trigger=event["trigger"],
        now=datetime.now(UTC),
        by_hand=event.get("mode") == "restore",
        leave_damaged=event.get("mode") == "rollback",
    )
    if projected.manifest is not None:
        measure_snapshot(projected.manifest, is_new=projected.moved)
        measure("Restored", bool(projected.found))
    numbers = {name: int(projected.head[name]["N"]) for name in ("version", "projected_version")}
    return {
        "head": projected.head,
        "fence": event["fence"],
        "version": numbers["version"],
        "projected_version": numbers["projected_version"],
        "found": projected.found,
        "moved": projected.moved,
        "files": projected.fetched.files,
        "bytes": projected.fetched.bytes,
    }


def measure_snapshot(manifest: Manifest, *, is_new: bool) -> None:
    """How much lies in segments, and how many shards are overdue. A fold counts when readers see it first."""
    bound = FoldBound(**settings().fold_bound)
    metrics().add_dimension(name="collection", value=manifest.collection)
    measure("FreshRecords", sum(shard.fresh_records for shard in manifest.shards))
    measure("ShardsOverdue", sum(bound.passed(shard, OVERDUE) for shard in manifest.shards))
    measure("Folds", is_new and manifest.kind == FOLD)

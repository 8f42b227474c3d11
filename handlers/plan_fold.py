"""PlanFold: which shards of the current version are folded, or how many there will be. Takes no lease."""

from __future__ import annotations

from datetime import UTC, datetime

from receipt_chroma import folding
from receipt_chroma.snapshot.manifest import load_manifest

from .border import PlanFoldInput, PlanFoldOutput
from .clients import bucket, control_table
from .settings import settings
from .step import LambdaContext, step


@step
def plan_fold(event: PlanFoldInput, _context: LambdaContext) -> PlanFoldOutput:
    """Shards past the bound; with `all` every shard that has a segment, with `rebuild` every one
    that has anything; of a re-shard the new ones, none where there
    are as many already. None of a paused collection, which would publish nothing of it. Raises ReshardRefused."""
    into = folding.shard_number(event["into"])
    now = datetime.now(UTC).isoformat()  # before anything is staged
    head = control_table().head(event["collection"]).read()
    is_paused = head is not None and head.paused is not None
    if head is None or head.pointer is None or is_paused:
        return {"paused": is_paused, "planned_at": now, "base": None, "shards": [], "into": into}
    manifest = load_manifest(bucket(), head.pointer)
    bound = folding.FoldBound(**settings().fold_bound)
    chosen = folding.plan_fold(manifest, bound, all=event["all"], into=into, rebuild=event["rebuild"])
    return {
        "paused": False,
        "planned_at": now,
        "base": head.pointer.to_json(),
        "shards": [{"shard": shard} for shard in chosen],
        "into": into,
    }

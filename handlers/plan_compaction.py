"""PlanCompaction: choose pending receipts, read their facts, and write down what the round does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from receipt_dynamo_stream.round import planning
from receipt_dynamo_stream.times import instant

from .border import PlanCompactionInput, PlanCompactionOutput
from .clients import bucket, control_table
from .settings import settings
from .step import LambdaContext, measure, metrics, step

ROUNDS_FOR = timedelta(hours=4)
"""So long an execution begins rounds; the machine's own timeout leaves the last one all the time that it may need."""


@step
def plan_compaction(event: PlanCompactionInput, context: LambdaContext) -> PlanCompactionOutput:
    """Mode plan writes nothing but the plan."""
    metrics().add_dimension(name="collection", value=event["collection"])
    now = datetime.now(UTC)
    held_since = instant(event.get("acquired_at"))
    planned = planning.plan_compaction(
        planning.Round(
            collection=event["collection"],
            execution=event["execution_name"],
            execution_arn=event["execution"],
            trigger=event["trigger"],
            round=event["round"],
            fence=event["fence"],
            attempt=context.aws_request_id,
            preview=event["mode"] == "plan",
            deployment=settings().deployment,
        ),
        control=control_table(),
        receipts_table=settings().receipts_table,
        bucket=bucket(),
        bounds=planning.RoundBounds(
            receipts=settings().max_receipts_per_round,
            records=settings().max_records_per_round,
            bytes=settings().max_bytes_per_round,
            commit_interval=timedelta(seconds=settings().min_commit_interval_seconds),
            default_shards=settings().default_shards,
        ),
        now=now,
        measure=measure,
    )
    plan = planned.plan
    return {
        "plan_key": planned.plan_key,
        "receipts": len(plan.receipts) if plan else 0,
        "more": planned.more,
        "last": held_since is not None and now - held_since >= ROUNDS_FOR,
        "wait_seconds": planned.wait_seconds,
        "base_version": planned.base.version,
        "version": planned.base.version + 1,
        "snapshot_id": planned.snapshot_id,
        "shards": [{"shard": shard} for shard in plan.touched_shards()] if plan else [],
    }

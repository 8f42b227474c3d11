"""SettleChanges: what was merged is no longer pending, and the producers' runs say how they ended.

As BlameReceipts: what a merge that failed says of its receipts.
"""

from __future__ import annotations

from datetime import UTC, datetime

from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.round import blame, settle
from receipt_dynamo_stream.round.plan import load_plan
from receipt_dynamo_stream.round.report import load_report

from .border import SettleChangesInput, SettleChangesOutput
from .clients import bucket, control_table
from .settings import settings
from .step import LambdaContext, measure, metrics, step


@step
def settle_changes(event: SettleChangesInput, _context: LambdaContext) -> SettleChangesOutput:
    """`manifest` is the committed pointer, or says that the round needed no new version."""
    now = datetime.now(UTC).isoformat()
    plan = load_plan(bucket(), event["plan_key"])
    if "failed" in event:
        quarantined = blame.blame(
            control_table(),
            receipts_table=settings().receipts_table,
            plan=plan,
            plan_key=event["plan_key"],
            error=event["failed"],
            now=now,
            deployment=settings().deployment,
        )
        done = settle.Settled(0, len(plan.receipts), 0, quarantined)
    else:
        manifest = event["manifest"]
        done = settle.settle_changes(
            control_table(),
            receipts_table=settings().receipts_table,
            plan=plan,
            reports=[load_report(bucket(), key) for key in event["report_keys"]],
            pointer=Pointer.from_json(manifest) if "snapshot_id" in manifest else None,
            now=now,
        )
    metrics().add_dimension(name="collection", value=event["collection"])
    measure("SettledReceipts", done.settled)
    measure("QuarantinedRuns", done.failed_runs)
    measure("NotedRuns", done.noted_runs)
    return {
        "settled": done.settled,
        "kept": done.kept,
        "completed_runs": done.completed_runs,
        "failed_runs": done.failed_runs,
    }

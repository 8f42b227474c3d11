"""SettleChanges: what was merged is no longer pending, and the producers' runs say how they ended."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.round import settle
from receipt_dynamo_stream.round.plan import load_plan
from receipt_dynamo_stream.round.report import load_report

from .clients import bucket, control_table
from .settings import settings
from .step import Event, measure, metrics, step


@step
def settle_changes(event: Event, _context: Any) -> Event:
    """{collection, plan_key, report_keys, manifest} -> {settled, kept, completed_runs, failed_runs}.

    `manifest` is the committed pointer, or {"unchanged": true} after a round that needed no new version.
    """
    manifest = event["manifest"]
    done = settle.settle_changes(
        control_table(),
        receipts_table=settings().receipts_table,
        plan=load_plan(bucket(), event["plan_key"]),
        reports=[load_report(bucket(), key) for key in event["report_keys"]],
        pointer=Pointer.from_json(manifest) if "snapshot_id" in manifest else None,
        now=datetime.now(UTC).isoformat(),
    )
    metrics().add_dimension(name="collection", value=event["collection"])
    measure("SettledReceipts", done.settled)
    measure("QuarantinedRuns", done.failed_runs)
    return asdict(done)

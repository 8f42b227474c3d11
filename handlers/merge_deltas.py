"""MergeDeltas: one shard of the base, brought to what the plan's facts and deltas say."""

from __future__ import annotations

from receipt_chroma import merge
from receipt_chroma.folding import FoldBound
from receipt_chroma.stage import Attempt
from receipt_dynamo_stream.round.plan import load_plan
from receipt_dynamo_stream.round.report import save_report

from .border import MergeDeltasInput, MergeDeltasOutput
from .clients import bucket
from .measures import measure_merge
from .settings import settings
from .step import LambdaContext, step
from .work import work_folder


@step
def merge_deltas(event: MergeDeltasInput, context: LambdaContext) -> MergeDeltasOutput:
    """A bad delta is a refusal in the report, never an error: it must not hold up the other receipts."""
    plan = load_plan(bucket(), event["plan_key"])
    with work_folder("merge") as workdir:
        report = merge.merge_deltas(
            plan=plan,
            plan_key=event["plan_key"],
            attempt=Attempt.of(plan, event["shard"], context.aws_request_id),
            bucket=bucket(),
            efs_root=settings().efs,
            workdir=workdir,
            bound=FoldBound(**settings().fold_bound),
            delta_buckets=tuple(filter(None, settings().delta_buckets.split(","))),
        )
    report_key = save_report(bucket(), report)
    measure_merge(report)
    return {
        "shard": report.shard,
        "report_key": report_key,
        "plan_key": report.plan_key,
        "changed": report.changed,
        "records": report.staged.records if report.staged else 0,
        "refused": len(report.refusals),
        "added": report.counts.added,
        "removed": report.counts.removed,
        "replaced": report.counts.replaced,
        "updated": report.counts.updated,
        "unchanged": report.counts.unchanged,
    }

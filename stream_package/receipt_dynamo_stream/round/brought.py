"""What a version brought: the part of its VERSION row that plan and reports tell, so that nobody needs to read S3."""

from collections.abc import Iterable, Mapping, Sequence

from receipt_dynamo_stream import names
from receipt_dynamo_stream.control.version_row import Brought
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.round.plan import Plan
from receipt_dynamo_stream.round.report import MergeCounts, ShardReport


def brought_by(plan: Plan, reports: Sequence[ShardReport]) -> Brought:
    """The same for every try of a step, since it is made from the plan and the reports alone.

    runs: merged ones that were not COMPLETED before. first_changed_at is too old for a receipt that changed again
    during its last merge, since its mark was kept. seconds are by part of the merge, of the slowest shard each.
    """
    completed = {
        (one.facts.receipt, run.run_id)
        for one in plan.receipts
        for run in one.facts.runs
        if run.state == names.COMPLETED
    }
    return Brought(
        counts=sum((report.counts for report in reports), MergeCounts()).to_json(),
        receipts=len(plan.receipts),
        runs=sum((receipt, run_id) not in completed for receipt, run_id, _ in merged_runs(reports)),
        refused=sum(len(report.refusals) for report in reports),
        first_changed_at=min((one.first_changed_at for one in plan.receipts if one.first_changed_at), default=None),
        seconds=slowest([report.seconds for report in reports]),
    )


def merged_runs(reports: Sequence[ShardReport]) -> list[tuple[ReceiptId, str, int]]:
    """Receipt, run id and merged vectors of every run that was not refused."""
    refused = {(refusal.receipt, refusal.run_id) for report in reports for refusal in report.refusals}
    return [
        (one.receipt, run_id, vectors)
        for report in reports
        for one in report.receipts
        for run_id, vectors in one.runs.items()
        if (one.receipt, run_id) not in refused
    ]


def slowest(shards: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Durations by step. Shards are merged and folded side by side, so the slowest one is what a step took."""
    seconds: dict[str, float] = {}
    for durations in shards:
        for step, duration in durations.items():
            seconds[step] = max(duration, seconds.get(step, 0.0))
    return seconds

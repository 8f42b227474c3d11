"""What a version brought, from its plan and reports."""

from dataclasses import replace

from receipt_dynamo_stream import ReceiptId
from receipt_dynamo_stream.control.versions import Brought
from receipt_dynamo_stream.facts import ReceiptFacts, RunFact
from receipt_dynamo_stream.round.brought import brought_by, merged_runs
from receipt_dynamo_stream.round.plan import Plan, PlannedReceipt
from receipt_dynamo_stream.round.report import MergeCounts, ReceiptReport, Refusal, ShardReport

from ..samples import NOW

A, B = ReceiptId("a", 1), ReceiptId("b", 1)
OLD = RunFact("2026-07-01T00:00:00+00:00", "old", state="COMPLETED")
NEW = RunFact("2026-07-02T00:00:00+00:00", "new", state="PENDING")
PLAN = Plan(
    collection="words",
    execution="words-1",
    execution_arn="arn",
    trigger="stream",
    round=0,
    fence=8,
    base=None,
    snapshot_id="0000000004-0000000008-0",
    shards=2,
    planned_at=NOW,
    receipts=(
        PlannedReceipt(0, "t0", 1, "2026-07-28T11:59:30+00:00", ReceiptFacts(A, runs=(OLD, NEW))),
        PlannedReceipt(1, "t1", 1, "2026-07-28T11:59:59+00:00", ReceiptFacts(B, runs=(NEW,))),
    ),
)
REPORT = ShardReport(
    collection="words",
    execution="words-1",
    round=0,
    shard=0,
    attempt="x",
    plan_key="p",
    changed=True,
    staged=None,
    counts=MergeCounts(added=2),
    receipts=(ReceiptReport(A, {"old": 3, "new": 2}),),
    seconds={"read": 1.0, "write": 4.0},
)
OTHER = replace(
    REPORT,
    shard=1,
    counts=MergeCounts(updated=1),
    receipts=(ReceiptReport(B, {"new": 1}),),
    refusals=(Refusal(B, "new", "DeltaCorrupt", "a tar that is none"),),
    seconds={"read": 2.5, "stage": 0.5},
)


def test_a_version_is_told_by_its_plan_and_reports() -> None:
    assert brought_by(PLAN, (REPORT, OTHER)) == Brought(
        counts=MergeCounts(added=2, updated=1).to_json(),
        receipts=2,
        runs=1,
        refused=1,
        first_changed_at="2026-07-28T11:59:30+00:00",
        seconds={"read": 2.5, "write": 4.0, "stage": 0.5},
    )


def test_a_run_that_an_older_version_holds_already_is_merged_again_but_not_brought() -> None:
    assert merged_runs((REPORT,)) == [(A, "old", 3), (A, "new", 2)]
    assert brought_by(PLAN, (REPORT,)).runs == 1


def test_a_refused_run_is_not_merged() -> None:
    assert merged_runs((OTHER,)) == []


def test_a_plan_of_nothing_brings_nothing() -> None:
    empty = brought_by(replace(PLAN, receipts=()), ())
    assert empty == Brought(counts=MergeCounts().to_json())

"""What a version brought, from the plans and reports that its execution left; those of lost attempts do not count."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from receipt_chroma.snapshot.manifest import ManifestSegment, ManifestShard
from receipt_chroma.storage.tree import segment_path, shard_path
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Pointer, snapshot_id_of
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.control.versions import VersionRow
from receipt_dynamo_stream.facts import ReceiptFacts, RunFact
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.round.plan import Plan, PlannedReceipt, save_plan
from receipt_dynamo_stream.round.report import (
    FileEntry,
    MergeCounts,
    ReceiptReport,
    Refusal,
    ShardReport,
    StagedSegment,
    StagedShard,
    save_report,
)

from operate.contents.merged import used_reports, what_came, what_merged
from operate.errors import VersionNotFound
from operate.stack import Stack

from ...toy_stack.toy import ToyStack, toy_manifest

NAME = "words-stream-1b0f"
A, B, C = ReceiptId("image-a", 1), ReceiptId("image-b", 1), ReceiptId("image-c", 7)
SHARDS = {A: 0, B: 1, C: 1}


def plan_of(*receipts: ReceiptId, version: int, round: int = 0, execution: str = NAME) -> Plan:
    """A plan of version - 1, of receipts that were marked at noon and are planned for the second time."""
    planned = [
        PlannedReceipt(
            SHARDS[one],
            "token",
            2,
            "2026-07-28T12:00:00+00:00",
            ReceiptFacts(one, exists=one != C, runs=(RunFact("", "r"),)),
        )
        for one in receipts
    ]
    base = Pointer(version - 1, snapshot_id_of(version - 1, 1, 0), "key", "sha") if version > 1 else None
    return Plan(
        **{
            "collection": "words",
            "execution": execution,
            "execution_arn": f"arn:aws:states:x:1:execution:m:{execution}",
        },
        **{"trigger": "stream", "round": round, "fence": 5, "base": base, "shards": 2},
        **{"snapshot_id": snapshot_id_of(version, 5, round), "planned_at": "2026-07-28T12:01:00+00:00"},
        receipts=tuple(planned),
    )


def report_of(plan: Plan, shard: int, attempt: str = "a", *, plan_attempt: str = "p", **more: Any) -> ShardReport:
    """A report of a shard of a plan: three records of each of its receipts added, unless nothing `changed`."""
    changed = more.pop("changed", True)
    counts = MergeCounts(added=3) if changed else MergeCounts(unchanged=3)
    receipts = [one.facts.receipt for one in plan.receipts if one.shard == shard]
    version = f"{plan.snapshot_id}-{attempt}"
    in_segment = more.pop("in_segment", False)
    files = (FileEntry("chroma.sqlite3", 1_000, ""), FileEntry("receipts.json", 50, ""))
    base = StagedShard("staging/x", version, files, 3, 0, "0", 8)
    segment = StagedSegment("staging/x", version, 77, "", (), 3, "0", 8)
    return ShardReport(
        **{"collection": "words", "execution": plan.execution, "round": plan.round, "shard": shard, "attempt": attempt},
        plan_key=plan.plan_key(plan_attempt),
        changed=changed,
        staged=base if changed and not in_segment else None,
        segment=segment if changed and in_segment else None,
        counts=sum((counts for _ in receipts), MergeCounts()),
        receipts=tuple(ReceiptReport(one, {f"run-{attempt}": 3}, counts) for one in receipts),
        **{"seconds": {"copy": 1.0, "write": shard + 1.0}, **more},
    )


def with_segment(shard: ManifestShard, version: str) -> ManifestShard:
    path = segment_path(shard.shard, version)
    return replace(shard, segments=(*shard.segments, ManifestSegment(path, 77, "", ())))


@dataclass
class Left:
    """What executions leave, and the versions that were made of it."""

    stack: ToyStack

    @property
    def operator(self) -> Stack:
        return Stack(self.stack.connection)

    def plan(self, plan: Plan, attempt: str = "p") -> Plan:
        save_plan(Bucket(self.stack.s3, self.stack.connection.bucket), plan.plan_key(attempt), plan)
        return plan

    def reports(self, *reports: ShardReport) -> None:
        for report in reports:
            save_report(Bucket(self.stack.s3, self.stack.connection.bucket), report)

    def version(self, plan: Plan, *used: ShardReport, plan_attempt: str = "p", head: bool = True) -> Pointer:
        """Made of these reports and the base's other shards; published unless it is not for HEAD."""
        shards = [ManifestShard(n, shard_path(n, "0000000001-older")) for n in range(2)]
        for report in used:
            if report.staged:
                shards[report.shard] = ManifestShard(
                    report.shard, shard_path(report.shard, report.staged.shard_version)
                )
            if report.segment:
                shards[report.shard] = with_segment(shards[report.shard], report.segment.segment_version)
        manifest = toy_manifest("words", plan.snapshot_id, *shards, plan_key=plan.plan_key(plan_attempt))
        self.stack.put_manifest(manifest)
        self.row(manifest.pointer, plan.plan_key(plan_attempt), plan.execution_arn, plan.base and plan.base.snapshot_id)
        if head:
            self.stack.head("words", fence=5, **manifest.pointer.to_json())
        return manifest.pointer

    def row(self, pointer: Pointer, plan_key: str, execution: str, parent: str | None, kind: str | None = None) -> None:
        row = VersionRow(
            pointer.snapshot_id,
            parent=parent,
            manifest_key=pointer.manifest_key,
            manifest_sha256=pointer.manifest_sha256,
            plan_key=plan_key,
            execution=execution,
            kind=kind,
        )
        table = self.stack.connection.control_table
        assert ControlTable(self.stack.dynamodb, table).versions("words").put_candidate(row)
        ControlTable(self.stack.dynamodb, table).versions("words").mark_committed(
            pointer.snapshot_id, committed_at="2026-07-28T12:02:00+00:00"
        )

    def delete(self, prefix: str) -> None:
        bucket = self.stack.connection.bucket
        for found in self.stack.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ()):
            self.stack.s3.delete_object(Bucket=bucket, Key=found["Key"])


@pytest.fixture
def left(stack: ToyStack) -> Left:
    return Left(stack)


def test_a_version_says_what_it_brought_by_receipt_shard_and_step(left: Left) -> None:
    plan = left.plan(plan_of(A, B, C, version=2))
    refusal = Refusal(B, "bad", "DeltaCorrupt", "the footer is cut off")
    used = [report_of(plan, 0), report_of(plan, 1, refusals=(refusal,))]
    left.reports(*used)
    left.version(plan, *used)
    came = what_came(left.operator, "words", None)
    assert (came.version, came.snapshot_id, came.took_up, came.problem) == (2, plan.snapshot_id, None, None)
    merged = came.merged
    assert merged is not None
    assert (merged.execution, merged.round, merged.plan_key, merged.plans) == (NAME, 0, plan.plan_key("p"), 1)
    assert (merged.trigger, merged.base_version, merged.version, merged.state) == ("stream", 1, 2, "current")
    assert merged.counts == MergeCounts(added=9).to_json()
    assert merged.seconds == {"copy": 1.0, "write": 2.0}
    assert [(one.receipt, one.shard, one.exists, one.attempts, one.runs) for one in merged.receipts] == [
        (A.key, 0, True, 2, {"run-a": 3}),
        (B.key, 1, True, 2, {"run-a": 3}),
        (C.key, 1, False, 2, {"run-a": 3}),
    ]
    assert merged.receipts[0].counts == MergeCounts(added=3).to_json()
    assert [(one.receipt, one.run_id, one.error) for one in merged.refusals] == [(B.key, "bad", "DeltaCorrupt")]
    assert [(one.shard, one.attempts, one.changed, one.counts["added"]) for one in merged.shards] == [
        (0, 1, True, 3),
        (1, 1, True, 6),
    ]
    assert [(one.wrote, one.bytes) for one in merged.shards] == [("base", 1_050)] * 2
    assert merged.bytes == 2_100
    assert merged.problems == ()
    value = came.to_json()["merged"]
    assert value["planned_at"] == "2026-07-28T12:01:00+00:00"
    assert value["receipts"][0]["first_changed_at"] == "2026-07-28T12:00:00+00:00"


def test_only_the_attempt_whose_directory_the_manifest_names_counts(left: Left) -> None:
    plan = left.plan(plan_of(A, B, version=2))
    first, second, late = (report_of(plan, 0, attempt) for attempt in "abc")
    unchanged = [report_of(plan, 1, attempt, changed=False) for attempt in "xy"]
    left.reports(first, second, *unchanged, late)
    left.version(plan, second)
    merged = what_came(left.operator, "words", "2").merged
    assert merged is not None
    assert [(one.shard, one.attempts, one.changed) for one in merged.shards] == [(0, 3, True), (1, 2, False)]
    assert merged.counts == MergeCounts(added=3, unchanged=3).to_json()
    assert merged.receipts[0].runs == {"run-b": 3}


def test_a_shard_that_the_manifest_took_from_the_base_was_not_changed_by_a_late_attempt() -> None:
    plan = plan_of(A, version=2)
    changed, unchanged = report_of(plan, 0, "late"), report_of(plan, 0, "good", changed=False)
    base = toy_manifest("words", plan.snapshot_id, ManifestShard(0, "shards/0000/0000000001-0000000005-0-a"))
    mine = toy_manifest("words", plan.snapshot_id, ManifestShard(0, shard_path(0, changed.staged.shard_version)))
    never = toy_manifest("words", plan.snapshot_id, ManifestShard(0))
    for reports in ([changed, unchanged], [unchanged, changed]):
        assert used_reports(plan.plan_key("p"), reports, base) == {0: unchanged}
        assert used_reports(plan.plan_key("p"), reports, never) == {0: unchanged}
        assert used_reports(plan.plan_key("p"), reports, mine) == {0: changed}
        assert used_reports(plan.plan_key("p"), reports, None) == {0: reports[-1]}
        assert used_reports(plan.plan_key("q"), reports, base) == {}


def test_a_round_may_bring_a_segment_to_one_shard_and_a_base_to_another(left: Left) -> None:
    plan = left.plan(plan_of(A, B, version=2))
    lost, used = (report_of(plan, 0, attempt, in_segment=True) for attempt in "ab")
    left.reports(lost, used, report_of(plan, 1))
    left.version(plan, used, report_of(plan, 1))
    merged = what_came(left.operator, "words", None).merged
    assert merged is not None
    assert [(one.shard, one.attempts, one.wrote, one.bytes) for one in merged.shards] == [
        (0, 2, "segment", 77),
        (1, 1, "base", 1_050),
    ]
    assert merged.bytes == 1_127
    assert merged.to_json()["bytes"] == 1_127
    assert merged.receipts[0].runs == {"run-b": 3}


def test_only_the_attempt_whose_segment_the_manifest_names_counts() -> None:
    plan = plan_of(A, version=2)
    late, good = report_of(plan, 0, "late", in_segment=True), report_of(plan, 0, "good", in_segment=True)
    unchanged = report_of(plan, 0, "none", changed=False)
    older = with_segment(ManifestShard(0, "shards/0000/0000000001-0000000005-0-a"), "0000000001-0000000005-0-a")
    mine = toy_manifest("words", plan.snapshot_id, with_segment(older, good.segment.segment_version))
    before = toy_manifest("words", plan.snapshot_id, older)
    assert used_reports(plan.plan_key("p"), [late, good, late, unchanged], mine) == {0: good}
    assert used_reports(plan.plan_key("p"), [late, unchanged, late], before) == {0: unchanged}


@pytest.mark.parametrize(
    ("kind", "says"),
    [("fold", "a fold merges nothing"), ("reshard", "in another number of shards"), ("restore", "past every version")],
)
def test_what_merges_nothing_brought_nothing_and_says_whose_records_it_has(left: Left, kind: str, says: str) -> None:
    plan = left.plan(replace(plan_of(A, version=1), base=None))
    used = report_of(plan, 0)
    left.reports(used)
    first = left.version(plan, used)
    manifest = toy_manifest("words", snapshot_id_of(2, 6, 0), plan_key=plan.plan_key("p"))
    left.stack.put_manifest(manifest)
    left.row(manifest.pointer, plan.plan_key("p"), "arn:x:words-schedule-2", first.snapshot_id, kind=kind)
    left.stack.head("words", fence=6, **manifest.pointer.to_json())
    came = what_came(left.operator, "words", None)
    assert (came.took_up, came.merged) == (first.snapshot_id, None)
    assert says in (came.problem or "")


def test_an_execution_has_its_rounds_in_order_and_each_says_what_became_of_it(left: Left) -> None:
    rounds = [left.plan(plan_of(A, version=2 + number, round=number)) for number in (0, 1)]
    rounds.append(left.plan(plan_of(B, version=4, round=2)))
    rounds.append(left.plan(plan_of(C, version=4, round=10)))
    used = [report_of(plan, 0) for plan in rounds[:2]]
    left.reports(*used, report_of(rounds[2], 1, changed=False))
    for plan, report in zip(rounds, used, strict=False):
        left.version(replace(plan, base=None), report)
    left.plan(plan_of(A, version=9, execution=f"{NAME}-another"))
    merged = what_merged(left.operator, "words", NAME)
    assert [(one.round, one.version, one.state) for one in merged] == [
        (0, 2, "candidate"),
        (1, 3, "current"),
        (2, None, None),
        (10, None, None),
    ]
    assert [one.receipts[0].counts for one in merged] == [
        *(MergeCounts(added=3).to_json(), MergeCounts(added=3).to_json(), MergeCounts(unchanged=3).to_json()),
        None,
    ]
    assert [(one.shards[0].attempts, one.shards[0].changed) for one in merged[2:]] == [(1, False), (0, None)]
    assert what_merged(left.operator, "words", "words-stream-unknown") == ()
    assert what_merged(left.operator, "lines", NAME) == ()


def test_of_several_plans_of_a_round_the_one_that_was_merged_counts(left: Left) -> None:
    plan = left.plan(plan_of(A, version=2), "first")
    left.plan(plan_of(A, B, version=2), "second")
    (merged,) = what_merged(left.operator, "words", NAME)
    assert (merged.plan_key, merged.plans) == (plan.plan_key("second"), 2), "the newest, before anything is merged"
    report = report_of(plan, 0, plan_attempt="first")
    left.reports(report)
    (merged,) = what_merged(left.operator, "words", NAME)
    assert (merged.plan_key, merged.counts["added"]) == (plan.plan_key("first"), 3)
    late = report_of(plan, 0, "z", plan_attempt="second")
    left.reports(late)
    left.version(plan, report, plan_attempt="first")
    (merged,) = what_merged(left.operator, "words", NAME)
    assert (merged.plan_key, merged.counts["added"], merged.version) == (plan.plan_key("first"), 3, 2)
    assert len(merged.receipts) == 1


def test_a_rollback_brought_nothing_and_says_what_it_took_up(left: Left) -> None:
    plan = left.plan(replace(plan_of(A, version=1), base=None))
    used = report_of(plan, 0)
    left.reports(used)
    first = left.version(plan, used)
    for version, parent in ((2, first.snapshot_id), (3, snapshot_id_of(2, 6, 0))):
        manifest = toy_manifest("words", snapshot_id_of(version, 6, 0), plan_key=plan.plan_key("p"))
        left.stack.put_manifest(manifest)
        left.row(manifest.pointer, plan.plan_key("p"), f"arn:x:words-operator-{version}", parent)
        left.stack.head("words", fence=6, **manifest.pointer.to_json())
        came = what_came(left.operator, "words", str(version))
        assert (came.took_up, came.merged) == (first.snapshot_id, None)
        assert "a rollback merges nothing" in (came.problem or "")
    assert what_came(left.operator, "words", "1").merged is not None


def test_what_a_lifecycle_rule_deleted_is_said_and_not_raised(left: Left) -> None:
    plan = left.plan(plan_of(A, B, version=2))
    used = [report_of(plan, 0), report_of(plan, 1)]
    left.reports(*used)
    left.version(plan, *used)
    left.delete(used[1].report_key)
    merged = what_came(left.operator, "words", "2").merged
    assert merged is not None
    assert [(one.shard, one.attempts, one.changed) for one in merged.shards] == [(0, 1, True), (1, 0, None)]
    assert [one.counts is None for one in merged.receipts] == [False, True]
    left.delete("plans/")
    came = what_came(left.operator, "words", "2")
    assert (came.merged, came.problem) == (None, "its plan is gone: plans and reports are kept for a time only")
    assert what_merged(left.operator, "words", NAME) == ()
    with pytest.raises(VersionNotFound):
        what_came(left.operator, "words", "3")


def test_a_version_whose_row_names_no_plan_says_so(left: Left) -> None:
    left.stack.published("words", 1)
    assert what_came(left.operator, "words", "1").problem == "its row names no plan"


def test_an_expired_version_still_says_what_it_brought(left: Left) -> None:
    plan = left.plan(plan_of(A, version=2))
    used = report_of(plan, 0)
    left.reports(used)
    pointer = left.version(plan, used)
    left.stack.control.versions("words").mark_expired(pointer.snapshot_id)
    left.delete("snapshots/")
    merged = what_came(left.operator, "words", "2").merged
    assert merged is not None
    assert (merged.state, merged.counts["added"], merged.problems) == ("expired", 3, ())


def test_what_cannot_be_read_is_a_problem_of_its_round(left: Left) -> None:
    plan = left.plan(plan_of(A, B, version=2))
    used = [report_of(plan, 0), report_of(plan, 1)]
    left.reports(*used)
    pointer = left.version(plan, *used)
    bucket = left.stack.connection.bucket
    for key in (used[1].report_key, plan.plan_key("p"), pointer.manifest_key):
        left.stack.s3.put_object(Bucket=bucket, Key=key, Body=b"no gzip")
    merged = what_came(left.operator, "words", "2").merged
    assert merged is not None
    assert [problem.split(":")[0] for problem in merged.problems] == [
        *(used[1].report_key, plan.plan_key("p"), "the manifest of version 2 cannot be read"),
    ]
    assert (merged.receipts, merged.planned_at, merged.counts["added"]) == ((), None, 3)
    assert merged.to_json()["planned_at"] is None

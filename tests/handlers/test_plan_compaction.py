"""PlanCompaction where the pipeline tests cannot reach: isolation of a receipt that kills its merge, the interval."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.pending import PendingReceipts
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.round.plan import load_plan

from handlers.plan_compaction import plan_compaction

from .conftest import CONTEXT, Aws

A, B = ReceiptId("aaaa", 1), ReceiptId("bbbb", 1)
EVENT = {"collection": "words", "mode": "compact", "trigger": "operator", "execution": "arn:e", "execution_name": "e"}


def plan(**more: Any) -> dict[str, Any]:
    return plan_compaction({**EVENT, "round": 0, "fence": 7, **more}, CONTEXT)


def mark(aws: Aws, receipt: ReceiptId, *, attempts: int = 0) -> PendingReceipts:
    pending = aws.control.pending("words")
    pending.mark({receipt: ["test"]}, now="2026-01-01T00:00:00+00:00", new_token=lambda: f"token-{receipt.image_id}")
    for _ in range(attempts):
        assert pending.count_attempt(receipt, f"token-{receipt.image_id}")
    return pending


def put(aws: Aws, receipt: ReceiptId, suffix: str, **values: str) -> None:
    item = {"PK": receipt.pk, "SK": receipt.sk + suffix, **values}
    aws.dynamodb.put_item(TableName="receipts", Item={name: {"S": value} for name, value in item.items()})


def receipts_of(aws: Aws, answer: dict[str, Any]) -> list[ReceiptId]:
    return [one.facts.receipt for one in load_plan(Bucket(aws.s3, "bucket"), answer["plan_key"]).receipts]


def test_a_plan_says_what_it_builds_on_and_counts_an_attempt(aws: Aws) -> None:
    pending = mark(aws, A)
    answer = plan()
    assert (answer["receipts"], answer["version"], answer["snapshot_id"]) == (1, 1, "0000000001-0000000007-0")
    assert answer["shards"] == [{"shard": 0}]
    assert [one.attempts for one in pending.read()] == [1]


def test_a_preview_counts_no_attempt(aws: Aws) -> None:
    pending = mark(aws, A)
    assert plan(mode="plan", fence=0)["receipts"] == 1
    assert [one.attempts for one in pending.read()] == [0]


def test_a_receipt_whose_merge_failed_twice_is_planned_alone_and_after_the_others(aws: Aws) -> None:
    pending = mark(aws, A, attempts=2)
    mark(aws, B)
    first = plan()
    assert receipts_of(aws, first) == [B]
    assert first["more"]
    pending.settle(B, "token-bbbb")
    assert receipts_of(aws, plan(round=1)) == [A]


def test_the_runs_of_a_receipt_that_keeps_failing_are_quarantined_and_it_is_planned_without_them(
    aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    pending = mark(aws, A, attempts=6)
    put(aws, A, "", TYPE="RECEIPT")
    put(
        aws, A, "#COMPACTION_RUN#run-1", TYPE="COMPACTION_RUN", run_id="run-1", words_state="PENDING", created_at="2026"
    )
    answer = plan()
    assert answer["receipts"] == 0
    assert [(run.run_id, run.error) for run in aws.control.quarantine("words").list()] == [
        ("run-1", "MergeKeepsFailing")
    ]
    assert [one.attempts for one in pending.read()] == [0]
    (emitted,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert (emitted["QuarantinedRuns"], emitted["collection"]) == ([1.0], "words")  # the alarm's
    again = load_plan(Bucket(aws.s3, "bucket"), plan(round=1)["plan_key"])
    assert [run.state for run in again.receipts[0].facts.runs] == ["FAILED"]


@pytest.mark.parametrize(("ago", "wait"), [(5, True), (16, False)])
def test_two_commits_keep_the_minimum_interval(aws: Aws, ago: int, wait: bool) -> None:
    mark(aws, A)
    committed = (datetime.now(UTC) - timedelta(seconds=ago)).isoformat()
    texts = {
        "PK": "COLLECTION#words",
        "SK": "HEAD",
        "snapshot_id": "0000000001-0000000001-0",
        "committed_at": committed,
    }
    head = {**texts, "manifest_key": "k", "manifest_sha256": "s"}
    item = {**{name: {"S": value} for name, value in head.items()}, "version": {"N": "1"}}
    aws.dynamodb.put_item(TableName="control", Item=item)
    answer = plan()
    assert (5 < answer["wait_seconds"] <= 10) if wait else answer["wait_seconds"] == 0
    assert answer["receipts"] == (0 if wait else 1)


def test_an_execution_that_has_held_the_lease_for_long_makes_its_last_round(aws: Aws) -> None:
    mark(aws, A)
    now = datetime.now(UTC)
    assert plan(acquired_at=(now - timedelta(hours=3, minutes=59)).isoformat())["last"] is False
    late = plan(acquired_at=(now - timedelta(hours=4)).isoformat())
    assert (late["last"], late["receipts"]) == (True, 1), "this round is made all the same"
    assert plan()["last"] is False, "a preview holds no lease"

"""PlanCompaction where the pipeline tests cannot reach: what is tried with a suspect, the interval."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.pending import PendingReceipts
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.round.plan import Plan, load_plan

from handlers.plan_compaction import plan_compaction

from .conftest import CONTEXT, Aws

A, B = ReceiptId("aaaa", 1), ReceiptId("bbbb", 1)
EVENT = {"collection": "words", "mode": "compact", "trigger": "operator", "execution": "arn:e", "execution_name": "e"}


def plan(**more: Any) -> dict[str, Any]:
    return plan_compaction({**EVENT, "round": 0, "fence": 7, **more}, CONTEXT)


def mark(aws: Aws, receipt: ReceiptId) -> PendingReceipts:
    pending = aws.control.pending("words")
    pending.mark({receipt: ["test"]}, now="2026-01-01T00:00:00+00:00", new_token=lambda: f"token-{receipt.image_id}")
    return pending


def put(aws: Aws, receipt: ReceiptId, suffix: str, **values: str) -> None:
    item = {"PK": receipt.pk, "SK": receipt.sk + suffix, **values}
    aws.dynamodb.put_item(TableName="receipts", Item={name: {"S": value} for name, value in item.items()})


def stored(aws: Aws, answer: dict[str, Any]) -> Plan:
    return load_plan(Bucket(aws.s3, "bucket"), answer["plan_key"])


def receipts_of(aws: Aws, answer: dict[str, Any]) -> list[ReceiptId]:
    return [one.facts.receipt for one in stored(aws, answer).receipts]


def test_a_plan_says_what_it_builds_on_and_blames_nobody(aws: Aws) -> None:
    pending = mark(aws, A)
    before = pending.read()
    answer = plan()
    assert (answer["receipts"], answer["version"], answer["snapshot_id"]) == (1, 1, "0000000001-0000000007-0")
    assert answer["shards"] == [{"shard": 0}]
    assert plan(mode="plan", fence=0)["receipts"] == 1
    assert pending.read() == before


def test_a_suspect_is_planned_after_the_others(aws: Aws) -> None:
    pending = mark(aws, A)
    pending.suspect(A, together=1, order="1")
    mark(aws, B)
    first = plan()
    assert receipts_of(aws, first) == [B]
    assert first["more"]
    pending.settle(B, "token-bbbb")
    assert receipts_of(aws, plan(round=1)) == [A]


def test_a_suspect_without_contrast_is_planned_without_its_new_runs_and_one_that_has_none_as_it_is(aws: Aws) -> None:
    mark(aws, A).suspect(A, together=1, base=0, order="1")
    put(aws, A, "", TYPE="RECEIPT")
    run = {"TYPE": "COMPACTION_RUN", "created_at": "2026"}
    put(aws, A, "#COMPACTION_RUN#old", run_id="old", words_state="COMPLETED", **run)
    assert stored(aws, plan()).trial == "alone"
    put(aws, A, "#COMPACTION_RUN#new", run_id="new", words_state="PENDING", **run)
    answer = plan()
    assert answer["more"]  # the receipt stays pending
    control = stored(aws, answer)
    assert control.trial == "without"
    assert [run.run_id for run in control.receipts[0].facts.runs] == ["old"]


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

"""Rows of history: how an execution began and ended, whatever order the events come in."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from receipt_dynamo_stream.control.history import ExecutionRow

from handlers.record_execution import record_execution

from .conftest import CONTEXT, Aws

ARN = "arn:aws:states:us-east-1:123456789012:execution:compaction:words-stream-1"
STARTED, ENDED = 1_767_225_600_123, 1_767_225_605_000


def event(status: str, **detail: Any) -> dict[str, Any]:
    """As EventBridge delivers it; https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html"""
    return {
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "detail": {
            "executionArn": ARN,
            "stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:compaction",
            "name": "words-stream-1",
            "status": status,
            "startDate": STARTED,
            "stopDate": None if status == "RUNNING" else ENDED,
            "input": json.dumps({"collection": "words", "mode": "compact", "trigger": "stream"}),
            "inputDetails": {"included": True},
            "output": None,
            "error": None,
            "cause": None,
            **detail,
        },
    }


def rows(aws: Aws, collection: str = "words") -> list[dict[str, str]]:
    answer = aws.dynamodb.query(
        TableName="control",
        KeyConditionExpression="PK = :pk",
        ExpressionAttributeValues={":pk": {"S": f"EXECUTIONS#{collection}"}},
    )
    return [{name: next(iter(value.values())) for name, value in item.items()} for item in answer["Items"]]


def test_an_execution_that_started_is_a_row_under_its_collection_sorted_by_its_start(aws: Aws) -> None:
    assert record_execution(event("RUNNING"), CONTEXT) == {"recorded": True}
    (row,) = rows(aws)
    assert row == {
        "PK": "EXECUTIONS#words",
        "SK": "2026-01-01T00:00:00.123000+00:00#words-stream-1",
        "name": "words-stream-1",
        "arn": ARN,
        "status": "RUNNING",
        "started_at": "2026-01-01T00:00:00.123000+00:00",
        "mode": "compact",
        "trigger": "stream",
    }


def test_its_end_completes_the_same_row(aws: Aws) -> None:
    record_execution(event("RUNNING"), CONTEXT)
    output = json.dumps({"result": {"outcome": "published", "version": 7}})
    record_execution(event("SUCCEEDED", output=output), CONTEXT)
    (row,) = rows(aws)
    assert (row["status"], row["outcome"], row["version"]) == ("SUCCEEDED", "published", "7")
    assert row["ended_at"] == "2026-01-01T00:00:05+00:00"


def test_a_late_start_never_overwrites_an_end(aws: Aws) -> None:
    record_execution(event("FAILED", error="ShardInvalid", cause="a page"), CONTEXT)
    assert record_execution(event("RUNNING"), CONTEXT) == {"recorded": False}
    (row,) = rows(aws)
    assert (row["status"], row["error"], row["cause"]) == ("FAILED", "ShardInvalid", "a page")


def test_the_same_event_twice_is_one_row(aws: Aws) -> None:
    for _ in range(2):
        record_execution(event("FAILED", error="ShardInvalid"), CONTEXT)
    assert len(rows(aws)) == 1


def test_a_redriven_execution_that_succeeds_has_no_error_left(aws: Aws) -> None:
    record_execution(event("FAILED", error="ShardInvalid", cause="a page"), CONTEXT)
    record_execution(event("SUCCEEDED", output=json.dumps({"result": {"outcome": "unchanged"}})), CONTEXT)
    (row,) = rows(aws)
    assert "error" not in row
    assert "cause" not in row


@pytest.mark.parametrize(
    ("status", "error", "metric"),
    [
        ("FAILED", "ShardInvalid", "ExecutionsFailed"),
        ("FAILED", None, "ExecutionsFailed"),
        ("TIMED_OUT", None, "ExecutionsFailed"),
        ("FAILED", "Fenced", "ExecutionsFenced"),
        ("ABORTED", None, None),
        ("SUCCEEDED", None, None),
        ("RUNNING", None, None),
    ],
)
def test_failures_are_counted_and_fenced_ones_apart(
    aws: Aws, capsys: pytest.CaptureFixture[str], status: str, error: str | None, metric: str | None
) -> None:
    record_execution(event(status, error=error), CONTEXT)
    emitted = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert [[m["Name"] for m in e["_aws"]["CloudWatchMetrics"][0]["Metrics"]] for e in emitted] == (
        [[metric]] if metric else []
    )
    assert [e["collection"] for e in emitted] == (["words"] if metric else [])


def test_an_event_without_its_input_is_placed_by_the_executions_name(aws: Aws) -> None:
    record_execution(event("SUCCEEDED", input=None, inputDetails={"included": False}), CONTEXT)
    assert len(rows(aws, "words")) == 1


@pytest.mark.parametrize("asked", ["[1]", "no json", '{"collection": "sections"}'])
def test_an_input_that_names_no_collection_is_history_too(aws: Aws, asked: str) -> None:
    record_execution(event("FAILED", input=asked, name="by-hand", error="InvalidInput"), CONTEXT)
    assert len(rows(aws, "unknown")) == 1


def test_the_snapshot_that_an_input_names_stays_with_the_row(aws: Aws) -> None:
    asked = {"collection": "words", "mode": "rollback", "snapshot_id": "0000000003-0000000005-0"}
    record_execution(event("RUNNING", input=json.dumps(asked)), CONTEXT)
    assert rows(aws)[0]["snapshot_id"] == "0000000003-0000000005-0"
    record_execution(event("FAILED", input=json.dumps(asked), error="SnapshotDamaged"), CONTEXT)
    (row,) = rows(aws)
    assert (row["mode"], row["snapshot_id"], row["error"]) == ("rollback", asked["snapshot_id"], "SnapshotDamaged")


def test_a_late_end_never_overwrites_that_of_a_redrive(aws: Aws) -> None:
    output = json.dumps({"result": {"outcome": "unchanged"}})
    record_execution(event("SUCCEEDED", output=output, stopDate=ENDED + 60_000), CONTEXT)
    assert record_execution(event("FAILED", error="ShardInvalid"), CONTEXT) == {"recorded": False}
    assert rows(aws)[0]["status"] == "SUCCEEDED"


@pytest.mark.parametrize("output", ['"text"', '{"result": "text"}', '{"result": {"outcome": null, "version": "7"}}'])
def test_an_output_of_another_shape_is_a_row_without_outcome(aws: Aws, output: str) -> None:
    assert record_execution(event("SUCCEEDED", output=output), CONTEXT) == {"recorded": True}
    (row,) = rows(aws)
    assert not {"outcome", "version"} & set(row)


def test_what_is_written_here_is_what_the_history_reads(aws: Aws) -> None:
    record_execution(event("FAILED", error="ShardInvalid", cause="a page"), CONTEXT)
    output = json.dumps({"result": {"outcome": "published", "version": 7}})
    record_execution(event("SUCCEEDED", output=output, name="words-b", startDate=STARTED + 1), CONTEXT)
    newest, oldest = aws.control.history("words").page(limit=9).rows
    assert (newest.name, newest.outcome, newest.version, newest.error) == ("words-b", "published", 7, None)
    assert (oldest.arn, oldest.status, oldest.trigger, oldest.error) == (ARN, "FAILED", "stream", "ShardInvalid")


def test_a_long_cause_is_cut(aws: Aws) -> None:
    record_execution(event("FAILED", error="E", cause="x" * 40_000), CONTEXT)
    assert len(rows(aws)[0]["cause"]) == 2_000


def test_executions_that_had_nothing_to_do_are_one_row_a_day(aws: Aws) -> None:
    history = aws.control.history("words")
    now = datetime.now(UTC)
    for number in range(40):
        began = (now - timedelta(minutes=5 * number)).isoformat()
        done = {"status": "SUCCEEDED", "ended_at": began, "outcome": "nothing_pending"}
        history.put(
            ExecutionRow(collection="words", name=f"words-schedule-{number}", arn="arn", started_at=began, **done)
        )
    told = {"startDate": int(now.timestamp() * 1000), "stopDate": int(now.timestamp() * 1000) + 300}
    output = json.dumps({"result": {"outcome": "nothing_pending"}})
    record_execution(event("SUCCEEDED", **told, output=output), CONTEXT)
    assert len(rows(aws)) == 1 + 12
    assert sum(day.executions for day in history.idle_days(9)) == 28

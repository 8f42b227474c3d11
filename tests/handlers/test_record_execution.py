"""Rows of history: how an execution began and ended, whatever order the events come in; and the mail of a failure."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from receipt_dynamo_stream.control.history import ExecutionRow

from handlers import clients, failure_mail
from handlers.record_execution import record_execution
from handlers.settings import settings

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


# Why it failed: the event does not say


def described(monkeypatch: pytest.MonkeyPatch, **answer: Any) -> list[str]:
    """Step Functions says this of every execution; which ones it was asked of."""
    asked: list[str] = []

    class Says:
        def describe_execution(self, **of: str) -> dict[str, Any]:
            asked.append(of["executionArn"])
            return answer

    monkeypatch.setattr("handlers.record_execution.stepfunctions", Says)
    return asked


def test_what_the_event_does_not_say_is_asked_of_step_functions(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = described(monkeypatch, status="FAILED", error="ShardInvalid", cause="a page" + "x" * 40_000)
    record_execution(event("FAILED"), CONTEXT)
    (row,) = rows(aws)
    assert (row["error"], row["cause"][:6], len(row["cause"])) == ("ShardInvalid", "a page", 2_000)
    assert asked == [ARN]


def test_a_fenced_execution_is_told_apart_by_what_step_functions_says(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    described(monkeypatch, status="FAILED", error="Fenced", cause="another one publishes")
    record_execution(event("FAILED"), CONTEXT)
    out = capsys.readouterr().out
    assert "ExecutionsFenced" in out
    assert "ExecutionsFailed" not in out


@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED"])
def test_nobody_is_asked_of_an_execution_that_did_not_fail(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    asked = described(monkeypatch, status=status)
    record_execution(event(status), CONTEXT)
    assert asked == []


def test_an_execution_that_was_redriven_meanwhile_has_no_error_yet(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    described(monkeypatch, status="RUNNING")
    record_execution(event("FAILED"), CONTEXT)
    assert "error" not in rows(aws)[0]


def test_an_execution_that_step_functions_does_not_know_is_a_row_without_an_error(aws: Aws) -> None:
    assert record_execution(event("FAILED"), CONTEXT) == {"recorded": True}
    assert "error" not in rows(aws)[0]


# The mail


@pytest.fixture
def mails(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What SNS delivered so far."""
    sns = boto3.client("sns")
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    queue = aws.sqs.create_queue(QueueName="mails")["QueueUrl"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:mails")
    monkeypatch.setenv("ALERTS_TOPIC_ARN", topic)
    settings.cache_clear()
    clients.sns.cache_clear()

    def delivered() -> list[dict[str, Any]]:
        received = aws.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        return [json.loads(one["Body"]) for one in received.get("Messages", [])]

    yield delivered
    clients.sns.cache_clear()


Mails = Callable[[], list[dict[str, Any]]]


def test_a_failure_is_mailed_with_what_it_was_where_it_is_and_what_to_do(aws: Aws, mails: Mails) -> None:
    record_execution(event("FAILED", error="ShardInvalid", cause="a page"), CONTEXT)
    (mail,) = mails()
    assert mail["Subject"] == "words: execution failed: ShardInvalid"
    for part in (
        "Error:      ShardInvalid",
        "Cause:      a page",
        "Mode:       compact, started by stream at 2026-01-01T00:00:00.123000+00:00, ended after 5 s",
        f"https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1#/v2/executions/details/{ARN}",
        "docs/runbook.md, section ShardInvalid",
        "$ compaction history words",
        "the next execution plans the same changes again",
    ):
        assert part in mail["Message"]


def test_a_scrub_that_fails_is_not_said_to_heal(aws: Aws, mails: Mails) -> None:
    asked = json.dumps({"collection": "words", "mode": "verify", "trigger": "schedule"})
    record_execution(event("FAILED", input=asked, error="SnapshotDamaged"), CONTEXT)
    assert "nothing heals that by itself" in mails()[0]["Message"]


@pytest.mark.parametrize(
    ("status", "error"),
    [("FAILED", "Fenced"), ("ABORTED", "StoppedByOperator"), ("SUCCEEDED", None), ("RUNNING", None)],
)
def test_what_is_no_failure_is_not_mailed(aws: Aws, mails: Mails, status: str, error: str | None) -> None:
    record_execution(event(status, error=error), CONTEXT)
    assert mails() == []


def test_an_outage_is_one_mail_an_hour_for_each_error(aws: Aws, mails: Mails) -> None:
    minute = 60_000

    def fail(number: int, error: str, after: int) -> None:
        times = {"startDate": STARTED + after, "stopDate": ENDED + after}
        record_execution(event("FAILED", error=error, name=f"words-{number}", **times), CONTEXT)

    for number in range(5):
        fail(number, "StorageUnavailable", number * minute)
    fail(5, "ShardInvalid", 5 * minute)
    fail(6, "StorageUnavailable", 70 * minute)
    told = [mail["Subject"].rpartition(" ")[2] for mail in mails()]
    assert sorted(told) == ["ShardInvalid", "StorageUnavailable", "StorageUnavailable"]


def test_a_subject_is_one_short_line_of_ascii() -> None:
    row = ExecutionRow(collection="words", name="n", arn=ARN, status="FAILED", started_at="x", error="Ä\n" * 100)
    line = failure_mail.subject(row)
    assert line.isascii()
    assert len(line) == 100
    assert "\n" not in line


@pytest.mark.parametrize(
    ("partition", "host"),
    [("aws-cn", "cn-north-1.console.amazonaws.cn"), ("aws-us-gov", "us-gov-west-1.console.amazonaws-us-gov.com")],
)
def test_the_link_leads_to_the_console_of_the_partition(partition: str, host: str) -> None:
    region = host.partition(".")[0]
    arn = f"arn:{partition}:states:{region}:1:execution:m:n"
    assert failure_mail.link(arn).startswith(f"https://{host}/states/home?region={region}#")

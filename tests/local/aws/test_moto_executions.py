"""Executions that start and end are told of, once each."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local.aws.executions import wait_until
from local.aws.moto_executions import interpreter_threads
from local.aws.moto_patches import MotoPatches
from local.aws.status_events import StatusChange

DEFINITION = {
    "StartAt": "Which",
    "TimeoutSeconds": 1,
    "States": {
        "Which": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.do", "StringEquals": "fail", "Next": "Fails"},
                {"Variable": "$.do", "StringEquals": "wait", "Next": "Waits"},
            ],
            "Default": "Ends",
        },
        "Fails": {"Type": "Fail", "Error": "AsTold", "Cause": "the input says so"},
        "Waits": {"Type": "Wait", "Seconds": 60, "Next": "Ends"},
        "Ends": {"Type": "Pass", "Result": {"outcome": "published"}, "ResultPath": "$.result", "End": True},
    },
}


@pytest.fixture
def told() -> list[StatusChange]:
    return []


@pytest.fixture
def start(told: list[StatusChange], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Start an execution of a small machine; its ARN."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    patches = MotoPatches()
    patches.apply(told.append)
    try:
        with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
            client = boto3.client("stepfunctions")
            machine = client.create_state_machine(
                name="m", definition=json.dumps(DEFINITION), roleArn="arn:aws:iam::123456789012:role/r"
            )["stateMachineArn"]

            def start(name: str, **content: Any) -> str:
                arn: str = client.start_execution(stateMachineArn=machine, name=name, input=json.dumps(content))[
                    "executionArn"
                ]
                return arn

            yield start
            wait_until(lambda: not interpreter_threads() or None, 10, "executions still run")
    finally:
        patches.remove()


def until_ended(told: list[StatusChange], arn: str) -> StatusChange:
    def last() -> StatusChange | None:
        mine = [change for change in told if change.arn == arn]
        return mine[-1] if mine and mine[-1].status != "RUNNING" else None

    return wait_until(last, 10, "the execution does not end")


def test_a_start_and_a_success_are_told_in_this_order(start: Any, told: list[StatusChange]) -> None:
    ended = until_ended(told, start("one", collection="words"))
    began, again = told
    assert again is ended
    assert (began.status, began.name, began.stopped_at, began.output) == ("RUNNING", "one", None, None)
    assert json.loads(began.input) == {"collection": "words"}
    assert began.state_machine_arn == "arn:aws:states:us-east-1:123456789012:stateMachine:m"
    assert ended.status == "SUCCEEDED"
    assert json.loads(ended.output or "") == {"collection": "words", "result": {"outcome": "published"}}
    assert ended.started_at == began.started_at
    assert ended.stopped_at is not None
    assert ended.stopped_at >= began.started_at


def test_when_a_failure_is_told_its_error_and_cause_can_be_asked_for(start: Any, told: list[StatusChange]) -> None:
    ended = until_ended(told, arn := start("one", do="fail"))
    assert (ended.status, ended.output) == ("FAILED", None)
    described = boto3.client("stepfunctions").describe_execution(executionArn=arn)
    assert (described["error"], described["cause"]) == ("AsTold", "the input says so")


def test_a_time_out_is_told(start: Any, told: list[StatusChange]) -> None:
    assert until_ended(told, start("one", do="wait")).status == "TIMED_OUT"


def test_a_stopped_execution_is_told_once_and_keeps_the_reason_that_was_given(
    start: Any, told: list[StatusChange]
) -> None:
    arn = start("one", do="wait")
    client = boto3.client("stepfunctions")
    client.stop_execution(executionArn=arn, error="StoppedByOperator", cause="it was the wrong one")
    assert [change.status for change in told] == ["RUNNING", "ABORTED"]
    assert told[1].stopped_at is not None
    described = client.describe_execution(executionArn=arn)
    assert (described["error"], described["cause"]) == ("StoppedByOperator", "it was the wrong one")
    wait_until(lambda: not interpreter_threads() or None, 10, "the execution still runs")
    assert len(told) == 2


def test_asking_twice_for_one_execution_starts_and_tells_one(start: Any, told: list[StatusChange]) -> None:
    arn = start("one", do="wait")
    assert start("one", do="wait") == arn
    until_ended(told, arn)
    assert [change.status for change in told] == ["RUNNING", "TIMED_OUT"]

"""What moto would keep for ever and the patches forget, and that nobody misses it."""

from datetime import timedelta
from typing import Any

import boto3
import pytest

from local.aws import moto_executions, moto_patches
from local.aws.executions import wait_until
from local.aws.moto_executions import EndedWorker, interpreter_threads
from local.aws.moto_patches import KEPT_ITERATORS

from .moto_tools import TABLE, create_machine, read_all, start, stream_of


def test_only_the_newest_shard_iterators_are_kept_and_the_newest_works(
    dynamodb: Any, patched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.dynamodbstreams.models import dynamodbstreams_backends

    monkeypatch.setattr(moto_patches, "KEPT_ITERATORS", 3)
    streams, from_the_oldest = stream_of(dynamodb)
    iterator, seen = from_the_oldest(), 0
    for _ in range(20):
        answer = streams.get_records(ShardIterator=iterator, Limit=3)
        iterator, seen = answer["NextShardIterator"], seen + len(answer["Records"])
    assert seen == 36
    assert len(dynamodbstreams_backends["123456789012"]["us-east-1"].shard_iterators) == 3
    assert KEPT_ITERATORS >= 100


def test_the_oldest_executions_that_have_ended_are_forgotten(
    patched: None, stepfunctions: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moto_executions, "KEPT_EXECUTIONS", 3)
    machine = create_machine(stepfunctions, {"Type": "Wait", "SecondsPath": "$.seconds", "End": True})
    running = start(stepfunctions, machine, "running", 600)
    for number in range(6):
        arn = start(stepfunctions, machine, str(number), 0)
        wait_until(
            lambda arn=arn: stepfunctions.describe_execution(executionArn=arn)["status"] == "SUCCEEDED" or None,
            10,
            "does not end",
        )
    names = [each["name"] for each in stepfunctions.list_executions(stateMachineArn=machine)["executions"]]
    assert names == ["5", "4", "3", "running"]
    assert len(interpreter_threads()) < 10
    stepfunctions.stop_execution(executionArn=running)


def test_of_an_ended_execution_its_history_is_kept_and_its_worker_is_not(
    patched: None, stepfunctions: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.stepfunctions.parser.models import stepfunctions_parser_backends

    monkeypatch.setattr(moto_executions, "_LAST_THREADS", timedelta())
    machine = create_machine(stepfunctions, {"Type": "Wait", "SecondsPath": "$.seconds", "End": True})
    arn = start(stepfunctions, machine, "ended", 0)
    wait_until(
        lambda: stepfunctions.describe_execution(executionArn=arn)["status"] == "SUCCEEDED" or None, 10, "does not end"
    )
    whole = stepfunctions.get_execution_history(executionArn=arn)["events"]
    running = start(stepfunctions, machine, "running", 600)
    executions = stepfunctions_parser_backends["123456789012"]["us-east-1"].state_machines[0].executions
    kept = {each.name: each for each in executions}
    assert isinstance(kept["ended"].exec_worker, EndedWorker)
    assert not isinstance(kept["running"].exec_worker, EndedWorker)
    assert [event["type"] for event in whole][-1] == "ExecutionSucceeded"
    assert stepfunctions.get_execution_history(executionArn=arn)["events"] == whole
    assert stepfunctions.describe_execution(executionArn=arn)["status"] == "SUCCEEDED"
    stepfunctions.stop_execution(executionArn=arn)
    assert stepfunctions.describe_execution(executionArn=arn)["status"] == "SUCCEEDED", "its end stays"
    stepfunctions.stop_execution(executionArn=running)
    assert stepfunctions.describe_execution(executionArn=running)["status"] == "ABORTED"


def test_stream_records_that_a_reader_is_long_past_are_forgotten_and_none_is_missed(
    dynamodb: Any, patched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.dynamodb.models import dynamodb_backends

    monkeypatch.setattr(moto_patches, "KEPT_RECORDS", 5)
    streams, from_the_oldest = stream_of(dynamodb)
    first, iterator = read_all(streams, from_the_oldest())
    assert len(first) == len(set(first)) == 36
    for number in range(10):
        dynamodb.put_item(TableName=TABLE, Item={"PK": {"S": "d"}, "SK": {"S": f"{number}"}})
    more, iterator = read_all(streams, iterator)
    assert len(more) == 10
    assert int(more[0]) == int(first[-1]) + 1
    table = dynamodb_backends["123456789012"]["us-east-1"].get_table(TABLE)
    kept = [one for one in table.stream_shard.items if one is not None]
    assert len(kept) == 5
    assert read_all(streams, from_the_oldest())[0] == more[-5:]


def test_what_is_gone_is_not_kept_for_a_reset(dynamodb: Any, patched: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.dynamodb.models.dynamo_type import Item
    from moto.s3.models import FakeKey

    monkeypatch.setattr(moto_patches, "KEPT_OPEN", 10)
    items, objects = len(Item.instances_tracked), len(FakeKey.instances_tracked)
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="bucket")
    for number in range(35):
        dynamodb.put_item(TableName=TABLE, Item={"PK": {"S": "a"}, "SK": {"S": "k00"}, "n": {"N": str(number)}})
        s3.put_object(Bucket="bucket", Key=f"{number}", Body=b"x")
        s3.delete_object(Bucket="bucket", Key=f"{number}")
    s3.put_object(Bucket="bucket", Key="kept", Body=b"x")
    assert len(Item.instances_tracked) == items
    assert len(FakeKey.instances_tracked) - objects <= 10
    assert FakeKey.instances_tracked[-1].name == "kept"
    assert s3.get_object(Bucket="bucket", Key="kept")["Body"].read() == b"x"

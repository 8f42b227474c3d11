"""What the tests of moto have of its tables and machines."""

import json
from collections.abc import Callable
from typing import Any

import boto3

TABLE = "t"


def create_machine(stepfunctions: Any, state: dict[str, Any]) -> str:
    definition = json.dumps({"StartAt": "S", "States": {"S": state}})
    arn: str = stepfunctions.create_state_machine(
        name="m", definition=definition, roleArn="arn:aws:iam::123456789012:role/r"
    )["stateMachineArn"]
    return arn


def stream_of(dynamodb: Any) -> tuple[Any, Callable[[], str]]:
    """A client of the table's stream, and iterators of its one shard from the oldest record on."""
    streams = boto3.client("dynamodbstreams")
    arn = dynamodb.describe_table(TableName=TABLE)["Table"]["LatestStreamArn"]
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]

    def from_the_oldest() -> str:
        begun = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        return str(begun["ShardIterator"])

    return streams, from_the_oldest


def start(stepfunctions: Any, machine: str, name: str, seconds: int) -> str:
    """The ARN of an execution of a machine that waits for so many `seconds`."""
    arn: str = stepfunctions.start_execution(
        stateMachineArn=machine, name=name, input=json.dumps({"seconds": seconds})
    )["executionArn"]
    return arn


def read_all(streams: Any, iterator: str, limit: int = 3) -> tuple[list[str], str]:
    """The sequence numbers that are left to read, and where the next ones are."""
    seen: list[str] = []
    while records := (answer := streams.get_records(ShardIterator=iterator, Limit=limit))["Records"]:
        seen += [record["dynamodb"]["SequenceNumber"] for record in records]
        iterator = answer["NextShardIterator"]
    return seen, iterator

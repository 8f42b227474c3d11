"""The stream mapping: on the stack's real stream, and on a stream by hand where time matters."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws.executions import wait_until
from local.errors import InvokesRefused, StillRunning
from local.lambdas.invocation import InvocationResult
from local.mapping.poller import Mapping, Poller
from local.names import RECEIPTS_TABLE
from local.stack import LocalStack

MAPPING = Mapping(
    stream_arn="arn:s",
    function_arn="arn:f",
    filters=({"dynamodb": {"NewImage": {"TYPE": {"S": ["RECEIPT"]}}}},),
    batch_size=3,
    window_seconds=0.2,
    poll_seconds=0.02,
    retry_attempts=1,
    backoff_seconds=0.01,
    bisect=True,
)
SUCCESS = InvocationResult("r", b"{}")


def put(stack: LocalStack, sk: str, **attributes: str) -> None:
    item = {"PK": {"S": "IMAGE#1"}, "SK": {"S": sk}, **{name: {"S": value} for name, value in attributes.items()}}
    stack.client("dynamodb").put_item(TableName=RECEIPTS_TABLE, Item=item)


def delivered(stack: LocalStack) -> list[list[str]]:
    """The sort keys of every batch that arrived, in order."""
    file = stack.efs / "batches.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return [[record["dynamodb"]["Keys"]["SK"]["S"] for record in json.loads(line)] for line in lines]


def test_changes_arrive_in_order_and_in_one_batch_within_the_window(stack: LocalStack) -> None:
    for number in range(10):
        put(stack, f"{number}")
    stack.poller.wait_caught_up()
    batches = delivered(stack)
    assert [key for batch in batches for key in batch] == [str(number) for number in range(10)]
    assert len(batches) <= 2


def test_a_record_looks_as_lambda_shows_it(stack: LocalStack) -> None:
    put(stack, "1", a="old")
    put(stack, "1", a="new")
    stack.client("dynamodb").delete_item(TableName=RECEIPTS_TABLE, Key={"PK": {"S": "IMAGE#1"}, "SK": {"S": "1"}})
    stack.poller.wait_caught_up()
    lines = (stack.efs / "batches.jsonl").read_text().splitlines()
    insert, modify, remove = (record for line in lines for record in json.loads(line))
    assert [r["eventName"] for r in (insert, modify, remove)] == ["INSERT", "MODIFY", "REMOVE"]
    assert modify["dynamodb"]["OldImage"]["a"] == {"S": "old"}
    assert modify["dynamodb"]["NewImage"]["a"] == {"S": "new"}
    assert "OldImage" not in insert["dynamodb"]
    assert "NewImage" not in remove["dynamodb"]
    assert modify["eventSourceARN"].startswith("arn:aws:dynamodb:us-east-1:123456789012:table/receipts/stream/")
    assert modify["dynamodb"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert abs(modify["dynamodb"]["ApproximateCreationDateTime"] - datetime.now(UTC).timestamp()) < 60
    assert int(insert["dynamodb"]["SequenceNumber"]) < int(modify["dynamodb"]["SequenceNumber"])


def test_a_write_of_what_was_there_is_not_delivered(stack: LocalStack) -> None:
    put(stack, "1", a="x")
    put(stack, "1", a="x")
    put(stack, "2")
    stack.poller.wait_caught_up()
    assert [key for batch in delivered(stack) for key in batch] == ["1", "2"]


def test_a_reported_failure_is_tried_again_from_there(stack: LocalStack) -> None:
    stack.poller.pause()
    put(stack, "1")
    put(stack, "2", do="once")
    put(stack, "3")
    stack.poller.resume()
    stack.poller.wait_caught_up()
    assert delivered(stack) == [["1", "2", "3"], ["2", "3"]]


def test_a_record_that_makes_the_handler_raise_ends_in_the_failure_queue_alone(stack: LocalStack) -> None:
    stack.poller.pause()
    for key in "12345":
        put(stack, key, do="raise" if key == "3" else "")
    stack.poller.resume()
    stack.poller.wait_caught_up()
    assert sum(batch == ["3"] for batch in delivered(stack)) == 3  # once, and two attempts more
    (message,) = stack.client("sqs").receive_message(QueueUrl=stack.failure_queue_url)["Messages"]
    body = json.loads(message["Body"])
    assert body["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert body["DDBStreamBatchInfo"]["batchSize"] == 1


def test_pausing_holds_changes_back_and_loses_none(stack: LocalStack) -> None:
    stack.poller.pause()
    put(stack, "1")
    with pytest.raises(StillRunning):
        stack.poller.wait_caught_up(timeout=0.5)
    assert delivered(stack) == []
    stack.poller.resume()
    stack.poller.wait_caught_up()
    assert delivered(stack) == [["1"]]


class Stream:
    """A stream by hand: what GetRecords has to give, one list a call."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.broken = 0
        self.iterators: list[dict[str, Any]] = []

    def add(self, *numbers: int, entity: str = "RECEIPT") -> None:
        self.records += [
            {
                "eventID": str(n),
                "eventName": "INSERT",
                "awsRegion": "us-east-1",
                "dynamodb": {
                    "SequenceNumber": str(n),
                    "NewImage": {"TYPE": {"S": entity}},
                    "ApproximateCreationDateTime": datetime(2026, 7, 28, tzinfo=UTC),
                },
            }
            for n in numbers
        ]

    def describe_stream(self, **_: Any) -> dict[str, Any]:
        return {"StreamDescription": {"Shards": [{"ShardId": "shard"}]}}

    def get_shard_iterator(self, **position: Any) -> dict[str, Any]:
        self.iterators.append(position)
        after = int(position.get("SequenceNumber", 0))
        return {"ShardIterator": str(after)}

    def get_records(self, ShardIterator: str, Limit: int) -> dict[str, Any]:  # noqa: N803 (boto3's names)
        if self.broken:
            self.broken -= 1
            raise ClientError({"Error": {"Code": "ExpiredIteratorException", "Message": "old"}}, "GetRecords")
        new = [r for r in self.records if int(r["dynamodb"]["SequenceNumber"]) > int(ShardIterator)][:Limit]
        last = new[-1]["dynamodb"]["SequenceNumber"] if new else ShardIterator
        return {"Records": new, "NextShardIterator": last}


class Handler:
    """A stream handler by hand."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.results: list[InvocationResult | Exception] = []
        self.discarded: list[dict[str, Any]] = []
        self.arrived = threading.Event()

    def invoke(self, event: bytes) -> InvocationResult:
        self.batches.append([int(r["dynamodb"]["SequenceNumber"]) for r in json.loads(event)["Records"]])
        result = self.results.pop(0) if self.results else SUCCESS
        self.arrived.set()
        if isinstance(result, Exception):
            raise result
        return result


@pytest.fixture
def stream() -> Stream:
    return Stream()


@pytest.fixture
def handler() -> Handler:
    return Handler()


@pytest.fixture
def start(stream: Stream, handler: Handler) -> Iterator[Any]:
    pollers = []

    def started(**changes: Any) -> Poller:
        poller = Poller(
            replace(MAPPING, **changes),
            streams=stream,
            invoke=handler.invoke,
            discard=lambda message: handler.discarded.append(json.loads(message)),
        )
        poller.start()
        pollers.append(poller)
        return poller

    yield started
    for poller in pollers:
        poller.stop()


def test_filtered_records_do_not_fill_batches_or_open_a_window(stream: Stream, handler: Handler, start: Any) -> None:
    stream.add(*range(1, 100), entity="IMAGE")
    stream.add(100, 101)
    start().wait_caught_up(10)
    assert handler.batches == [[100, 101]]


def test_a_full_batch_does_not_wait_for_the_window(stream: Stream, handler: Handler, start: Any) -> None:
    stream.add(1, 2, 3, 4)
    start(window_seconds=60)
    assert handler.arrived.wait(10)
    assert handler.batches == [[1, 2, 3]]


def test_the_window_closes_on_what_there_is(stream: Stream, handler: Handler, start: Any) -> None:
    stream.add(1)
    start().wait_caught_up(10)
    assert handler.batches == [[1]]


def test_throttling_costs_no_attempt(stream: Stream, handler: Handler, start: Any) -> None:
    handler.results = [InvokesRefused("busy")] * 5
    stream.add(1)
    start(retry_attempts=0).wait_caught_up(10)
    assert handler.batches == [[1]] * 6
    assert handler.discarded == []


def test_after_its_attempts_a_batch_is_discarded_and_the_next_follows(
    stream: Stream, handler: Handler, start: Any
) -> None:
    handler.results = [InvocationResult("r", b"{}", "Unhandled")] * 2
    stream.add(1)
    poller = start()
    poller.wait_caught_up(10)
    stream.add(2)
    poller.wait_caught_up(10)
    assert handler.batches == [[1], [1], [2]]
    assert [each["DDBStreamBatchInfo"]["startSequenceNumber"] for each in handler.discarded] == ["1"]


def test_a_lost_iterator_is_replaced_without_losing_the_place(stream: Stream, handler: Handler, start: Any) -> None:
    stream.add(1)
    poller = start()
    poller.wait_caught_up(10)
    stream.broken = 1
    wait_until(lambda: len(stream.iterators) == 2 or None, 10, "no new iterator was asked for")
    stream.add(2)
    poller.wait_caught_up(10)
    assert handler.batches == [[1], [2]]
    assert stream.iterators[1]["ShardIteratorType"] == "AFTER_SEQUENCE_NUMBER"


def test_stopping_gives_up_a_batch_that_keeps_failing(stream: Stream, handler: Handler, start: Any) -> None:
    handler.results = [InvocationResult("r", b"{}", "Unhandled")] * 1000
    stream.add(1)
    poller = start(retry_attempts=-1, backoff_seconds=60)
    assert handler.arrived.wait(10)
    poller.stop()
    assert handler.discarded == []

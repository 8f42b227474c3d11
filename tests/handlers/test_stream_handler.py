"""The stream function: folded marks, one execution a collection, poison set aside, transient failures reported."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from receipt_dynamo_stream import StreamMessage
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.generations import GenerationsOf
from receipt_dynamo_stream.control.head import CollectionHead
from receipt_dynamo_stream.control.pending import PendingReceipts
from receipt_dynamo_stream.errors import ServiceRefused, TransientServiceError
from receipt_dynamo_stream.grain import COLLECTIONS
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.probe import PROBE_IMAGES, REFUSED_SECONDS

from handlers.clients import impatient_stepfunctions
from handlers.settings import settings
from handlers.stream_handler import stream_handler

from .conftest import CONTEXT, Aws

A, B = ReceiptId("aaaa", 1), ReceiptId("bbbb", 1)
THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "UpdateItem")


def record(receipt: ReceiptId, suffix: str, entity: str, number: int = 1, event: str = "INSERT") -> dict[str, Any]:
    keys = {"PK": {"S": receipt.pk}, "SK": {"S": receipt.sk + suffix}}
    image = {**keys, "TYPE": {"S": entity}}
    return {
        "eventID": f"event-{number}",
        "eventName": event,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/receipts/stream/2026-01-01T00:00:00.000",
        "dynamodb": {
            "ApproximateCreationDateTime": 1767225600 + number,
            "Keys": keys,
            ("OldImage" if event == "REMOVE" else "NewImage"): image,
            "SequenceNumber": f"{number:021d}",
            "SizeBytes": 100,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }


def word(receipt: ReceiptId, word_id: int, number: int = 1) -> dict[str, Any]:
    return record(receipt, f"#LINE#00001#WORD#{word_id:05d}", "RECEIPT_WORD", number)


def pending(aws: Aws, collection: str) -> list[ReceiptId]:
    return [one.receipt for one in aws.control.pending(collection).read()]


def failed(answer: dict[str, Any]) -> list[str]:
    return [one["itemIdentifier"] for one in answer["batchItemFailures"]]


def test_a_batch_marks_each_receipt_once_and_starts_one_execution_a_collection(aws: Aws) -> None:
    records = [word(A, 1, 1), word(A, 2, 2), word(B, 1, 3)]
    assert failed(stream_handler({"Records": records}, CONTEXT)) == []
    assert pending(aws, "words") == [A, B]
    assert pending(aws, "lines") == []
    assert aws.executions() == ["words"]


def test_a_batch_of_nothing_relevant_starts_nothing(aws: Aws) -> None:
    stranger = record(A, "", "SOMETHING_ELSE")
    stranger["dynamodb"]["Keys"]["SK"]["S"] = "ELSEWHERE#1"
    stranger["dynamodb"]["NewImage"]["SK"]["S"] = "ELSEWHERE#1"
    assert failed(stream_handler({"Records": [stranger]}, CONTEXT)) == []
    assert aws.executions() == []


def test_an_empty_batch_is_no_error(aws: Aws) -> None:
    assert failed(stream_handler({"Records": []}, CONTEXT)) == []


def test_a_record_that_cannot_be_parsed_goes_raw_to_the_failure_queue_and_is_acknowledged(aws: Aws) -> None:
    broken = word(A, 1, 1)
    del broken["dynamodb"]["Keys"]
    assert failed(stream_handler({"Records": [broken, word(B, 1, 2)]}, CONTEXT)) == []
    (message,) = aws.failures()
    assert message["error"] == "StreamRecordError"
    assert message["record"] == broken
    assert pending(aws, "words") == [B]


def large(number: int, text: str, size: int = 380_000) -> dict[str, Any]:
    """A record that cannot be parsed (its id is not padded), with two images of nearly DynamoDB's 400 KB."""
    poison = record(A, "#LINE#1#WORD#1", "RECEIPT_WORD", number, event="MODIFY")
    image = {**poison["dynamodb"]["NewImage"], "note": {"S": text * (size // len(text.encode()))}}
    poison["dynamodb"] |= {"NewImage": image, "OldImage": image}
    return poison


@pytest.mark.parametrize("text", ["x", "\u5e97", "\x01", "\U0001f9fe", '"', "\x7f\ufffe"])
def test_poison_larger_than_a_message_goes_to_the_bucket_and_its_address_to_the_queue(aws: Aws, text: str) -> None:
    poison = large(1, text)
    for _ in range(2):  # delivered twice it is stored once
        assert failed(stream_handler({"Records": [poison, word(B, 1, 2)]}, CONTEXT)) == []
    messages = aws.failures()
    assert len(messages) == 2
    (stored,) = {message["stored"] for message in messages}
    assert stored.startswith("s3://bucket/poison/")
    body = aws.s3.get_object(Bucket="bucket", Key=stored.removeprefix("s3://bucket/"))["Body"].read()
    assert json.loads(body)["record"] == poison
    assert json.loads(body)["error"] == messages[0]["error"] == "StreamRecordError"
    assert messages[0]["keys"] == poison["dynamodb"]["Keys"]
    assert messages[0]["sequence_number"] == f"{1:021d}"
    assert pending(aws, "words") == [B]


@pytest.mark.parametrize("size", [60_000, 124_000, 125_000, 131_000, 135_000])
def test_poison_of_a_size_near_a_messages_is_set_aside_either_way(aws: Aws, size: int) -> None:
    poison = large(1, "x", size)
    assert failed(stream_handler({"Records": [poison]}, CONTEXT)) == []
    (message,) = aws.failures()
    assert ("record" in message) != ("stored" in message)


def test_many_large_poisons_of_one_batch_have_an_object_each(aws: Aws) -> None:
    poisons = [large(number, "\u5e97") for number in range(1, 8)]
    assert failed(stream_handler({"Records": poisons}, CONTEXT)) == []
    messages = aws.failures()
    assert len({message["stored"] for message in messages}) == 7
    assert sorted(message["sequence_number"] for message in messages) == [f"{n:021d}" for n in range(1, 8)]


def test_a_bucket_that_refuses_poison_is_asked_once_a_batch_and_keys_and_numbers_are_kept(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def put(_self: Bucket, key: str, _content: bytes) -> None:
        asked.append(key)
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")

    monkeypatch.setattr(Bucket, "put", put)
    poisons = [large(1, "x"), large(2, "x")]
    assert failed(stream_handler({"Records": [*poisons, word(B, 1, 3)]}, CONTEXT)) == []
    messages = aws.failures()
    assert sorted(message["sequence_number"] for message in messages) == [f"{1:021d}", f"{2:021d}"]
    assert all("AccessDenied" in message["not_stored"] for message in messages)
    assert all(message["keys"] == poisons[0]["dynamodb"]["Keys"] for message in messages)
    assert len(asked) == 1
    assert pending(aws, "words") == [B]


def test_poison_whose_keys_are_the_large_part_is_set_aside_too(aws: Aws) -> None:
    poison = word(A, 1, 1)
    poison["dynamodb"]["Keys"] = {"PK": {"S": "\u5e97" * 100_000}, "SK": {"N": "1" * 100_000}}
    poison["eventID"] = "e" * 300_000
    assert failed(stream_handler({"Records": [poison]}, CONTEXT)) == []
    (message,) = aws.failures()
    assert message["stored"]
    assert len(json.dumps(message)) < 150_000


def test_only_the_records_of_a_receipt_whose_mark_failed_are_reported(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = PendingReceipts.mark

    def mark(self: PendingReceipts, reasons: Any, **more: Any) -> dict[ReceiptId, Exception]:
        return {A: THROTTLED} | real(self, {r: why for r, why in reasons.items() if r != A}, **more)

    monkeypatch.setattr(PendingReceipts, "mark", mark)
    answer = stream_handler({"Records": [word(B, 1, 1), word(A, 1, 2), word(A, 2, 3)]}, CONTEXT)
    assert failed(answer) == [f"{2:021d}", f"{3:021d}"]
    assert pending(aws, "words") == [B]


def test_while_the_control_table_is_out_the_whole_batch_is_reported_so_that_none_is_given_up_and_nothing_is_started(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PendingReceipts, "mark", lambda _self, reasons, **_: dict.fromkeys(reasons, THROTTLED))
    monkeypatch.setattr(CollectionHead, "read", refuse)
    broken = word(A, 3, 3)
    del broken["dynamodb"]["Keys"]
    assert failed(stream_handler({"Records": [word(A, 1, 1), word(B, 1, 2), broken]}, CONTEXT)) == [
        f"{1:021d}",
        f"{2:021d}",
    ]
    assert aws.executions() == []


def test_a_head_that_cannot_be_read_costs_promptness_and_no_change(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(CollectionHead, "read", refuse)
    assert failed(stream_handler({"Records": [word(A, 1)]}, CONTEXT)) == []
    assert pending(aws, "words") == [A]
    assert '"ExecutionStartFailures":[1' in capsys.readouterr().out.replace(" ", "")


def refuse(*_: object) -> None:
    raise THROTTLED


def test_a_mark_that_will_never_work_fails_the_invocation(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "UpdateItem")
    monkeypatch.setattr(PendingReceipts, "mark", lambda *_, **__: {A: denied})
    with pytest.raises(ServiceRefused, match="AccessDenied"):
        stream_handler({"Records": [word(A, 1)]}, CONTEXT)


def test_no_execution_is_started_when_the_holder_is_asked_for_another_round_already(aws: Aws) -> None:
    head = {"PK": "COLLECTION#words", "SK": "HEAD", "holder": "an-execution", "rerun": "2026-01-01T00:00:00+00:00"}
    aws.dynamodb.put_item(TableName="control", Item={name: {"S": value} for name, value in head.items()})
    stream_handler({"Records": [word(A, 1)]}, CONTEXT)
    assert aws.executions() == []
    assert pending(aws, "words") == [A]


def test_a_start_that_fails_costs_promptness_and_no_change(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.sfn.delete_state_machine(stateMachineArn=aws.state_machine_arn)
    assert failed(stream_handler({"Records": [word(A, 1)]}, CONTEXT)) == []
    assert pending(aws, "words") == [A]
    assert '"ExecutionStartFailures":[1' in capsys.readouterr().out.replace(" ", "")


def test_metrics_are_flushed_once_an_invocation_with_units(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    stream_handler({"Records": [word(A, 1)]}, CONTEXT)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert len(lines) == 1
    units = {m["Name"]: m["Unit"] for m in lines[0]["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert units["StreamRecords"] == "Count"
    assert units["OldestRecordAge"] == "Seconds"
    assert (lines[0]["RelevantChanges"], lines[0]["ReceiptWordChanges"], lines[0]["PendingMarks"]) == ([1], [1], [1])


def test_other_services_get_a_message_for_each_relevant_change_where_a_queue_is_deployed(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_url = aws.sqs.create_queue(QueueName="messages")["QueueUrl"]
    monkeypatch.setenv("MESSAGES_QUEUE_URL", queue_url)
    stream_handler({"Records": [word(A, 1, 1), word(A, 2, 2)]}, CONTEXT)
    received = aws.sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)["Messages"]
    messages = [StreamMessage.from_json(one["Body"]) for one in received]
    assert sorted(one.entity_data["word_id"] for one in messages) == [1, 2]


def test_a_queue_that_takes_no_messages_fails_no_mark(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MESSAGES_QUEUE_URL", aws.queue_url + "-gone")
    assert failed(stream_handler({"Records": [word(A, 1)]}, CONTEXT)) == []
    assert pending(aws, "words") == [A]
    assert '"PublishFailures":[1' in capsys.readouterr().out.replace(" ", "")


def test_a_step_functions_that_hangs_is_given_up_long_before_the_function_is_ended(aws: Aws) -> None:
    config = impatient_stepfunctions().meta.config
    a_start = config.retries["total_max_attempts"] * (config.connect_timeout + config.read_timeout)
    assert len(COLLECTIONS) * a_start < 40  # of the 60 seconds that it has


def keep_up(aws: Aws, active: str) -> None:
    head = {"PK": {"S": "COLLECTION#words"}, "SK": {"S": "HEAD"}, "active": {"S": active}}
    aws.dynamodb.put_item(TableName="control", Item=head)


def test_a_change_is_marked_in_every_generation_that_is_kept_up_and_wakes_each(aws: Aws) -> None:
    """NoChangeLost: an edit during a campaign reaches both."""
    keep_up(aws, "words words-2")
    assert failed(stream_handler({"Records": [word(A, 1)]}, CONTEXT)) == []
    assert (pending(aws, "words"), pending(aws, "words-2")) == ([A], [A])
    listed = aws.sfn.list_executions(stateMachineArn=aws.state_machine_arn)["executions"]
    assert sorted(one["name"].rpartition("-")[0] for one in listed) == ["words-2-stream", "words-stream"]


def test_a_change_is_not_marked_in_a_generation_that_was_left(aws: Aws) -> None:
    keep_up(aws, "words-2")
    stream_handler({"Records": [word(A, 1)]}, CONTEXT)
    assert (pending(aws, "words"), pending(aws, "words-2")) == ([], [A])


def test_a_batch_whose_generations_cannot_be_read_is_delivered_again(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    def throttled(*_: Any, **__: Any) -> Any:
        raise THROTTLED

    monkeypatch.setattr(GenerationsOf, "read", throttled)
    with pytest.raises(TransientServiceError):
        stream_handler({"Records": [word(A, 1)]}, CONTEXT)
    assert pending(aws, "words") == []


@pytest.mark.parametrize("probe", ["on", ""])
def test_a_probes_record_can_make_the_handler_raise_where_probes_are_taken_and_nowhere_else(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, probe: str
) -> None:
    monkeypatch.setenv("PROBE", probe)
    settings.cache_clear()
    asking = record(ReceiptId(f"{PROBE_IMAGES}1", 1), "", "RECEIPT")
    asking["dynamodb"]["NewImage"][REFUSED_SECONDS] = {"S": "30"}
    asking["dynamodb"]["ApproximateCreationDateTime"] = time.time()
    event = {"Records": [word(A, 1), asking]}
    if probe:
        with pytest.raises(TransientServiceError, match="a probe asks for it"):
            stream_handler(event, CONTEXT)
        assert pending(aws, "words") == [], "the mapping has to deliver all of it again"
    else:
        assert failed(stream_handler(event, CONTEXT)) == []
        assert A in pending(aws, "words")

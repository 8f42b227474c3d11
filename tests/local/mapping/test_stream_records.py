"""A Streams record as Lambda hands it over."""

import json
from datetime import UTC, datetime
from typing import Any

from local.mapping.stream_records import changes_something, lambda_record, sequence_number

ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/receipts/stream/2026-07-28T12:00:00.000"


def from_boto3(**images: Any) -> dict[str, Any]:
    return {
        "eventID": "1",
        "eventName": "MODIFY",
        "eventVersion": "1.0",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": datetime(2026, 7, 28, 12, 0, 0, 700_000, UTC),
            "Keys": {"PK": {"S": "IMAGE#1"}, "SK": {"S": "RECEIPT#00001"}},
            "SequenceNumber": "1100000000017454423009",
            "SizeBytes": 10,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            **images,
        },
    }


def test_a_record_has_the_fields_of_a_lambda_event_and_is_json() -> None:
    record = lambda_record(from_boto3(NewImage={"n": {"N": "1.50"}, "none": {"NULL": True}}), ARN)
    assert json.loads(json.dumps(record)) == {
        "eventID": "1",
        "eventName": "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1785240000,
            "Keys": {"PK": {"S": "IMAGE#1"}, "SK": {"S": "RECEIPT#00001"}},
            "NewImage": {"n": {"N": "1.50"}, "none": {"NULL": True}},
            "SequenceNumber": "1100000000017454423009",
            "SizeBytes": 10,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": ARN,
    }
    assert sequence_number(record) == "1100000000017454423009"


def test_binary_values_are_base64_at_any_depth() -> None:
    image = {"b": {"B": b"\x00\xff"}, "bs": {"BS": [b"a"]}, "m": {"M": {"l": {"L": [{"B": b"b"}]}}}}
    new = lambda_record(from_boto3(NewImage=image), ARN)["dynamodb"]["NewImage"]
    assert new == {"b": {"B": "AP8="}, "bs": {"BS": ["YQ=="]}, "m": {"M": {"l": {"L": [{"B": "Yg=="}]}}}}


def test_a_ttl_removal_keeps_who_removed_it() -> None:
    identity = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
    assert lambda_record({**from_boto3(), "userIdentity": identity}, ARN)["userIdentity"] == identity


def test_a_write_of_what_was_there_changes_nothing() -> None:
    same = {"a": {"S": "x"}}
    assert not changes_something(from_boto3(OldImage=same, NewImage=dict(same)))
    assert changes_something(from_boto3(OldImage=same, NewImage={"a": {"S": "y"}}))
    assert changes_something({**from_boto3(NewImage=same), "eventName": "INSERT"})

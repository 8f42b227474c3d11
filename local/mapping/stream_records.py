"""A record of the Streams API as Lambda hands it to a function.

https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html. Against what boto3 answers: times are epoch seconds, binary
values are base64, the stream's ARN is in the record, and there is a version.
"""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any


def lambda_record(record: Mapping[str, Any], stream_arn: str) -> dict[str, Any]:
    """The record as an event source mapping would send it; JSON-serialisable."""
    return {
        "eventID": record["eventID"],
        "eventName": record["eventName"],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": record["awsRegion"],
        "dynamodb": {name: _plain(value) for name, value in record["dynamodb"].items()},
        **({"userIdentity": record["userIdentity"]} if "userIdentity" in record else {}),
        "eventSourceARN": stream_arn,
    }


def changes_something(record: Mapping[str, Any]) -> bool:
    """False for a MODIFY between equal images: moto records a write that changes nothing, DynamoDB does not."""
    images = record["dynamodb"]
    return not (record["eventName"] == "MODIFY" and images.get("OldImage") == images.get("NewImage"))


def sequence_number(record: Mapping[str, Any]) -> str:
    """The record's place in its shard: what a partial failure names."""
    number: str = record["dynamodb"]["SequenceNumber"]
    return number


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return int(value.timestamp())  # the service rounds down to the second
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(each) for each in value]
    return value

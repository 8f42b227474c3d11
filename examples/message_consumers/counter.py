"""A consumer of the messages queue that counts changes by day, kind of entity and event, each of them once.

Queues deliver a message more than once. So the message's id and the count are written in one transaction: the second
time the id is there, and nothing is counted.
"""

import os
import time
from typing import Any

import boto3
from receipt_dynamo_stream import StreamMessage

dynamodb = boto3.client("dynamodb")
TABLE = os.environ["COUNTS_TABLE"]
REMEMBERED_SECONDS = 15 * 86_400
"""How long an id is kept, by the table's time to live: no queue keeps a message longer than 14 days."""


def count(event: dict[str, Any], _context: object) -> None:
    """What it raises leaves the whole batch in the queue, and what was counted already is not counted again."""
    for record in event["Records"]:
        add(StreamMessage.from_json(record["body"]))


def add(message: StreamMessage) -> None:
    seen = {"PK": {"S": f"SEEN#{message.message_id}"}, "SK": {"S": "SEEN"}}
    forget = {"N": str(int(time.time()) + REMEMBERED_SECONDS)}
    row = {"PK": {"S": f"DAY#{(message.timestamp or 'unknown')[:10]}"}}
    row["SK"] = {"S": f"{message.entity_type}#{message.event_name}"}
    try:
        dynamodb.transact_write_items(
            TransactItems=[
                {
                    "Put": {
                        "TableName": TABLE,
                        "Item": {**seen, "forget_at": forget},
                        "ConditionExpression": "attribute_not_exists(PK)",
                    }
                },
                {
                    "Update": {
                        "TableName": TABLE,
                        "Key": row,
                        "UpdateExpression": "ADD changes :one",
                        "ExpressionAttributeValues": {":one": {"N": "1"}},
                    }
                },
            ]
        )
    except dynamodb.exceptions.TransactionCanceledException as error:
        reasons = [reason["Code"] for reason in error.response["CancellationReasons"]]
        if reasons[0] != "ConditionalCheckFailed":
            raise

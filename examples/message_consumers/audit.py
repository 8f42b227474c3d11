"""A consumer of the messages queue that keeps who changed what and when, one row a change, in a table of its own.

A Lambda on the queue, with ReportBatchItemFailures: a message that cannot be kept comes again, and after the queue's
own count of attempts goes to its dead-letter queue. One that comes twice has the same key, so it is one row.
"""

import json
import os
from typing import Any

import boto3
from receipt_dynamo_stream import StreamMessage

table = boto3.resource("dynamodb").Table(os.environ["AUDIT_TABLE"])


def audit(event: dict[str, Any], _context: object) -> dict[str, Any]:
    failed = []
    for record in event["Records"]:
        try:
            keep(StreamMessage.from_json(record["body"]))
        except Exception as error:  # noqa: BLE001 -- one message must not hold up the others
            print(json.dumps({"message": record["messageId"], "error": repr(error)}))
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def keep(message: StreamMessage) -> None:
    data = message.entity_data
    table.put_item(
        Item={
            "receipt": f"{data['image_id']}/{data['receipt_id']}",
            "change": f"{message.timestamp}#{message.message_id}",  # in order of time
            "what": f"{message.event_name} {message.entity_type}",
            "ids": json.dumps({name: value for name, value in data.items() if name not in ("image_id", "receipt_id")}),
            "changes": json.dumps({name: [one.old, one.new] for name, one in message.changes.items()}),
        }
    )

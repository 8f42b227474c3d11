"""Batches of writes to the receipts table, and the keys of one receipt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from local.demo.samples.model import Receipt

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_BATCH = 25  # the most that BatchWriteItem takes
_ATTEMPTS = 10


class WritesRefused(Exception):
    """The table took only a part of a batch, again and again: it has too little capacity for this producer."""


def write_batches(dynamodb: DynamoDBClient, table: str, requests: Sequence[dict[str, Any]]) -> None:
    """Write put and delete requests in batches, sending again what the table leaves over. Raises WritesRefused."""
    for start in range(0, len(requests), _BATCH):
        left: dict[str, Any] = {table: list(requests[start : start + _BATCH])}
        for _ in range(_ATTEMPTS):
            left = dict(dynamodb.batch_write_item(RequestItems=left)["UnprocessedItems"])
            if not left:
                break
        else:
            raise WritesRefused(f"{len(left[table])} writes to {table} were left over {_ATTEMPTS} times")


def keys_of_receipt(dynamodb: DynamoDBClient, table: str, receipt: Receipt) -> list[dict[str, Any]]:
    """The keys of every item of a receipt, its RECEIPT item first, and of no other receipt."""
    own = {"PK": {"S": receipt.pk}, "SK": {"S": receipt.sk}}
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="PK = :pk AND begins_with(SK, :sk)",
        ExpressionAttributeValues={":pk": own["PK"], ":sk": {"S": f"{receipt.sk}#"}},
        ProjectionExpression="PK, SK",
        ConsistentRead=True,
    )
    return [own, *(item for page in pages for item in page["Items"])]


def delete_keys(dynamodb: DynamoDBClient, table: str, keys: Sequence[dict[str, Any]]) -> None:
    """Delete items by key, in batches. Raises WritesRefused."""
    write_batches(dynamodb, table, [{"DeleteRequest": {"Key": key}} for key in keys])

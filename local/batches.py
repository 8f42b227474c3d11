"""Many items into a table, as fast as it takes them."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_BATCH = 25  # the most that BatchWriteItem takes


def put_items(dynamodb: "DynamoDBClient", table: str, items: Iterable[Mapping[str, Any]]) -> None:
    """Put items that are read as they are written. moto takes every batch whole."""
    batch: list[Any] = []
    for item in items:
        batch.append({"PutRequest": {"Item": item}})
        if len(batch) == _BATCH:
            dynamodb.batch_write_item(RequestItems={table: batch})
            batch = []
    if batch:
        dynamodb.batch_write_item(RequestItems={table: batch})

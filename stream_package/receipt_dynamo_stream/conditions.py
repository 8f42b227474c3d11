"""Conditional writes of single items: one way to ask "did it apply, and if not, what is there"."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from receipt_dynamo_stream.attributes import Item

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_dynamodb import DynamoDBClient


def update_if(
    client: "DynamoDBClient", *, table: str, key: Item, condition: str, **request: Any
) -> tuple[bool, Item | None]:
    """UpdateItem under a condition, as (applied, item).

    Applied: the item is None unless `ReturnValues` asked for it. Refused: the item as it is, None when there is none.
    """
    from botocore.exceptions import ClientError

    try:
        answer = client.update_item(
            TableName=table,
            Key=key,
            ConditionExpression=condition,
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
            **request,
        )
    except ClientError as error:
        return False, refused_item(error)
    return True, answer.get("Attributes")


def refused_item(error: "ClientError") -> Item | None:
    """The item that refused a condition (None: there is none). Raises every other error as it is."""
    if error.response.get("Error", {}).get("Code") != "ConditionalCheckFailedException":
        raise error
    answer: Mapping[str, Any] = error.response  # with the item, which the types of errors do not know
    item: Item | None = answer.get("Item")
    return item or None


def query_each(client: "DynamoDBClient", **request: Any) -> Iterator[Item]:
    """The items of a consistent Query; a page is read when its first item is asked for, and one is in memory."""
    while True:
        page = client.query(ConsistentRead=True, **request)
        yield from page["Items"]
        if not page.get("LastEvaluatedKey"):
            return
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def query_all(client: "DynamoDBClient", **request: Any) -> list[Item]:
    """Every item of a consistent Query, all pages."""
    return list(query_each(client, **request))

"""What every part of the control table is bound to."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class Part:
    """The items of one kind and one collection: a client, the control table's name, and the collection's."""

    client: "DynamoDBClient"
    table: str
    collection: str

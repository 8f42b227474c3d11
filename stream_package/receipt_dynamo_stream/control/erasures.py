"""Erasures: how far the erasure of a deleted receipt is, so that whoever goes on with it knows what is done.

A row is named by a digest of the receipt's key, and has none of its bytes: it may stay when nothing else does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from receipt_dynamo_stream.attributes import Item, int_of, number, string, text_of
from receipt_dynamo_stream.keys import ReceiptId

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_FOLDED: Final = "folded_"
_SK: Final = "ERASURE"


@dataclass(frozen=True, slots=True)
class Erasure:
    """folded: by generation the version that its fold made; older ones are to go. erased_at: when nothing was found."""

    began_at: str
    folded: Mapping[str, int]
    erased_at: str | None = None


def erasure_name(receipt: ReceiptId) -> str:
    """What stands for a receipt where its key must not: sha256 of the key, in hex."""
    return sha256(receipt.key.encode()).hexdigest()


@dataclass(frozen=True)
class Erasures:
    """The `ERASURE#…` rows of a control table."""

    client: "DynamoDBClient"
    table: str

    def read(self, receipt: ReceiptId) -> Erasure | None:
        """By a consistent read; None where none was begun."""
        answer = self.client.get_item(TableName=self.table, Key=_key(receipt), ConsistentRead=True)
        item = answer.get("Item")
        return _parse(item) if item else None

    def begin(self, receipt: ReceiptId, now: datetime) -> Erasure:
        """A row in place of whatever is there: nothing is done yet."""
        self.client.put_item(
            TableName=self.table, Item={**_key(receipt), "began_at": string(now.isoformat(timespec="seconds"))}
        )
        return Erasure(now.isoformat(timespec="seconds"), {})

    def set_folded(self, receipt: ReceiptId, generation: str, version: int) -> None:
        """A generation's shards were written anew, as this version."""
        self._set(receipt, f"{_FOLDED}{generation}", number(version))

    def set_erased(self, receipt: ReceiptId, now: datetime) -> None:
        """All was looked for, and nothing was there."""
        self._set(receipt, "erased_at", string(now.isoformat(timespec="seconds")))

    def _set(self, receipt: ReceiptId, name: str, value: dict[str, Any]) -> None:
        self.client.update_item(
            TableName=self.table,
            Key=_key(receipt),
            UpdateExpression="SET #name = :value",
            ExpressionAttributeNames={"#name": name},
            ExpressionAttributeValues={":value": value},
        )


def _key(receipt: ReceiptId) -> Item:
    return {"PK": string(f"ERASURE#{erasure_name(receipt)}"), "SK": string(_SK)}


def _parse(item: Item) -> Erasure:
    folded = {name.removeprefix(_FOLDED): int_of(item, name) for name in item if name.startswith(_FOLDED)}
    return Erasure(text_of(item, "began_at") or "", folded, text_of(item, "erased_at"))

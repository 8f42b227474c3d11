"""Notes: what there is to know of runs that are not refused, and yet not in the snapshot, in part or at all.

The note itself stands on the run's item; here is where to look for them, one item for each receipt that has any. A note
asks nothing of anybody, and it goes when its cause does: nothing here takes a run out of the rounds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from receipt_dynamo_stream.attributes import Item, int_of, number, string, text_of
from receipt_dynamo_stream.conditions import query_all, refused_item, update_if
from receipt_dynamo_stream.control.part import Part
from receipt_dynamo_stream.keys import ReceiptId

LISTED: Final = 50
"""Notes of one receipt that are listed, the rest is counted: an item holds 400 KB."""

_KEYS_OF_A_READ: Final = 100  # DynamoDB's bound


@dataclass(frozen=True, slots=True)
class NotedRun:
    """A run with its note: `note` is its name in a word, `message` says more; noted_at is when it was first written."""

    run_id: str
    note: str
    message: str
    noted_at: str


@dataclass(frozen=True, slots=True)
class NotedReceipt:
    """A receipt's noted runs, at most LISTED of them, and how many more there are."""

    receipt: ReceiptId
    runs: tuple[NotedRun, ...]
    more: int = 0


class Notes(Part):
    """The noted runs of one collection, `NOTES#{collection}` in the control table."""

    def list(self) -> list[NotedReceipt]:
        """Every receipt that has notes by a consistent read, the oldest note first."""
        items = query_all(
            self.client,
            TableName=self.table,
            KeyConditionExpression="PK = :pk",
            ExpressionAttributeValues={":pk": string(self._pk)},
        )
        return sorted(map(_parse, items), key=lambda one: (one.runs[0].noted_at if one.runs else "", one.receipt))

    def of_receipts(self, receipts: Sequence[ReceiptId]) -> dict[ReceiptId, NotedReceipt]:
        """Those of these receipts that have notes, by consistent reads."""
        found: dict[ReceiptId, NotedReceipt] = {}
        keys = [self._key(receipt) for receipt in receipts]
        while keys:
            answer = self.client.batch_get_item(
                RequestItems={self.table: {"Keys": keys[:_KEYS_OF_A_READ], "ConsistentRead": True}}
            )
            for item in answer["Responses"].get(self.table, ()):
                one = _parse(item)
                found[one.receipt] = one
            unread = answer["UnprocessedKeys"].get(self.table)
            keys = [*keys[_KEYS_OF_A_READ:], *(unread["Keys"] if unread else ())]
        return found

    def write(self, noted: NotedReceipt, *, order: str) -> None:
        """Let these be the notes of the receipt, none take its item away; order is the settle_order of the round that
        says so, and the newest round has the say."""
        from botocore.exceptions import ClientError

        newest, values = "attribute_not_exists(settle_order) OR settle_order <= :order", {":order": string(order)}
        if noted.runs:
            update_if(
                self.client,
                table=self.table,
                key=self._key(noted.receipt),
                condition=newest,
                UpdateExpression="SET noted = :noted, more = :more, settle_order = :order",
                ExpressionAttributeValues={
                    **values,
                    ":noted": {"L": [_encoded(run) for run in noted.runs]},
                    ":more": number(noted.more),
                },
            )
            return
        try:
            self.client.delete_item(
                TableName=self.table,
                Key=self._key(noted.receipt),
                ConditionExpression=newest,
                ExpressionAttributeValues=values,
            )
        except ClientError as error:
            refused_item(error)

    @property
    def _pk(self) -> str:
        return f"NOTES#{self.collection}"

    def _key(self, receipt: ReceiptId) -> Item:
        return {"PK": string(self._pk), "SK": string(receipt.key)}


def _encoded(run: NotedRun) -> Mapping[str, Any]:
    texts = {"run_id": run.run_id, "note": run.note, "message": run.message, "noted_at": run.noted_at}
    return {"M": {name: string(text) for name, text in texts.items()}}


def _parse(item: Item) -> NotedReceipt:
    runs = [one["M"] for one in item["noted"]["L"]]
    return NotedReceipt(
        receipt=ReceiptId.parse(text_of(item, "SK") or ""),
        runs=tuple(
            NotedRun(*(text_of(run, name) or "" for name in ("run_id", "note", "message", "noted_at"))) for run in runs
        ),
        more=int_of(item, "more"),
    )

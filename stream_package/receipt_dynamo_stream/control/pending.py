"""Pending receipts: which receipts of a collection have changes that no snapshot has yet.

Many changes of one receipt are one item. Every mark writes a fresh token that is never used again, and only the token
that was planned is settled: a change that arrives during a merge keeps its receipt pending.
"""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from receipt_dynamo_stream.attributes import Item, int_of, number, string, text_of
from receipt_dynamo_stream.conditions import query_all, refused_item, update_if
from receipt_dynamo_stream.control.part import Part
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.times import seconds_between

WORKERS = 16
"""Parallel single-item writes; boto3's low-level clients are thread-safe."""


@dataclass(frozen=True, slots=True)
class PendingReceipt:
    """One pending receipt. change is the token of its latest mark; attempts counts plans that did not settle it."""

    receipt: ReceiptId
    change: str
    first_changed_at: str
    last_changed_at: str
    reasons: frozenset[str] = frozenset()
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much waits: number of receipts, and seconds since the oldest unsettled change (None: nothing waits)."""

    count: int
    oldest_seconds: float | None


class PendingReceipts(Part):
    """The pending receipts of one collection, `PENDING#{collection}` in the control table."""

    def mark(
        self, reasons: Mapping[ReceiptId, Collection[str]], *, now: str, new_token: Callable[[], str]
    ) -> dict[ReceiptId, Exception]:
        """Mark receipts pending, one update each, in parallel; returns the failures, empty when all went well.

        reasons are short texts from a small set such as "INSERT COMPACTION_RUN"; they add up in the item until it is
        settled. new_token is called once per receipt, in order of the receipts' keys, and must never give the same
        token twice.
        """
        receipts = sorted(reasons)
        tokens = [new_token() for _ in receipts]
        if len(receipts) <= 1:
            outcomes = [
                self._mark_or_error(receipt, reasons[receipt], token, now)
                for receipt, token in zip(receipts, tokens, strict=True)
            ]
        else:
            with ThreadPoolExecutor(min(WORKERS, len(receipts)), thread_name_prefix="mark") as pool:
                outcomes = list(
                    pool.map(
                        lambda pair: self._mark_or_error(pair[0], reasons[pair[0]], pair[1], now),
                        zip(receipts, tokens, strict=True),
                    )
                )
        return {receipt: error for receipt, error in zip(receipts, outcomes, strict=True) if error is not None}

    def read(self) -> list[PendingReceipt]:
        """Every pending receipt by a consistent read, the longest waiting first, then by key."""
        items = query_all(
            self.client,
            TableName=self.table,
            KeyConditionExpression="PK = :pk",
            ExpressionAttributeValues={":pk": string(self._pk)},
        )
        return sorted(map(parse_pending, items), key=lambda one: (one.first_changed_at, one.receipt))

    def count_attempt(self, receipt: ReceiptId, change: str) -> bool:
        """Add one to `attempts`; False when the receipt was settled or marked again since `change` was read."""
        applied, _ = update_if(
            self.client,
            table=self.table,
            key=self._key(receipt),
            condition="#change = :change",
            UpdateExpression="ADD attempts :one",
            ExpressionAttributeNames={"#change": "change"},
            ExpressionAttributeValues={":change": string(change), ":one": number(1)},
        )
        return applied

    def forgive(self, receipt: ReceiptId, change: str) -> bool:
        """Set `attempts` to 0 when the runs that failed are quarantined; False when it was marked again since."""
        applied, _ = update_if(
            self.client,
            table=self.table,
            key=self._key(receipt),
            condition="#change = :change",
            UpdateExpression="SET attempts = :zero",
            ExpressionAttributeNames={"#change": "change"},
            ExpressionAttributeValues={":change": string(change), ":zero": number(0)},
        )
        return applied

    def settle(self, receipt: ReceiptId, change: str) -> bool:
        """Remove the receipt if `change` is still its token: what was planned is in the snapshot.

        False when a newer change waits (its `attempts` start again: the merge worked) or the receipt is gone already.
        """
        from botocore.exceptions import ClientError

        try:
            self.client.delete_item(
                TableName=self.table,
                Key=self._key(receipt),
                ConditionExpression="#change = :change",
                ExpressionAttributeNames={"#change": "change"},
                ExpressionAttributeValues={":change": string(change)},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            waiting = refused_item(error)
            if waiting is not None and int_of(waiting, "attempts"):
                self.forgive(receipt, text_of(waiting, "change") or "")
            return False
        return True

    def backlog(self, now: str) -> Backlog:
        """Number and age of the pending receipts."""
        items = query_all(
            self.client,
            TableName=self.table,
            KeyConditionExpression="PK = :pk",
            ProjectionExpression="first_changed_at",
            ExpressionAttributeValues={":pk": string(self._pk)},
        )
        oldest = min((text_of(item, "first_changed_at") or now for item in items), default=None)
        return Backlog(len(items), None if oldest is None else seconds_between(oldest, now))

    @property
    def _pk(self) -> str:
        return f"PENDING#{self.collection}"

    def _key(self, receipt: ReceiptId) -> Item:
        return {"PK": string(self._pk), "SK": string(receipt.key)}

    def _mark_or_error(self, receipt: ReceiptId, reasons: Collection[str], token: str, now: str) -> Exception | None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._mark(receipt, reasons, token, now)
        except (BotoCoreError, ClientError) as error:
            failure: Exception = error
            return failure
        return None

    def _mark(self, receipt: ReceiptId, reasons: Collection[str], token: str, now: str) -> None:
        update = (
            "SET #change = :token, last_changed_at = :now, first_changed_at = if_not_exists(first_changed_at, :now),"
            " attempts = if_not_exists(attempts, :zero)"
        )
        values: dict[str, Any] = {":token": string(token), ":now": string(now), ":zero": number(0)}
        if reasons:  # DynamoDB refuses an empty set
            update += " ADD reasons :reasons"
            values[":reasons"] = {"SS": sorted(set(reasons))}
        self.client.update_item(
            TableName=self.table,
            Key=self._key(receipt),
            UpdateExpression=update,
            ExpressionAttributeNames={"#change": "change"},
            ExpressionAttributeValues=values,
        )


def parse_pending(item: Item) -> PendingReceipt:
    """A pending receipt from its item. Raises KeyMalformed for an item that is none."""
    return PendingReceipt(
        receipt=ReceiptId.parse(text_of(item, "SK") or ""),
        change=text_of(item, "change") or "",
        first_changed_at=text_of(item, "first_changed_at") or "",
        last_changed_at=text_of(item, "last_changed_at") or "",
        reasons=frozenset(item["reasons"]["SS"]) if "SS" in item.get("reasons", {}) else frozenset(),
        attempts=int_of(item, "attempts"),
    )

"""Pending receipts: which receipts of a collection have changes that no snapshot has yet.

Many changes of one receipt are one item. Every mark writes a fresh token that is never used again, and only the token
that was planned is settled: a change that arrives during a merge keeps its receipt pending.

A receipt whose merge failed is a suspect until it is merged: its item says with how many others it goes from then on,
and what is known against it. `round.blame` writes that, `round.choosing` reads it.
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

_NEWER = "attribute_not_exists(failed_by) OR failed_by < :order"
"""A late duplicate of an older round's blame changes nothing."""

WORKERS = 16
"""Parallel single-item writes; boto3's low-level clients are thread-safe."""


@dataclass(frozen=True, slots=True)
class PendingReceipt:
    """One pending receipt. change is the token of its latest mark.

    together: how many receipts a round may have that has this one; 0 for one that is no suspect. attempts: how often
    its merge failed alone, after other work had succeeded and at a place where it may be to blame. failed_by: the order
    of the last round that failed with it. failed_base: the version which that round built on, None when other work
    succeeded since.
    """

    receipt: ReceiptId
    change: str
    first_changed_at: str
    last_changed_at: str
    reasons: frozenset[str] = frozenset()
    attempts: int = 0
    together: int = 0
    failed_by: str = ""
    failed_base: int | None = None

    def is_contrasted(self, version: int) -> bool:
        """Whether other work succeeded since its last failure, now that `version` is published."""
        return self.failed_base is None or self.failed_base < version


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

    def get(self, receipt: ReceiptId) -> PendingReceipt | None:
        """One pending receipt by a consistent read; None when nothing of it waits."""
        answer = self.client.get_item(TableName=self.table, Key=self._key(receipt), ConsistentRead=True)
        item = answer.get("Item")
        return parse_pending(item) if item else None

    def suspect(self, receipt: ReceiptId, *, together: int, base: int | None = None, order: str = "") -> bool:
        """A merge with this receipt failed: from now on it goes with at most together - 1 others.

        base is the version that the failed round built on, order the round's settle_order. A mark in between changes
        nothing: a receipt that is edited all the time would never be a suspect. False when the receipt was settled, or
        a newer round failed with it.
        """
        return self._update(
            receipt,
            "SET together = :together, failed_by = :order"
            + (" REMOVE failed_base" if base is None else ", failed_base = :base"),
            {":together": number(together), ":order": string(order), **_base(base)},
            condition=_NEWER,
        )

    def tried_without(self, receipt: ReceiptId, *, order: str) -> bool:
        """The receipt had its turn, in a round without its new runs that failed as well: nothing is known more."""
        return self._update(receipt, "SET failed_by = :order", {":order": string(order)}, condition=_NEWER)

    def contrast(self, receipt: ReceiptId) -> bool:
        """The round that left out the receipt's new runs succeeded: its next failure counts."""
        return self._update(receipt, "REMOVE failed_base", {})

    def acquit_run(self, receipt: ReceiptId, *, order: str) -> bool:
        """One of its new runs was merged, and others wait: the receipt goes alone still, with nothing held against it.
        False when it was settled, or a newer round failed with it."""
        forgotten = "SET attempts = :zero REMOVE failed_base, begun"
        return self._update(receipt, forgotten, {":zero": number(0), ":order": string(order)}, condition=_NEWER)

    def begin(self, receipt: ReceiptId, plan_key: str) -> bool:
        """From here on the receipt may be what ends the process. False when it was settled since."""
        return self._update(receipt, "SET begun = :plan", {":plan": string(plan_key)})

    def end(self, receipt: ReceiptId, plan_key: str) -> bool:
        """It was not. False when the receipt was settled since, or another plan has begun with it."""
        return self._update(receipt, "REMOVE begun", {":plan": string(plan_key)}, condition="begun = :plan")

    def count_attempt(self, receipt: ReceiptId, *, plan_key: str, base: int, order: str) -> int:
        """Count a failure alone; returns how many there are then, also when this round counted it before.

        0, and nothing is counted, without evidence (`begin` of this plan, and no `end`), without other work that
        succeeded since the last failure, or when the receipt was settled since.
        """
        _, item = update_if(
            self.client,
            table=self.table,
            key=self._key(receipt),
            condition=f"begun = :plan AND (attribute_not_exists(failed_base) OR failed_base < :base) AND ({_NEWER})",
            UpdateExpression="SET together = :one, failed_by = :order, failed_base = :base REMOVE begun"
            " ADD attempts :one",
            ExpressionAttributeValues={
                ":plan": string(plan_key),
                ":order": string(order),
                ":one": number(1),
                **_base(base),
            },
            ReturnValues="ALL_NEW",
        )
        return int_of(item, "attempts") if item is not None and text_of(item, "failed_by") == order else 0

    def ease(self) -> None:
        """Suspects that did not fail last may go with twice as many others: a merge of suspects succeeded.

        Not those whose failures alone were counted. A longer outage makes many small groups; they grow again so.
        """
        suspects = [one for one in self.read() if one.together]
        newest = max((one.failed_by for one in suspects), default="")
        older = [one for one in suspects if one.failed_by < newest and not one.attempts]
        if older:
            with ThreadPoolExecutor(WORKERS, thread_name_prefix="ease") as pool:
                list(pool.map(self._ease, older))

    def forgive(self, receipt: ReceiptId) -> bool:
        """Forget what is known against a receipt: it was merged, or its new runs are quarantined. False when it was
        settled since."""
        forgotten = "SET attempts = :zero REMOVE together, failed_by, failed_base, begun"
        return self._update(receipt, forgotten, {":zero": number(0)})

    def settle(self, receipt: ReceiptId, change: str) -> bool:
        """Remove the receipt if `change` is still its token: what was planned is in the snapshot.

        False when a newer change waits (it is no suspect any more: the merge worked) or the receipt is gone already.
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
            if waiting is not None and "together" in waiting:
                self.forgive(receipt)
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

    def _ease(self, one: PendingReceipt) -> None:
        values = {":together": number(2 * one.together), ":order": string(one.failed_by)}
        self._update(one.receipt, "SET together = :together", values, condition="failed_by = :order")

    def _update(self, receipt: ReceiptId, expression: str, values: Item, *, condition: str = "") -> bool:
        """Update the item if it is still there, and the condition holds."""
        applied, _ = update_if(
            self.client,
            table=self.table,
            key=self._key(receipt),
            condition="attribute_exists(PK)" + (f" AND ({condition})" if condition else ""),
            UpdateExpression=expression,
            **({"ExpressionAttributeValues": values} if values else {}),
        )
        return applied

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
        together=int_of(item, "together"),
        failed_by=text_of(item, "failed_by") or "",
        failed_base=int_of(item, "failed_base") if "failed_base" in item else None,
    )


def _base(version: int | None) -> Item:
    return {} if version is None else {":base": number(version)}

"""Quarantine: where a bad run waits for a person, per run: it must not hide a good one of the same receipt.

A run that left, because a person retried or dropped it, keeps its item: the item carries the order of the round that
refused the run (see runs), so that a late duplicate of that round does not bring back what a person decided.

A run's name is its receipt and its id: two receipts may have runs of one id. Its sort key is never parsed. Items of
earlier releases have the id alone there; one that is there stays its run's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from receipt_dynamo_stream.attributes import Item, string, text_of
from receipt_dynamo_stream.conditions import query_all, update_if
from receipt_dynamo_stream.control.part import Part
from receipt_dynamo_stream.control.pending import PendingReceipts
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.runs import MESSAGE_LENGTH, RunStates

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef, UpdateTypeDef

MERGE_KEEPS_FAILING = "MergeKeepsFailing"
"""Error name of runs whose receipt fails its merge alone, again and again, while other work succeeds. It is a
suspicion, so such a run is tried once more by itself: see Quarantine.due."""

TRIED_AGAIN_AFTER = timedelta(days=1)

RETRY_REASON = "RETRY COMPACTION_RUN"

_SORT_KEY_BYTES: Final = 1_024  # DynamoDB's bound


@dataclass(frozen=True, slots=True)
class QuarantinedRun:
    """A run that was refused: error is the name of the error class, message says what was wrong.

    since: when the oldest change of its receipt came, of a run that is only suspected. order: of the round that refused
    it, "" of items of earlier releases.
    """

    run_id: str
    receipt: ReceiptId
    error: str
    message: str
    quarantined_at: str
    since: str = ""
    order: str = field(default="", compare=False)


class Quarantine(Part):
    """The quarantined runs of one collection, `QUARANTINE#{collection}` in the control table."""

    def put(
        self,
        run_id: str,
        receipt: ReceiptId,
        error: str,
        message: str,
        now: str,
        *,
        order: str,
        since: str = "",
        deployment: str = "",
        failing: "UpdateTypeDef | None" = None,
    ) -> bool:
        """Quarantine a run; order is the settle_order of the round that refuses it, and the newest round has the say.

        failing: the update that makes the run FAILED (RunStates.failing), in one transaction with this: a run that is
        FAILED is planned no more, so that nobody would ever come and put it here. deployment names the code that did
        it, "" where nothing does.

        False when this round or a newer one quarantined the run before, whether it is still there or has left; and with
        `failing` when that is refused: the run is deleted, or another one has the say. Raises what AWS raised.
        """
        from botocore.exceptions import ClientError

        update: UpdateTypeDef = {
            "TableName": self.table,
            "Key": self._key(run_id, receipt),
            "ConditionExpression": "attribute_not_exists(settle_order) OR settle_order < :order",
            "UpdateExpression": "SET run_id = :run, receipt = :receipt, #error = :error, message = :message,"
            " quarantined_at = :now, settle_order = :order, deployment = :deployment, since = :since REMOVE left_at",
            "ExpressionAttributeNames": {"#error": "error"},
            "ExpressionAttributeValues": {
                ":run": string(run_id),
                ":receipt": string(receipt.key),
                ":error": string(error),
                ":message": string(message[:MESSAGE_LENGTH]),
                ":now": string(now),
                ":order": string(order),
                ":deployment": string(deployment),
                ":since": string(since),
            },
        }
        both: list[TransactWriteItemTypeDef] = [{"Update": update}]
        if failing is not None:
            both.append({"Update": failing})
        try:
            self.client.transact_write_items(TransactItems=both)
        except ClientError as error_of_aws:
            reasons = {reason.get("Code") for reason in error_of_aws.response.get("CancellationReasons", [])}
            if reasons and reasons <= {"None", "ConditionalCheckFailed"}:
                return False
            raise
        return True

    def list(self) -> list[QuarantinedRun]:
        """Every quarantined run by a consistent read, the oldest first."""
        return sorted(map(_parse, self._items()), key=lambda run: (run.quarantined_at, run.run_id, run.receipt))

    def due(self, *, now: datetime, deployment: str) -> Sequence[QuarantinedRun]:
        """The runs to try once more by themselves: only suspected, never tried again so, and quarantined a day ago or
        by other code than is deployed now."""
        return [
            run
            for item in self._items()
            if (run := _parse(item)).error == MERGE_KEEPS_FAILING
            and "tried_again_at" not in item
            and (
                now - datetime.fromisoformat(run.quarantined_at) >= TRIED_AGAIN_AFTER
                or text_of(item, "deployment") != deployment
            )
        ]

    def try_again(
        self, run_id: str, receipt: ReceiptId, *, receipts_table: str, now: str, new_token: Callable[[], str]
    ) -> bool:
        """`retry`, which happens by itself only once: should it come back it stays for a person."""
        update_if(
            self.client,
            table=self.table,
            key=self._key(run_id, receipt),
            condition="attribute_exists(PK)",
            UpdateExpression="SET tried_again_at = :now",
            ExpressionAttributeValues={":now": string(now)},
        )
        return self.retry(run_id, receipt, receipts_table=receipts_table, now=now, new_token=new_token)

    def get(self, run_id: str, receipt: ReceiptId) -> QuarantinedRun | None:
        """One quarantined run by consistent reads; None when it is not in quarantine."""
        item = self._item(self._key(run_id, receipt))
        return _parse(item) if item and "left_at" not in item else None

    def remove(self, run_id: str, receipt: ReceiptId, *, now: str, order: str | None = None) -> None:
        """Take a run out; nothing happens when it is not in quarantine, or no longer by the round of this order: a
        newer one refused it again since."""
        condition, values = "attribute_exists(PK) AND attribute_not_exists(left_at)", {":now": string(now)}
        if order:
            condition += " AND settle_order = :seen"
            values[":seen"] = string(order)
        update_if(
            self.client,
            table=self.table,
            key=self._key(run_id, receipt),
            condition=condition,
            UpdateExpression="SET left_at = :now",
            ExpressionAttributeValues=values,
        )

    def retry(
        self, run_id: str, receipt: ReceiptId, *, receipts_table: str, now: str, new_token: Callable[[], str]
    ) -> bool:
        """Give a run another chance: its state back to PENDING, its receipt marked pending, then out of quarantine.

        One that was only suspected is merged alone, after all others, so that none of them pays should it fail again.
        In that order, so that a crash in between is mended by doing it again. False when the run is not in
        quarantine. Raises what the mark raised, with the run still in quarantine.
        """
        run = self.get(run_id, receipt)
        if run is None:
            return False
        RunStates(self.client, receipts_table, self.collection).reset(run.receipt, run_id, now=now)
        pending = PendingReceipts(self.client, self.table, self.collection)
        for error in pending.mark({run.receipt: [RETRY_REASON]}, now=now, new_token=new_token).values():
            raise error
        if run.error == MERGE_KEEPS_FAILING:
            pending.suspect(run.receipt, together=1)
        self.remove(run_id, receipt, now=now, order=run.order)
        return True

    def _items(self) -> Sequence[Item]:
        return query_all(
            self.client,
            TableName=self.table,
            KeyConditionExpression="PK = :pk",
            FilterExpression="attribute_not_exists(left_at)",
            ExpressionAttributeValues={":pk": string(self._pk)},
        )

    @property
    def _pk(self) -> str:
        return f"QUARANTINE#{self.collection}"

    def _item(self, key: Item) -> Item | None:
        return self.client.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")

    def _key(self, run_id: str, receipt: ReceiptId) -> Item:
        earlier = {"PK": string(self._pk), "SK": string(run_id)}
        item = self._item(earlier)
        if item and text_of(item, "receipt") == receipt.key and text_of(item, "run_id") in (None, run_id):
            return earlier
        return {"PK": string(self._pk), "SK": string(_sort_key(run_id, receipt))}


def _sort_key(run_id: str, receipt: ReceiptId) -> str:
    """One for each pair: a receipt's key has three `#` and always the same form, so it is known where the id ends."""
    whole = f"{run_id}#{receipt.key}"
    return whole if len(whole.encode()) <= _SORT_KEY_BYTES else sha256(whole.encode()).hexdigest()


def _parse(item: Item) -> QuarantinedRun:
    return QuarantinedRun(
        run_id=text_of(item, "run_id") or text_of(item, "SK") or "",
        receipt=ReceiptId.parse(text_of(item, "receipt") or ""),
        error=text_of(item, "error") or "",
        message=text_of(item, "message") or "",
        quarantined_at=text_of(item, "quarantined_at") or "",
        since=text_of(item, "since") or "",
        order=text_of(item, "settle_order") or "",
    )

"""What the two tables say of one receipt: the table's own items of it, and what waits. Some single reads."""

from dataclasses import dataclass

from receipt_dynamo_stream.attributes import string, text_of
from receipt_dynamo_stream.conditions import query_all
from receipt_dynamo_stream.control.notes import NotedRun
from receipt_dynamo_stream.control.pending import PendingReceipt
from receipt_dynamo_stream.control.quarantine import QuarantinedRun
from receipt_dynamo_stream.errors import KeyMalformed
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.retry import transient_errors
from receipt_dynamo_stream.runs import CompactionRun, parse_compaction_run

from operate.errors import UsageError
from operate.services import Services


@dataclass(frozen=True)
class Announced:
    """Whether the receipts table has the receipt, since when, as stored, and its runs, the newest first."""

    exists: bool
    timestamp_added: str | None
    runs: tuple[CompactionRun, ...]


@dataclass(frozen=True)
class Waits:
    """What one collection's control table has of a receipt: its changes that no snapshot has, its refused and noted
    runs by id."""

    pending: PendingReceipt | None
    quarantined: dict[str, QuarantinedRun]
    noted: dict[str, NotedRun]


class Receipts:
    """One receipt at a time."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def announced(self, receipt: ReceiptId) -> Announced:
        """The RECEIPT item and its runs: two consistent reads. Raises TransientServiceError."""
        table = self._services.connection.receipts_table
        with transient_errors():
            key = {"PK": string(receipt.pk), "SK": string(receipt.sk)}
            item = self._services.dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
            items = query_all(
                self._services.dynamodb,
                TableName=table,
                KeyConditionExpression="PK = :pk AND begins_with(SK, :runs)",
                ExpressionAttributeValues={
                    ":pk": string(receipt.pk),
                    ":runs": string(f"{receipt.sk}#COMPACTION_RUN#"),
                },
            )
        runs = map(parse_compaction_run, items)
        newest_first = sorted(runs, key=lambda run: (run.created_at or "", run.run_id), reverse=True)
        return Announced(bool(item), text_of(item, "timestamp_added") if item else None, tuple(newest_first))

    def waits(self, collection: str, receipt: ReceiptId) -> Waits:
        """What waits of it, in one collection."""
        control = self._services.control
        refused = [run for run in control.quarantine(collection).list() if run.receipt == receipt]
        noted = next((one.runs for one in control.notes(collection).list() if one.receipt == receipt), ())
        return Waits(
            control.pending(collection).get(receipt),
            {run.run_id: run for run in refused},
            {run.run_id: run for run in noted},
        )


def parse_receipt(given: str) -> ReceiptId:
    """A receipt from `IMAGE/RECEIPT`, or from its key as pages and commands print it. Raises UsageError."""
    image_id, _, number = given.rpartition("/")
    if image_id and number.isascii() and number.isdigit():
        given = ReceiptId(image_id, int(number)).key
    try:
        return ReceiptId.parse(given)
    except KeyMalformed:
        raise UsageError(
            f"{given!r} is no receipt: give IMAGE/RECEIPT, such as 3f52804b-2fad-4e00-92c8-b593da3a8ed3/1, or its key"
        ) from None

"""Reconcile: mark every receipt pending, so that everything is derived again.

The answer to a lost stream record, a restore, a first deployment. Harmless: merging what is merged writes nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from receipt_dynamo_stream import names
from receipt_dynamo_stream.attributes import string, text_of
from receipt_dynamo_stream.control.pending import PendingReceipts
from receipt_dynamo_stream.keys import ReceiptId, parse_item_key
from receipt_dynamo_stream.retry import transient_errors

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

RECONCILE_REASON = "RECONCILE"
_MARKED_TOGETHER = 200


def reconcile(
    pending: Sequence[PendingReceipts],
    *,
    receipts_table: str,
    image_id: str | None = None,
    snapshot_receipts: Iterable[ReceiptId] = (),
    now: str,
    new_token: Callable[[], str],
    progress: Callable[[int], None] | None = None,
) -> int:
    """Mark every receipt of the table (or of one image) pending in all of `pending`; returns how many receipts.

    snapshot_receipts are receipts that a snapshot holds: one that only the snapshot knows was deleted while nobody
    looked. progress is called with the number of receipts marked so far. Raises the first failed mark after all
    others were tried (TransientServiceError when it may work later); doing it again is safe.
    """
    client = pending[0].client
    failures: list[Exception] = []
    marked = 0
    with transient_errors():
        receipts = _unique(
            client, receipts_table, image_id, (one for one in snapshot_receipts if image_id in (None, one.image_id))
        )
        while batch := list(islice(receipts, _MARKED_TOGETHER)):
            for one in pending:
                reasons = dict.fromkeys(batch, (RECONCILE_REASON,))
                failures += one.mark(reasons, now=now, new_token=new_token).values()
            marked += len(batch)
            if progress is not None:
                progress(marked)
        if failures:
            raise failures[0]
    return marked


def _unique(
    client: "DynamoDBClient", table: str, image_id: str | None, others: Iterable[ReceiptId]
) -> Iterator[ReceiptId]:
    seen: set[ReceiptId] = set()
    for receipts in (_receipts(client, table, image_id), others):
        for receipt in receipts:
            if receipt not in seen:
                seen.add(receipt)
                yield receipt


def _receipts(client: "DynamoDBClient", table: str, image_id: str | None) -> Iterator[ReceiptId]:
    request: dict[str, Any] = {"TableName": table, "ProjectionExpression": "PK, SK", "ConsistentRead": True}
    read: Callable[..., Any] = client.scan
    if image_id is not None:
        read = client.query
        request["KeyConditionExpression"] = "PK = :pk AND begins_with(SK, :prefix)"
        request["ExpressionAttributeValues"] = {":pk": string(f"IMAGE#{image_id}"), ":prefix": string("RECEIPT#")}
    while True:
        page = read(**request)
        for item in page["Items"]:
            key = parse_item_key(text_of(item, "PK") or "", text_of(item, "SK") or "")
            if key.entity_type == names.RECEIPT:
                yield key.receipt
        if not page.get("LastEvaluatedKey"):
            return
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

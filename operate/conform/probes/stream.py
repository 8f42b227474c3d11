"""The table's stream: what wakes the handler, what the filter keeps from it, and where what it cannot read goes.

On AWS, estimated: some dozens of invocations; next to nothing. The alarm of the failure queue rings for as long as the
poisoned record is there, some seconds, and that of the handler's errors may. Filters: https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from receipt_dynamo_stream import names
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.probe import MOST_REFUSED_SECONDS, REFUSED_SECONDS

from operate.conform.probes.collection import ProbeCollection
from operate.conform.probes.told import Told
from operate.conform.rows import Row

PART: Final = "Stream"
FILTERS: Final = "https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html"
BISECT: Final = "https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html"
LABEL: Final = "#LINE#00001#WORD#00001#LABEL#TOTAL"
WAKES: Final = {
    "INSERT": "INSERT RECEIPT_WORD_LABEL",
    "MODIFY": "MODIFY RECEIPT_WORD_LABEL",
    "REMOVE": "REMOVE RECEIPT_WORD_LABEL",
}
_QUEUE_SECONDS: Final = 120.0
_HOLDS_SECONDS: Final = 10.0


def rows(collection: ProbeCollection, told: Told) -> Iterator[Row]:
    """The part's rows."""
    with collection.held():
        (receipt,) = collection.new_receipts()
        collection.put(receipt)
        collection.put_item(receipt, LABEL, names.RECEIPT_WORD_LABEL, label="TOTAL", validation_status="PENDING")
        collection.put_item(receipt, LABEL, names.RECEIPT_WORD_LABEL, label="TOTAL", validation_status="VALID")
        collection.delete_item(receipt, LABEL)
        yield wakes(told, _reasons(collection, receipt, WAKES["REMOVE"]))
        dropped, later = collection.new_receipts(2)
        collection.put_item(dropped, "", "PROBE_OF_NO_KIND")
        collection.put_item(later, "", names.RECEIPT, timestamp_added="2026-01-01T00:00:00+00:00")
        _reasons(collection, later, "INSERT RECEIPT")
        yield drops(told, dropped in collection.pending())
    yield from poison(collection, told)
    yield from halved(collection, told)


def _reasons(collection: ProbeCollection, receipt: ReceiptId, last: str) -> frozenset[str]:
    """Why a receipt is pending, once its last change was heard; changes of one image come in order."""

    def look() -> frozenset[str] | None:
        found = collection.pending().get(receipt)
        return found.reasons if found is not None and last in found.reasons else None

    return collection.until(look, f"{last} of {receipt.key} to be marked")


def wakes(told: Told, reasons: frozenset[str]) -> Row:
    """What was marked of a label that came, changed and went."""
    return told.judged(
        "a label is put, edited and deleted",
        "INSERT, MODIFY and REMOVE are marked",
        ", ".join(sorted(reasons)) or "nothing",
        set(WAKES.values()) <= reasons,
    )


def drops(told: Told, marked: bool) -> Row:
    """An item of no kind that matters came before one that does."""
    return told.judged(
        "an item of another type is put before a receipt",
        "the receipt is marked, the item is not",
        "the item is marked too" if marked else "the receipt alone is marked",
        not marked,
        FILTERS,
    )


def poison(collection: ProbeCollection, told: Told) -> Iterator[Row]:
    """An item of a type that matters, under keys that nobody can read; it is taken out of the queue again."""
    (receipt,) = collection.new_receipts()
    collection.put_item(receipt, "#LINE#none", names.RECEIPT_LINE)
    try:
        yield reaches_the_queue(told, _taken(collection))
    finally:
        collection.delete_item(receipt, "#LINE#none")
    _taken(collection)  # its removal cannot be read either


def reaches_the_queue(told: Told, found: Mapping[str, Any] | None) -> Row:
    """What lay in the failure queue of it."""
    return told.judged(
        "an item is put whose keys cannot be read",
        "the failure queue has it, with the name of the error; what follows it is marked",
        "nothing within two minutes" if found is None else f"{found.get('error')}: {found.get('message')}",
        found is not None and bool(found.get("error")) and "record" in found,
    )


def halved(collection: ProbeCollection, told: Told) -> Iterator[Row]:
    """Receipts that share a batch with one for which the handler raises: are they marked while it is refused?

    The first one that is refused holds the shard until the others are put, so that one batch has them all. Everybody's
    changes wait meanwhile, most of a minute.
    """
    holds, *good, refused, last = collection.new_receipts(7)
    with collection.held():
        _put_refused(collection, holds, _HOLDS_SECONDS)
        for receipt in good:
            collection.put_item(receipt, "", names.RECEIPT)
        _put_refused(collection, refused, MOST_REFUSED_SECONDS)
        collection.put_item(last, "", names.RECEIPT)
        collection.until(lambda: set(good) <= set(collection.pending()) or refused in collection.pending(), "a mark")
        meanwhile = set(collection.pending())
        collection.until(lambda: last in collection.pending(), "the batch to be handled in the end")
        yield is_halved(told, meanwhile, good, [refused, last])


def _put_refused(collection: ProbeCollection, receipt: ReceiptId, seconds: float) -> None:
    collection.put_item(receipt, "", names.RECEIPT, **{REFUSED_SECONDS: f"{seconds:g}"})


def is_halved(told: Told, meanwhile: set[ReceiptId], good: Sequence[ReceiptId], later: Sequence[ReceiptId]) -> Row:
    """`meanwhile`: what was marked when `good` were, or when the first of `later` was."""
    before, after = len(meanwhile.intersection(good)), len(meanwhile.intersection(later))
    return told.judged(
        "an error that the handler raises for one of seven receipts halves its batch",
        f"the {len(good)} before it are marked while it is refused, and it and what follows it later",
        f"{before} before it were marked by then, and {after} of the others",
        meanwhile.issuperset(good) and meanwhile.isdisjoint(later),
        BISECT,
    )


def _taken(collection: ProbeCollection) -> Mapping[str, Any] | None:
    """The message of this report's image, taken out of the failure queue; others are left as they were."""
    queue, sqs = collection.stack.connection.failure_queue_url, collection.stack.connection.client("sqs")
    ends = collection.deadline(_QUEUE_SECONDS)
    while queue and not ends():
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1, VisibilityTimeout=5)
        for message in answer.get("Messages", ()):
            if collection.image in message["Body"]:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                found: Mapping[str, Any] = json.loads(message["Body"])
                return found
    return None

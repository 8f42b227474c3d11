"""Choose what a round does. Pure functions of what was read: no clients, no clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from receipt_dynamo_stream import names
from receipt_dynamo_stream.control.pending import PendingReceipt
from receipt_dynamo_stream.facts import ReceiptFacts, RunFact
from receipt_dynamo_stream.round.plan import PlannedReceipt

ALONE_AFTER: Final = 2
"""Attempts after which a receipt is planned alone: it may be what makes the others' merge fail."""

QUARANTINE_AFTER: Final = 6
"""Attempts after which its runs are quarantined: four of them were alone, so nothing else is to blame."""

BYTES_PER_RECORD: Final = 9_600
"""Size of a record of 1536 dimensions with document and metadata, as real tables of this kind have it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What to plan now, what to quarantine as MergeKeepsFailing, and whether another round has work left."""

    chosen: tuple[PendingReceipt, ...]
    quarantine: tuple[PendingReceipt, ...]
    more: bool


def choose_receipts(pending: Sequence[PendingReceipt], *, max_receipts: int) -> Choice:
    """The longest waiting receipts, at most max_receipts; a receipt that failed before goes alone, after the others.

    pending is in the order of PendingReceipts.read. Of several that failed before, the one tried least often goes
    first, so that one bad receipt does not hold the others back.
    """
    quarantine = tuple(one for one in pending if one.attempts >= QUARANTINE_AFTER)
    suspects = sorted(
        (one for one in pending if ALONE_AFTER <= one.attempts < QUARANTINE_AFTER), key=lambda one: one.attempts
    )
    fresh = [one for one in pending if one.attempts < ALONE_AFTER]
    chosen = tuple(fresh[: max(1, max_receipts)]) if fresh else tuple(suspects[:1])
    return Choice(chosen, quarantine, more=len(chosen) < len(fresh) + len(suspects))


def estimated_records(facts: ReceiptFacts, collection: str) -> int:
    """An upper guess of the records that merging the receipt reads: its words or lines, once per run that counts."""
    records = len(facts.words) if collection == "words" else len(facts.lines)
    runs = sum(run.state != names.FAILED for run in facts.runs)
    return records * max(1, runs)


def bound_facts(
    receipts: Sequence[PlannedReceipt], collection: str, *, max_records: int, max_bytes: int
) -> tuple[tuple[PlannedReceipt, ...], bool]:
    """The longest head of the receipts whose estimated records and bytes fit, and whether any were left out.

    At least one receipt is kept, however large: leaving it out would leave it out for ever.
    """
    records = 0
    for count, one in enumerate(receipts):
        records += estimated_records(one.facts, collection)
        if count and (records > max_records or records * BYTES_PER_RECORD > max_bytes):
            return tuple(receipts[:count]), True
    return tuple(receipts), False


def runs_to_quarantine(facts: ReceiptFacts) -> tuple[RunFact, ...]:
    """The runs to blame when merging a receipt keeps failing: those not COMPLETED, all when there are none.

    FAILED runs do not count: no merge reads them. Empty when the receipt has no other runs; it then stays pending,
    alone, and its attempts show it.
    """
    counting = tuple(run for run in facts.runs if run.state != names.FAILED)
    return tuple(run for run in counting if run.state != names.COMPLETED) or counting

"""Choose what a round does. Pure functions of what was read: no clients, no clock.

When a merge fails, each of its receipts is a suspect: the guilty one is found by halving, while everybody else is
published. Receipts that never failed go first, then the suspects, those of the largest group first. One that is left
alone is tried in turn with its new runs and without them: see `round.blame`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from receipt_dynamo_stream import names
from receipt_dynamo_stream.control.pending import PendingReceipt
from receipt_dynamo_stream.facts import ReceiptFacts, RunFact
from receipt_dynamo_stream.grain import grain_of
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.round.plan import ALONE, NO_TRIAL, ONE_RUN, SUSPECTS, WITHOUT, PlannedReceipt

BYTES_PER_RECORD: Final = 9_600
"""Size of a record of 1536 dimensions with document and metadata, as real tables of this kind have it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What to plan now, what the round tries (see Plan.trial), and whether another round has work left."""

    chosen: tuple[PendingReceipt, ...]
    trial: str
    more: bool


def choose_receipts(pending: Sequence[PendingReceipt], *, version: int, max_receipts: int) -> Choice:
    """The longest waiting receipts that are no suspects, at most max_receipts; without any, some of the suspects.

    pending is in the order of PendingReceipts.read; version is what is published. Of the suspects those that may go
    with the most others go first, and of these the ones that failed longest ago. Of several that go alone, one has its
    turn after the other; first those for which other work succeeded since their last failure. When there is none, the
    round leaves out the new runs of the one whose turn it is: the control that its next failure is held against.
    """
    fresh = [one for one in pending if not one.together]
    if fresh or not pending:
        chosen = tuple(fresh[: max(1, max_receipts)])
        return Choice(chosen, NO_TRIAL, more=len(chosen) < len(pending))
    suspects = sorted(pending, key=lambda one: (-one.together, one.failed_by))
    largest = suspects[0].together
    group = [one for one in suspects if one.together == largest][: max(1, min(largest, max_receipts))]
    if len(group) > 1:
        return Choice(tuple(group), SUSPECTS, more=len(group) < len(pending))
    if largest > 1:
        return Choice(tuple(group), ALONE, more=len(pending) > 1)
    contrasted = sorted((one for one in suspects if one.is_contrasted(version)), key=lambda one: one.attempts)
    if contrasted:
        return Choice((contrasted[0],), ALONE, more=len(pending) > 1)
    return Choice((suspects[0],), WITHOUT, more=True)


def tried_facts(facts: Mapping[ReceiptId, ReceiptFacts], trial: str) -> tuple[Mapping[ReceiptId, ReceiptFacts], str]:
    """The facts that a round goes by, and what it tries with them. A suspect alone has the oldest of its new runs only,
    so that a good run which came after a guilty one is not blamed for it; a control has none of them. A suspect without
    new runs can only be tried as it is."""
    if trial not in (ALONE, WITHOUT):
        return facts, trial
    ((receipt, one),) = facts.items()
    new = runs_to_quarantine(one)
    if trial == WITHOUT and new:
        left_out = new
    elif len(new) > 1:
        left_out, trial = new[1:], ONE_RUN
    else:
        return facts, ALONE
    return {receipt: replace(one, runs=tuple(run for run in one.runs if run not in left_out))}, trial


def estimated_records(facts: ReceiptFacts, collection: str) -> int:
    """An upper guess of the records that merging the receipt reads: what may have one, once per run that counts."""
    records = len(facts.parts(grain_of(collection)))
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
    """The runs to blame when merging a receipt keeps failing: those that were never merged, the oldest first.

    A COMPLETED run is never among them, its vectors are in the snapshot; a FAILED one is read by no merge. A receipt
    without any stays pending, alone and after the others.
    """
    return tuple(run for run in facts.runs if run.state not in (names.COMPLETED, names.FAILED))

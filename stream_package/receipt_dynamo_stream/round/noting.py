"""What a round found to know of runs that it did not refuse: on the runs themselves, and where notes are listed.

A note is written once, when it is new, and taken away by the first round that no longer finds its cause. It is no
change for the stream, so it never makes a round.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from receipt_dynamo_stream.control.notes import LISTED, NotedReceipt, NotedRun, Notes
from receipt_dynamo_stream.control.pending import WORKERS
from receipt_dynamo_stream.facts import ReceiptFacts
from receipt_dynamo_stream.round.report import Note
from receipt_dynamo_stream.runs import RunStates


def write_notes(
    notes: Notes, runs: RunStates, planned: Sequence[ReceiptFacts], found: Sequence[Note], *, now: str, order: str
) -> int:
    """Let what was found be all that is noted of the planned receipts; returns how many runs have a new note.

    May run twice, and late: of a run that is gone, or of which a newer round has the say, nothing is written. Nothing
    is written of receipts whose notes are as they were.
    """
    text_of = {(note.receipt, note.run_id): note.text for note in found}
    differing = [
        (facts.receipt, run.run_id, text)
        for facts in planned
        for run in facts.runs
        if (text := text_of.get((facts.receipt, run.run_id), "")) != run.note
    ]
    listed = notes.of_receipts([facts.receipt for facts in planned])
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="notes") as pool:
        written = pool.map(lambda one: runs.note(*one, now=now, order=order) == one[2], differing)
        stands = {one[:2]: has for one, has in zip(differing, written, strict=True)}
        found = [note for note in found if stands.get((note.receipt, note.run_id), True)]
        before = [listed.get(facts.receipt, NotedReceipt(facts.receipt, ())) for facts in planned]
        after = [_noted(one, [note for note in found if note.receipt == one.receipt], now) for one in before]
        changed = [new for old, new in zip(before, after, strict=True) if new != old]
        list(pool.map(lambda one: notes.write(one, order=order), changed))
    return sum(bool(text) and stands[receipt, run_id] for receipt, run_id, text in differing)


def _noted(before: NotedReceipt, found: Sequence[Note], now: str) -> NotedReceipt:
    """The first notes that were found, each with the time at which it was listed first."""
    since = {(run.run_id, run.note, run.message): run.noted_at for run in before.runs}
    runs = tuple(
        NotedRun(one.run_id, one.note, one.message, since.get((one.run_id, one.note, one.message), now))
        for one in found[:LISTED]
    )
    return NotedReceipt(before.receipt, runs, max(0, len(found) - LISTED))

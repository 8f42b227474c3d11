"""What is the matter with a receipt in one collection: a pure function of the table, the deltas and the snapshot."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from receipt_chroma.errors import RunTimeInvalid
from receipt_chroma.wanted import is_eligible, run_order
from receipt_dynamo_stream import names
from receipt_dynamo_stream.facts import ReceiptFacts, RunFact
from receipt_dynamo_stream.grain import grain_of
from receipt_dynamo_stream.invariants import Invariant
from receipt_dynamo_stream.keys import Part, parse_record_id

from operate.adopt.adopted import is_of_another_collection

SERVED, WAITING, QUARANTINED, MISSING, NOTHING = "served", "waiting", "quarantined", "missing", "nothing"
STATES: Final = (SERVED, WAITING, QUARANTINED, MISSING, NOTHING)
"""Of a receipt: all that its runs bring is in the snapshot; a round will bring it; a person is asked already; nobody
will bring it; it has no words or lines, so there is nothing to bring."""

DELTA_EXPIRED, DELTA_MISSING, NO_RUN = "delta expired", "delta missing", "no run"
RUN_OLDER, RUN_FAILED, NOT_MERGED = "run older than its receipt", "run failed", "not merged"
RECORD_WITHOUT_RUN, RECORD_WITHOUT_WORD = "record without run", "record without word"
WORD_WITHOUT_RECORD: Final = "word without record"
ONLY_THE_SNAPSHOT: Final = "only the snapshot has it"
FOR_NO_GENERATION: Final = "run for no generation"

TROUBLES: Final[Mapping[str, str]] = {
    DELTA_EXPIRED: "its runs are COMPLETED and their deltas are gone: `compaction adopt` brings its records from the"
    " old Chroma directory; or announce it anew",
    DELTA_MISSING: "a run is PENDING and nothing lies at its prefix in this bucket: the next round makes it FAILED."
    " Deploy onto the bucket that has the deltas (`-c bucket=NAME`), or copy them",
    NO_RUN: "nobody announced its records: announce it, or adopt it",
    RUN_OLDER: "its runs are older than the receipt itself, which was created again: announce it anew, or adopt it",
    RUN_FAILED: "every run of it is FAILED, and none is in quarantine: announce it anew, or adopt it",
    NOT_MERGED: "its delta is there, nothing waits, and the snapshot lacks it: `compaction reconcile` marks it",
    RECORD_WITHOUT_RUN: "no run that counts brings what is served: it goes with the receipt's next change. `compaction"
    " export`, then `compaction adopt` from that, keeps it; `compaction reconcile` lets it go",
    RECORD_WITHOUT_WORD: "the snapshot serves what the table does not have: `compaction reconcile` marks it",
}
"""Why records are missing, or are there though they should not, and what to do."""
BREAKS: Final[Mapping[str, Invariant]] = {
    NOT_MERGED: Invariant.NO_CHANGE_LOST,
    RECORD_WITHOUT_WORD: Invariant.ROWS_CONSERVED,
}
"""What is no producer's doing and no operator's, but breaks a law; or the table changed while it was looked at."""
NOTES: Final[Mapping[str, str]] = {
    WORD_WITHOUT_RECORD: "no run brought a record for it; producers leave noise out. If one is missed: announce it",
    ONLY_THE_SNAPSHOT: "it is served, and no delta has it any more: a rebuild from nothing would not. `compaction"
    " export`, then `compaction adopt` from that",
    FOR_NO_GENERATION: "a run of it waits: no generation of the collection that is kept up has its model."
    " `compaction renew` begins one, `compaction where` names the model",
}
"""What is told and is no trouble."""


@dataclass(frozen=True)
class Signs:
    """All that is known of a receipt in one collection. deltas: run id -> whether its delta is there.

    empty: runs that a round merged and that brought no record. records: those of the snapshot by id, with the lines of
    a row's record (none of a word's); None before there is a stack: then nothing is said of what is served.
    for_no_generation: a run of it is of a model that no generation of the collection has.
    """

    facts: ReceiptFacts
    deltas: Mapping[str, bool]
    empty: frozenset[str] = frozenset()
    records: Mapping[str, tuple[int, ...]] | None = None
    pending: bool = False
    quarantined: frozenset[str] = frozenset()
    for_no_generation: bool = False


@dataclass(frozen=True)
class Verdict:
    """The state of a receipt, and how many words (lines) or records each reason is about."""

    state: str
    whys: Mapping[str, int]


def runs_that_count(facts: ReceiptFacts, collection: str) -> list[RunFact]:
    """The runs that a merge would read, those without a readable time left out."""
    return [run for run in facts.runs if _is_about(run, collection) and _counts(run, facts)]


def judge(signs: Signs, collection: str) -> Verdict:
    """What is the matter with a receipt of this collection."""
    facts = signs.facts
    parts = facts.parts(grain_of(collection)) if facts.exists else set()
    records = signs.records or {}
    strays = sum(parse_record_id(one).part not in parts for one in records)
    lacking = parts - _covered(records)
    whys: dict[str, int] = {}
    if signs.pending:
        return Verdict(WAITING, {})
    if strays:
        whys[RECORD_WITHOUT_WORD] = strays
    if not facts.exists:
        return Verdict(MISSING if whys else NOTHING, whys)
    if signs.for_no_generation:
        whys[FOR_NO_GENERATION] = len(parts)
    runs = runs_that_count(facts, collection)
    waiting = [run for run in runs if run.state != names.COMPLETED and run.run_id not in signs.quarantined]
    if any(not signs.deltas[run.run_id] for run in waiting):
        whys[DELTA_MISSING] = len(lacking)
    if any(signs.deltas[run.run_id] for run in waiting) and signs.records is not None:
        whys[NOT_MERGED] = len(lacking)
    if parts and lacking == parts:
        why = _nothing_served(signs, runs, collection)
        if why is not None and why not in whys:
            whys[why] = len(lacking)
    elif lacking:
        whys[WORD_WITHOUT_RECORD] = len(lacking)
    if records and not runs:
        whys[RECORD_WITHOUT_RUN] = len(records)
    elif records and not any(signs.deltas[run.run_id] for run in runs):
        whys[ONLY_THE_SNAPSHOT] = len(records)
    return Verdict(_state(signs, whys, bool(parts or records)), whys)


def _state(signs: Signs, whys: Mapping[str, int], something: bool) -> str:
    if any(why in TROUBLES for why in whys):
        return MISSING
    if signs.quarantined:
        return QUARANTINED
    if not something:
        return NOTHING
    return WAITING if signs.records is None else SERVED  # without a stack, a delta that is there waits for one


def _nothing_served(signs: Signs, runs: list[RunFact], collection: str) -> str | None:
    """Why the snapshot has nothing at all of a receipt that has words; None where that is explained."""
    if signs.quarantined:
        return None
    # Of a run whose delta is gone a round may have written that it is so: that says nothing of what it had brought.
    brought = [run for run in runs if not (run.run_id in signs.empty and signs.deltas[run.run_id])]
    if any(signs.deltas[run.run_id] for run in brought):
        return None if signs.records is None else NOT_MERGED
    if brought:
        return DELTA_EXPIRED if any(run.state == names.COMPLETED for run in brought) else DELTA_MISSING
    if runs:
        return WORD_WITHOUT_RECORD
    about = [run for run in signs.facts.runs if _is_about(run, collection)]
    if any(run.state != names.FAILED for run in about):
        return RUN_OLDER
    return RUN_FAILED if about else NO_RUN


def _is_about(run: RunFact, collection: str) -> bool:
    return not is_of_another_collection(run.run_id, collection)


def _counts(run: RunFact, facts: ReceiptFacts) -> bool:
    try:
        return is_eligible(run, facts) and run_order(run) is not None
    except RunTimeInvalid:
        return False


def _covered(records: Mapping[str, tuple[int, ...]]) -> set[Part]:
    """What the records stand for: of a row's all of its lines."""
    covered: set[Part] = set()
    for record_id, lines in records.items():
        covered |= {parse_record_id(record_id).part, *((line,) for line in lines)}
    return covered

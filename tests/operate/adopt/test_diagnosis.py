"""What doctor says of a receipt: one example of every reason, by values alone."""

from collections.abc import Mapping

import pytest
from receipt_dynamo_stream.facts import ReceiptFacts, RunFact
from receipt_dynamo_stream.keys import ReceiptId, line_record_id, word_record_id

from operate.adopt.adopted import adopted_run_id
from operate.adopt.diagnosis import (
    DELTA_EXPIRED,
    DELTA_MISSING,
    FOR_NO_GENERATION,
    MISSING,
    NO_RUN,
    NOT_MERGED,
    NOTES,
    NOTHING,
    ONLY_THE_SNAPSHOT,
    QUARANTINED,
    RECORD_WITHOUT_RUN,
    RECORD_WITHOUT_WORD,
    RUN_FAILED,
    RUN_OLDER,
    SERVED,
    TROUBLES,
    WAITING,
    WORD_WITHOUT_RECORD,
    Signs,
    judge,
)

RECEIPT = ReceiptId("image-a", 1)
ADDED, BEFORE, AFTER = (f"2026-01-0{day}T00:00:00+00:00" for day in (2, 1, 3))
WORDS = frozenset({(1, 1), (1, 2)})
IDS = {word_record_id(RECEIPT, line, word): () for line, word in sorted(WORDS)}
ONE = dict(list(IDS.items())[:1])
THERE, GONE = {"run": True}, {"run": False}


def run(state: str = "COMPLETED", created_at: str = AFTER, run_id: str = "run") -> RunFact:
    return RunFact(created_at, run_id, f"words/delta/{run_id}/", state)


def facts(*runs: RunFact, words: frozenset[tuple[int, int]] = WORDS, exists: bool = True) -> ReceiptFacts:
    return ReceiptFacts(RECEIPT, exists, ADDED, frozenset({1}), words, runs=tuple(sorted(runs)))


def signs(of: ReceiptFacts, deltas: Mapping[str, bool], records: object = None, **more: object) -> Signs:
    return Signs(of, deltas, records={} if records is None else records, **more)  # type: ignore[arg-type]


COMPLETED, PENDING = facts(run()), facts(run("PENDING"))
CASES = {
    "all is served": (signs(COMPLETED, THERE, IDS), SERVED, {}),
    "it waits": (signs(PENDING, THERE, {}, pending=True), WAITING, {}),
    "a refused run": (signs(facts(run("FAILED")), {}, {}, quarantined=frozenset({"run"})), QUARANTINED, {}),
    "no words": (signs(facts(words=frozenset()), {}), NOTHING, {}),
    "it was deleted": (signs(facts(exists=False), {}), NOTHING, {}),
    "expired": (signs(COMPLETED, GONE), MISSING, {DELTA_EXPIRED: 2}),
    "expired, and a round has looked": (
        signs(COMPLETED, GONE, {}, empty=frozenset({"run"})),
        MISSING,
        {DELTA_EXPIRED: 2},
    ),
    "pending, and no delta": (signs(PENDING, GONE), MISSING, {DELTA_MISSING: 2}),
    "nobody announced it": (signs(facts(), {}), MISSING, {NO_RUN: 2}),
    "created again": (signs(facts(run(created_at=BEFORE)), {}), MISSING, {RUN_OLDER: 2}),
    "given up": (signs(facts(run("FAILED")), {}), MISSING, {RUN_FAILED: 2}),
    "a lost change": (signs(PENDING, THERE), MISSING, {NOT_MERGED: 2}),
    "never reconciled": (signs(COMPLETED, THERE), MISSING, {NOT_MERGED: 2}),
    "a lost deletion": (signs(facts(exists=False), {}, IDS), MISSING, {RECORD_WITHOUT_WORD: 2}),
    "a word that went": (
        signs(facts(run(), words=frozenset({(1, 1)})), THERE, IDS),
        MISSING,
        {RECORD_WITHOUT_WORD: 1},
    ),
    "noise": (signs(COMPLETED, THERE, ONE), SERVED, {WORD_WITHOUT_RECORD: 1}),
    "noise alone": (signs(COMPLETED, THERE, {}, empty=frozenset({"run"})), SERVED, {WORD_WITHOUT_RECORD: 2}),
    "not in any delta": (signs(COMPLETED, GONE, IDS), SERVED, {ONLY_THE_SNAPSHOT: 2}),
    "by no run": (signs(facts(), {}, IDS), MISSING, {RECORD_WITHOUT_RUN: 2}),
    "of another collection": (
        signs(facts(run(run_id=adopted_run_id(RECEIPT, "lines"))), {adopted_run_id(RECEIPT, "lines"): True}),
        MISSING,
        {NO_RUN: 2},
    ),
    "of a model that no generation has": (
        signs(COMPLETED, THERE, IDS, for_no_generation=True),
        SERVED,
        {FOR_NO_GENERATION: 2},
    ),
    "before a stack, with a delta": (Signs(PENDING, THERE), WAITING, {}),
    "before a stack, expired": (Signs(COMPLETED, GONE), MISSING, {DELTA_EXPIRED: 2}),
    "before a stack, in another bucket": (Signs(PENDING, GONE), MISSING, {DELTA_MISSING: 2}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_receipt_has_one_state_and_its_reasons(case: str) -> None:
    given, state, whys = CASES[case]
    verdict = judge(given, "words")
    assert (verdict.state, verdict.whys) == (state, whys)


def test_every_reason_has_its_example_and_says_what_to_do() -> None:
    seen = {why for _, _, whys in CASES.values() for why in whys}
    assert seen == TROUBLES.keys() | NOTES.keys()
    assert all(do for do in (*TROUBLES.values(), *NOTES.values()))


def test_a_trouble_and_nothing_else_makes_a_receipt_missing() -> None:
    for given, _, whys in CASES.values():
        assert (judge(given, "words").state == MISSING) == any(why in TROUBLES for why in whys)


def test_a_line_is_served_by_the_row_that_it_is_in() -> None:
    lines = ReceiptFacts(RECEIPT, True, ADDED, frozenset({1, 2, 3}), runs=(run(),))
    row = {line_record_id(RECEIPT, 1): (1, 2)}
    assert judge(Signs(lines, THERE, records=row), "lines").whys == {WORD_WITHOUT_RECORD: 1}
    row[line_record_id(RECEIPT, 3)] = ()
    assert judge(Signs(lines, THERE, records=row), "lines").whys == {}


def test_a_run_without_a_readable_time_counts_for_nothing() -> None:
    assert judge(signs(facts(run(created_at="yesterday")), {}), "words").state == MISSING

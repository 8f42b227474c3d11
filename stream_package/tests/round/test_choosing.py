from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from receipt_dynamo_stream import ReceiptId
from receipt_dynamo_stream.control.pending import PendingReceipt
from receipt_dynamo_stream.facts import ReceiptFacts, RunFact
from receipt_dynamo_stream.round.choosing import (
    BYTES_PER_RECORD,
    bound_facts,
    choose_receipts,
    estimated_records,
    runs_to_quarantine,
)
from receipt_dynamo_stream.round.plan import PlannedReceipt

from ..samples import NOW


def waiting(*attempts: int) -> list[PendingReceipt]:
    """Pending receipts in order of age, with these attempts."""
    return [
        PendingReceipt(ReceiptId(f"image-{place}", 1), f"t{place}", NOW, NOW, attempts=count)
        for place, count in enumerate(attempts)
    ]


def test_nothing_pending_chooses_nothing() -> None:
    choice = choose_receipts([], max_receipts=10)
    assert (choice.chosen, choice.quarantine, choice.more) == ((), (), False)


def test_the_longest_waiting_are_chosen_first() -> None:
    pending = waiting(0, 1, 0)
    choice = choose_receipts(pending, max_receipts=2)
    assert choice.chosen == tuple(pending[:2])
    assert choice.more is True
    assert choose_receipts(pending, max_receipts=3).more is False


def test_a_receipt_that_failed_twice_waits_for_the_others_and_then_goes_alone() -> None:
    pending = waiting(2, 0, 3)
    first = choose_receipts(pending, max_receipts=10)
    assert (first.chosen, first.more) == ((pending[1],), True)
    then = choose_receipts([pending[0], pending[2]], max_receipts=10)
    assert (then.chosen, then.more) == ((pending[0],), True)


def test_of_several_that_failed_the_one_tried_least_goes_first() -> None:
    pending = waiting(5, 3, 2, 2)
    assert choose_receipts(pending, max_receipts=10).chosen == (pending[2],)


def test_a_receipt_that_failed_alone_four_times_is_quarantined_and_not_planned() -> None:
    pending = waiting(6, 5, 7)
    choice = choose_receipts(pending, max_receipts=10)
    assert choice.quarantine == (pending[0], pending[2])
    assert (choice.chosen, choice.more) == ((pending[1],), False)


@given(st.lists(st.integers(0, 8), max_size=12), st.integers(1, 5))
def test_a_choice_is_what_a_naive_loop_chooses(attempts: list[int], max_receipts: int) -> None:
    pending = waiting(*attempts)
    choice = choose_receipts(pending, max_receipts=max_receipts)
    chosen: list[PendingReceipt] = []
    for one in pending:
        if one.attempts in (0, 1) and len(chosen) < max_receipts:
            chosen.append(one)
    if not chosen:
        for wanted in (2, 3, 4, 5):
            chosen = chosen or [one for one in pending if one.attempts == wanted][:1]
    assert list(choice.chosen) == chosen
    assert list(choice.quarantine) == [one for one in pending if one.attempts > 5]
    assert choice.more == (len(pending) > len(choice.chosen) + len(choice.quarantine))


@given(st.lists(st.integers(0, 8), max_size=10))
def test_whatever_keeps_failing_every_receipt_is_tried_alone_or_quarantined_in_the_end(attempts: list[int]) -> None:
    pending = waiting(*attempts)
    alone: dict[ReceiptId, int] = {}
    for _ in range(200):
        choice = choose_receipts(pending, max_receipts=3)
        if not choice.chosen:
            break
        for one in choice.chosen:
            if len(choice.chosen) == 1 and one.attempts >= 2:
                alone[one.receipt] = alone.get(one.receipt, 0) + 1
        tried = {one.receipt for one in choice.chosen}
        pending = [replace(one, attempts=one.attempts + (one.receipt in tried)) for one in pending]
    assert all(one.attempts >= 6 for one in pending)
    for place, before in enumerate(attempts):
        if before < 6:
            assert alone[ReceiptId(f"image-{place}", 1)] == min(4, 6 - before)


def planned(words: int, runs: int = 1, failed: int = 0) -> PlannedReceipt:
    states = ["PENDING"] * runs + ["FAILED"] * failed
    facts = ReceiptFacts(
        ReceiptId("a", 1),
        lines=frozenset(range(words // 2)),
        words=frozenset((0, word) for word in range(words)),
        runs=tuple(RunFact(NOW, f"run-{place}", state=state) for place, state in enumerate(states)),
    )
    return PlannedReceipt(0, "t", 0, NOW, facts)


def test_records_are_estimated_by_words_or_lines_once_per_run_that_counts() -> None:
    assert estimated_records(planned(80, runs=2, failed=3).facts, "words") == 160
    assert estimated_records(planned(80, runs=2, failed=3).facts, "lines") == 80
    assert estimated_records(planned(80, runs=0).facts, "words") == 80


@given(st.lists(st.integers(0, 50), max_size=10), st.integers(1, 200), st.integers(1, 200))
def test_a_plan_is_the_longest_head_that_fits_and_never_empty(
    sizes: list[int], records: int, byte_records: int
) -> None:
    receipts = [planned(size) for size in sizes]
    kept, left = bound_facts(receipts, "words", max_records=records, max_bytes=byte_records * BYTES_PER_RECORD)
    limit = min(records, byte_records)
    fitting = [count for count in range(len(sizes) + 1) if sum(sizes[:count]) <= limit]
    longest = max(*fitting, min(1, len(sizes)), 0)
    assert list(kept) == receipts[:longest]
    assert left is (longest < len(sizes))


def test_the_runs_to_blame_are_those_that_never_merged() -> None:
    def facts(*states: str) -> ReceiptFacts:
        runs = tuple(RunFact(NOW, f"run-{place}", state=state) for place, state in enumerate(states))
        return ReceiptFacts(ReceiptId("a", 1), runs=runs)

    def blamed(*states: str) -> list[str]:
        return [run.run_id for run in runs_to_quarantine(facts(*states))]

    assert blamed("COMPLETED", "PENDING", "PROCESSING", "FAILED") == ["run-1", "run-2"]
    assert blamed("COMPLETED", "FAILED", "COMPLETED") == ["run-0", "run-2"]
    assert blamed("FAILED") == []
    assert blamed() == []

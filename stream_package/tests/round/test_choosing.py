from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from receipt_dynamo_stream import ReceiptId
from receipt_dynamo_stream.control.pending import PendingReceipt
from receipt_dynamo_stream.facts import ReceiptFacts, RunFact
from receipt_dynamo_stream.round.choosing import (
    BYTES_PER_RECORD,
    Choice,
    bound_facts,
    choose_receipts,
    estimated_records,
    runs_to_quarantine,
    tried_facts,
)
from receipt_dynamo_stream.round.plan import ALONE, NO_TRIAL, ONE_RUN, SUSPECTS, WITHOUT, PlannedReceipt

from ..samples import NOW


def waiting(*together: int, **more: Any) -> list[PendingReceipt]:
    """Pending receipts in order of age: 0 never failed, the others failed in the order of their places."""
    return [
        PendingReceipt(
            ReceiptId(f"image-{place}", 1),
            f"t{place}",
            NOW,
            NOW,
            together=size,
            failed_by=f"{place}" * bool(size),
            **more,
        )
        for place, size in enumerate(together)
    ]


def choose(pending: list[PendingReceipt], *, version: int = 7, max_receipts: int = 10) -> Choice:
    return choose_receipts(pending, version=version, max_receipts=max_receipts)


def test_nothing_pending_chooses_nothing() -> None:
    assert choose([]) == Choice((), NO_TRIAL, more=False)


def test_the_longest_waiting_are_chosen_first() -> None:
    pending = waiting(0, 0, 0)
    assert choose(pending, max_receipts=2) == Choice(tuple(pending[:2]), NO_TRIAL, more=True)
    assert choose(pending, max_receipts=3).more is False


def test_suspects_wait_for_the_others() -> None:
    pending = waiting(9, 0, 9)
    assert choose(pending) == Choice((pending[1],), NO_TRIAL, more=True)
    assert choose([pending[0], pending[2]]) == Choice((pending[0], pending[2]), SUSPECTS, more=False)


def test_the_suspects_of_the_largest_group_go_first_and_no_more_of_them_than_may() -> None:
    pending = waiting(1, 2, 4, 2, 4, 1)
    assert choose(pending) == Choice((pending[2], pending[4]), SUSPECTS, more=True)
    assert choose(waiting(2, 2, 2)).chosen == tuple(waiting(2, 2, 2)[:2])
    assert len(choose(waiting(9, 9, 9), max_receipts=2).chosen) == 2


def test_one_that_goes_alone_has_its_turn_after_those_that_failed_longer_ago() -> None:
    pending = waiting(1, 1, failed_base=6)
    assert choose(pending) == Choice((pending[0],), ALONE, more=True)
    assert choose([replace(pending[0], failed_by="5"), pending[1]]).chosen == (pending[1],)


def test_without_other_work_that_succeeded_the_round_leaves_out_its_new_runs() -> None:
    pending = waiting(1, failed_base=7)
    assert choose(pending) == Choice((pending[0],), WITHOUT, more=True)
    assert choose(pending, version=8) == Choice((pending[0],), ALONE, more=False)
    assert choose(waiting(1)) == Choice((waiting(1)[0],), ALONE, more=False)  # such a round came to its end


def test_one_that_can_be_tried_goes_before_a_control() -> None:
    (first,) = waiting(1, failed_base=7)
    second = replace(first, receipt=ReceiptId("other", 1), failed_by="9", failed_base=6)
    assert choose([first, second]).chosen == (second,)


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
    assert blamed("COMPLETED", "FAILED", "COMPLETED") == []
    assert blamed("FAILED") == []
    assert blamed() == []


def test_a_suspect_that_goes_alone_has_the_oldest_of_its_new_runs_only() -> None:
    runs = tuple(
        RunFact(NOW, f"run-{place}", state=state) for place, state in enumerate(("COMPLETED", *2 * ("PENDING",)))
    )
    of = {ReceiptId("a", 1): ReceiptFacts(ReceiptId("a", 1), runs=runs)}
    facts, trial = tried_facts(of, ALONE)
    assert ([run.run_id for run in facts[ReceiptId("a", 1)].runs], trial) == (["run-0", "run-1"], ONE_RUN)
    assert tried_facts(of, SUSPECTS) == (of, SUSPECTS)


def test_a_control_goes_by_the_facts_without_the_runs_that_never_merged() -> None:
    def of(*states: str) -> dict[ReceiptId, ReceiptFacts]:
        runs = tuple(RunFact(NOW, f"run-{place}", state=state) for place, state in enumerate(states))
        return {ReceiptId("a", 1): ReceiptFacts(ReceiptId("a", 1), runs=runs)}

    facts, trial = tried_facts(of("COMPLETED", "PENDING", "FAILED"), WITHOUT)
    assert ([run.run_id for run in facts[ReceiptId("a", 1)].runs], trial) == (["run-0", "run-2"], WITHOUT)
    assert tried_facts(of("COMPLETED"), WITHOUT) == (of("COMPLETED"), ALONE)
    assert tried_facts(of("PENDING"), ALONE) == (of("PENDING"), ALONE)

"""Evidence and blame as they are written: what the tests without services take for granted."""

from contextlib import suppress
from dataclasses import replace

import pytest
from receipt_dynamo_stream.control.pending import PendingReceipt
from receipt_dynamo_stream.errors import CompactionError
from receipt_dynamo_stream.facts import ReceiptFacts, RunFact
from receipt_dynamo_stream.round.blame import at_risk, blame
from receipt_dynamo_stream.round.plan import ALONE, ONE_RUN, SUSPECTS, WITHOUT, Plan, PlannedReceipt
from receipt_dynamo_stream.round.report import ReceiptReport, ShardReport
from receipt_dynamo_stream.runs import RunStates

from ...samples import NOW, RUN, run_item, text
from ..conftest import Tables
from .test_settle import POINTER, A, B, plan, settle


class StorageUnavailable(CompactionError):
    """By its name no receipt is to blame."""


@pytest.fixture
def world(tables: Tables) -> Tables:
    """A waits, with one run that was merged and one that was not."""
    tables.control_table.pending("words").mark({A: ["x"]}, now=NOW, new_token=lambda: "t0")
    for run, state in (("done", "COMPLETED"), (RUN, "PENDING")):
        sk = f"RECEIPT#00001#COMPACTION_RUN#{run}"
        tables.put(run_item(sk=sk, image=A.image_id, words_state=state))
    return tables


def of(fence: int, version: int = 4, trial: str = ALONE, **more: object) -> Plan:
    runs = (RunFact(NOW, "done", state="COMPLETED"), RunFact(NOW, RUN))
    receipts = (PlannedReceipt(0, "t0", 0, NOW, ReceiptFacts(A, exists=True, runs=runs)),)
    pointer = replace(POINTER, version=version)
    return plan(fence=fence, base=pointer, trial=trial, **{"receipts": receipts, **more})


def item(tables: Tables) -> PendingReceipt:
    (one,) = tables.control_table.pending("words").read()
    return one


def fail(tables: Tables, failed: Plan, error: str = "Runtime.ExitError") -> int:
    return blame(tables.control_table, receipts_table=tables.receipts, plan=failed, plan_key="p", error=error, now=NOW)


def killed(tables: Tables, failed: Plan) -> int:
    tables.control_table.pending("words").begin(A, "p")
    return fail(tables, failed)


def state(tables: Tables, run: str) -> object:
    found = tables.receipt_item(A.pk, f"RECEIPT#00001#COMPACTION_RUN#{run}")
    assert found is not None
    return found["words_state"]


def begun(tables: Tables) -> bool:
    found = tables.control_item("PENDING#words", A.key)
    assert found is not None
    return "begun" in found


@pytest.mark.parametrize(
    ("error", "evidence"), [(None, False), (StorageUnavailable("it passes"), False), (MemoryError(), True)]
)
def test_evidence_is_left_by_what_may_be_the_receipts_own_and_by_nothing_else(
    world: Tables, error: Exception | None, evidence: bool
) -> None:
    asked = at_risk(world.control_table.pending("words"), of(1), "p")
    assert asked
    with suppress(StorageUnavailable, MemoryError), asked():
        assert begun(world)
        if error is not None:
            raise error
    assert begun(world) is evidence


@pytest.mark.parametrize("trial", ["", SUSPECTS, WITHOUT])
def test_nobody_reads_the_evidence_of_other_rounds_so_none_is_left(world: Tables, trial: str) -> None:
    assert at_risk(world.control_table.pending("words"), of(1, trial=trial), "p") is None


def test_only_the_new_run_is_quarantined_after_three_failures_that_each_followed_a_success(world: Tables) -> None:
    assert [killed(world, of(fence, version)) for fence, version in ((1, 4), (2, 4), (3, 5), (4, 5))] == [0, 0, 0, 0]
    assert (item(world).attempts, state(world, RUN)) == (2, text("PENDING"))
    assert killed(world, of(5, 6)) == 1
    assert (state(world, RUN), state(world, "done")) == (text("FAILED"), text("COMPLETED"))
    (run,) = world.control_table.quarantine("words").list()
    assert (run.run_id, run.error, run.since) == (RUN, "MergeKeepsFailing", NOW)
    assert item(world) == PendingReceipt(A, "t0", NOW, NOW, frozenset({"x"}))
    late = item(world)
    assert fail(world, of(5, 6)) == 0  # repeated: the evidence is used up
    assert (len(world.control_table.quarantine("words").list()), item(world).attempts) == (1, late.attempts)


def test_a_run_that_was_merged_meanwhile_is_not_failed_by_suspicion(world: Tables) -> None:
    RunStates(world.client, world.receipts, "words").complete(A, RUN, merged_vectors=3, now=NOW)
    for fence in (1, 2, 3):
        assert killed(world, of(fence, 4 + fence)) == 0
    assert state(world, RUN) == text("COMPLETED")
    assert world.control_table.quarantine("words").list() == []


def test_an_error_of_a_service_writes_nothing(world: Tables) -> None:
    before = item(world)
    assert fail(world, of(1, trial=""), "StorageUnavailable") == 0
    assert item(world) == before


def test_a_control_that_succeeds_settles_nothing_and_lets_the_next_failure_count(world: Tables) -> None:
    killed(world, of(1))
    killed(world, of(2))
    assert (item(world).attempts, item(world).failed_base) == (1, 4)
    fail(world, of(3, trial=WITHOUT))
    assert (item(world).failed_by[:10], item(world).failed_base) == ("0000000003", 4)
    settle(world, plan=of(4, trial=WITHOUT), reports=_one_report(), pointer=None)
    assert item(world).failed_base is None
    killed(world, of(5))
    assert item(world).attempts == 2


def test_one_that_was_merged_with_the_oldest_of_its_new_runs_stays_pending_and_alone_with_nothing_against_it(
    world: Tables,
) -> None:
    killed(world, of(1, trial=ONE_RUN))
    assert item(world).attempts == 1
    report = replace(_one_report()[0], receipts=(ReceiptReport(A, {RUN: 3}),))
    settled = settle(world, plan=of(2, trial=ONE_RUN), reports=[report], pointer=None)
    assert (settled.settled, settled.completed_runs, state(world, RUN)) == (0, 1, text("COMPLETED"))
    assert (item(world).change, item(world).together, item(world).attempts) == ("t0", 1, 0)


def test_the_receipts_of_a_failed_round_are_suspects_in_halves(tables: Tables) -> None:
    pending = tables.control_table.pending("words")
    pending.mark({A: ["x"], B: ["x"]}, now=NOW, new_token=lambda: "t")
    fail(tables, plan(fence=1))  # of three, one of which was settled meanwhile
    assert [(one.receipt, one.together) for one in pending.read()] == [(A, 2), (B, 2)]


def _one_report() -> list[ShardReport]:
    from .test_settle import report

    return [replace(report(0, ReceiptReport(A)), changed=False)]

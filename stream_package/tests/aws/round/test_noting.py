"""What is to be known of runs that were not refused: said on the run, listed, and taken away when its cause goes."""

from dataclasses import replace
from typing import Any

import pytest
from receipt_dynamo_stream import ReceiptId, TransientServiceError, detect_change, parse_stream_record
from receipt_dynamo_stream.control.notes import LISTED, NotedReceipt, NotedRun
from receipt_dynamo_stream.read_facts import read_facts
from receipt_dynamo_stream.round.plan import WITHOUT, Plan, PlannedReceipt
from receipt_dynamo_stream.round.report import MergeCounts, Note, ReceiptReport, ShardReport
from receipt_dynamo_stream.round.settle import Settled, settle_changes
from receipt_dynamo_stream.runs import settle_order

from ...samples import LATER, NOW, run_item, stream_record
from ..conftest import Tables
from .test_settle import Fails, everything

A = ReceiptId("a", 1)
LEFT_OUT = Note(A, "run-0", "RecordsLeftOut", "1 of its records is not in the snapshot")


class Rounds:
    """Rounds of one receipt: each reads its facts, as a plan does, and settles what a merge would have found."""

    def __init__(self, tables: Tables, runs: int = 2) -> None:
        self.tables, self.fence = tables, 0
        tables.put(*(run_item(sk=f"RECEIPT#00001#COMPACTION_RUN#run-{n}", image="a") for n in range(runs)))

    def plan(self, trial: str = "") -> Plan:
        self.fence += 1
        facts = read_facts(self.tables.client, self.tables.receipts, A, "words")
        return Plan(
            collection="words",
            execution="words-1",
            execution_arn="arn",
            trigger="stream",
            round=0,
            fence=self.fence,
            base=None,
            snapshot_id="s",
            shards=1,
            planned_at=NOW,
            receipts=(PlannedReceipt(0, f"t{self.fence}", 1, NOW, facts),),
            trial=trial,
        )

    def settle(self, plan: Plan, *notes: Note, client: Any = None, now: str = NOW) -> Settled:
        report = ShardReport(
            collection="words",
            execution="words-1",
            round=0,
            shard=0,
            attempt="x",
            plan_key="p",
            changed=False,
            staged=None,
            counts=MergeCounts(),
            receipts=(ReceiptReport(A, {"run-0": 3}),),
            notes=notes,
        )
        control = replace(self.tables.control_table, client=client or self.tables.client)
        return settle_changes(
            control, receipts_table=self.tables.receipts, plan=plan, reports=[report], pointer=None, now=now
        )

    def round(self, *notes: Note, trial: str = "", now: str = NOW) -> int:
        return self.settle(self.plan(trial), *notes, now=now).noted_runs

    def run(self, run_id: str = "run-0") -> dict[str, Any]:
        item = self.tables.receipt_item(A.pk, f"RECEIPT#00001#COMPACTION_RUN#{run_id}")
        assert item is not None
        return item

    @property
    def listed(self) -> list[NotedReceipt]:
        return self.tables.control_table.notes("words").list()


@pytest.fixture
def rounds(tables: Tables) -> Rounds:
    return Rounds(tables)


def test_a_note_stands_on_the_run_beside_its_state_and_is_listed(rounds: Rounds) -> None:
    assert rounds.round(LEFT_OUT) == 1
    assert rounds.run()["words_state"] == {"S": "COMPLETED"}
    assert rounds.run()["words_note"] == {"S": f"RecordsLeftOut: {LEFT_OUT.message}"}
    assert rounds.listed == [NotedReceipt(A, (NotedRun("run-0", "RecordsLeftOut", LEFT_OUT.message, NOW),))]
    assert "words_note" not in rounds.run("run-1")
    assert rounds.tables.control_table.quarantine("words").list() == []


def test_the_same_note_is_written_once_and_counted_once(rounds: Rounds) -> None:
    rounds.round(LEFT_OUT)
    before = everything(rounds.tables)
    assert rounds.round(LEFT_OUT, now=LATER) == 0
    assert everything(rounds.tables) == before


def test_a_note_goes_when_its_cause_does(rounds: Rounds) -> None:
    rounds.round(LEFT_OUT, replace(LEFT_OUT, run_id="run-1", note="OlderThanReceipt"))
    assert rounds.round(LEFT_OUT) == 0
    assert "words_note" not in rounds.run("run-1")
    assert [run.run_id for one in rounds.listed for run in one.runs] == ["run-0"]
    assert rounds.round() == 0
    assert "words_note" not in rounds.run()
    assert rounds.listed == []


def test_another_note_takes_the_place_of_the_first(rounds: Rounds) -> None:
    rounds.round(LEFT_OUT)
    other = replace(LEFT_OUT, note="DeltaMissing", message="nothing is there")
    assert rounds.round(other, now=LATER) == 1
    assert rounds.run()["words_note"] == {"S": other.text}
    assert rounds.listed == [NotedReceipt(A, (NotedRun("run-0", "DeltaMissing", "nothing is there", LATER),))]


def test_the_note_of_a_deleted_run_is_listed_no_more_and_makes_no_ghost(rounds: Rounds) -> None:
    rounds.round(LEFT_OUT)
    plan = rounds.plan()
    rounds.tables.client.delete_item(
        TableName=rounds.tables.receipts, Key={name: rounds.run()[name] for name in ("PK", "SK")}
    )
    rounds.settle(plan, replace(LEFT_OUT, message="another"))
    assert rounds.listed == []
    rounds.round()
    assert [run.run_id for run in read_facts(rounds.tables.client, rounds.tables.receipts, A, "words").runs] == [
        "run-1"
    ]


def test_a_late_duplicate_does_not_bring_a_note_back(rounds: Rounds) -> None:
    late = rounds.plan()
    rounds.settle(late, LEFT_OUT)
    rounds.round()
    rounds.settle(late, LEFT_OUT)
    assert "words_note" not in rounds.run()
    assert rounds.listed == []


def test_a_round_without_the_new_runs_says_nothing_of_them(rounds: Rounds) -> None:
    rounds.round(LEFT_OUT)
    before = everything(rounds.tables)
    rounds.round(trial=WITHOUT)
    assert everything(rounds.tables) == before


@pytest.mark.parametrize("calls", range(1, 6))
def test_a_crash_between_the_writes_is_mended_by_settling_again(rounds: Rounds, calls: int) -> None:
    plan = rounds.plan()
    rounds.tables.control_table.pending("words").mark({A: ["x"]}, now=NOW, new_token=lambda: plan.receipts[0].change)
    with pytest.raises(TransientServiceError):
        rounds.settle(plan, LEFT_OUT, client=Fails(rounds.tables.client, calls - 1))
    assert rounds.settle(plan, LEFT_OUT).settled == 1
    assert rounds.run()["words_note"] == {"S": LEFT_OUT.text}
    assert [run.run_id for one in rounds.listed for run in one.runs] == ["run-0"]


def test_of_many_notes_of_one_receipt_the_first_are_listed_and_the_rest_is_counted(tables: Tables) -> None:
    rounds = Rounds(tables, runs=LISTED + 2)
    notes = [replace(LEFT_OUT, run_id=f"run-{n}") for n in range(LISTED + 2)]
    assert rounds.round(*notes) == LISTED + 2
    (one,) = rounds.listed
    assert (len(one.runs), one.more) == (LISTED, 2)
    rounds.round()
    assert rounds.listed == []
    assert not any(run.note for run in read_facts(tables.client, tables.receipts, A, "words").runs)


def test_notes_of_more_receipts_than_one_call_reads_are_found(tables: Tables) -> None:
    notes = tables.control_table.notes("words")
    receipts = [ReceiptId(f"image-{n:03d}", 1) for n in range(130)]
    for receipt in receipts[::10]:
        noted = NotedReceipt(receipt, (NotedRun("r", "n", "m", NOW),))
        notes.write(noted, order=settle_order(1, 0))
    assert sorted(notes.of_receipts(receipts)) == receipts[::10]
    assert [one.receipt for one in notes.list()] == receipts[::10]


def test_a_note_is_no_change_for_the_stream(rounds: Rounds) -> None:
    before = rounds.run()
    rounds.round(LEFT_OUT)
    raw = stream_record("MODIFY", before["SK"]["S"], old=before, new=rounds.run(), image="a")
    assert detect_change(parse_stream_record(raw)) is None


def test_a_receipt_without_notes_costs_no_write(rounds: Rounds) -> None:
    rounds.round()
    before = everything(rounds.tables)
    assert rounds.round() == 0
    assert everything(rounds.tables) == before

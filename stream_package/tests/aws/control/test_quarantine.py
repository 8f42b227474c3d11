from datetime import datetime, timedelta

import pytest
from receipt_dynamo_stream import ReceiptId
from receipt_dynamo_stream.control.quarantine import MERGE_KEEPS_FAILING, QuarantinedRun
from receipt_dynamo_stream.runs import RunStates, settle_order

from ...samples import IMAGE, LATER, NOW, RUN, run_item, text
from ..conftest import Tables

RECEIPT = ReceiptId(IMAGE, 1)
OTHER = ReceiptId(IMAGE, 2)
ODD_RUNS = ("run", "run#1", "#", f"run#{OTHER.key}", f"{OTHER.key}", "лента#\U0001f9fe", "r" * 995, "é" * 497)


def test_a_quarantined_run_is_one_item_with_its_reason(tables: Tables) -> None:
    quarantine = tables.control_table.quarantine("words")
    assert quarantine.put("run-2", RECEIPT, "DeltaCorrupt", "first", LATER, order=settle_order(1, 0))
    assert quarantine.put("run-2", RECEIPT, "DeltaCorrupt", "again" * 1000, LATER, order=settle_order(1, 1))
    assert not quarantine.put("run-2", RECEIPT, "DeltaCorrupt", "late", LATER, order=settle_order(1, 0))
    quarantine.put("run-1", RECEIPT, "DeltaMissing", "nothing there", NOW, order=settle_order(1, 0))
    first, second = quarantine.list()
    assert first == QuarantinedRun("run-1", RECEIPT, "DeltaMissing", "nothing there", NOW)
    assert (second.run_id, len(second.message)) == ("run-2", 1000)
    assert quarantine.get("run-1", RECEIPT) == first
    assert tables.control_table.quarantine("lines").list() == []
    quarantine.remove("run-1", RECEIPT, now=LATER)
    quarantine.remove("run-1", RECEIPT, now=LATER)
    quarantine.remove("run-0", RECEIPT, now=LATER)
    assert quarantine.get("run-0", RECEIPT) is quarantine.get("run-1", RECEIPT) is None
    assert quarantine.list() == [second]


def test_a_retry_makes_the_run_pending_marks_its_receipt_and_leaves_quarantine(tables: Tables) -> None:
    tables.put(run_item())
    RunStates(tables.client, tables.receipts, "words").fail(RECEIPT, RUN, error="x", now=NOW, order=settle_order(1, 0))
    quarantine = tables.control_table.quarantine("words")
    quarantine.put(RUN, RECEIPT, "DeltaMissing", "nothing there", NOW, order=settle_order(1, 0))
    assert quarantine.retry(RUN, RECEIPT, receipts_table=tables.receipts, now=LATER, new_token=lambda: "token") is True
    item = tables.receipt_item(RECEIPT.pk, f"RECEIPT#00001#COMPACTION_RUN#{RUN}")
    assert item is not None
    assert item["words_state"] == text("PENDING")
    (waiting,) = tables.control_table.pending("words").read()
    assert (waiting.receipt, waiting.change, waiting.reasons) == (RECEIPT, "token", {"RETRY COMPACTION_RUN"})
    assert quarantine.list() == []
    assert (
        quarantine.retry(RUN, RECEIPT, receipts_table=tables.receipts, now=LATER, new_token=lambda: "token2") is False
    )


def test_a_suspected_run_is_due_once_with_other_code_or_after_a_day(tables: Tables) -> None:
    quarantine = tables.control_table.quarantine("words")
    at = datetime.fromisoformat(NOW)

    def due(*, hours: float, deployment: str) -> list[str]:
        return [run.run_id for run in quarantine.due(now=at + timedelta(hours=hours), deployment=deployment)]

    for run_id, error in (("suspected", MERGE_KEEPS_FAILING), ("refused", "DeltaCorrupt")):
        quarantine.put(run_id, RECEIPT, error, "why", NOW, order="1", deployment="x")
    assert due(hours=23, deployment="x") == []
    assert due(hours=24, deployment="x") == ["suspected"]
    assert due(hours=0, deployment="y") == ["suspected"]
    assert quarantine.try_again("suspected", RECEIPT, receipts_table=tables.receipts, now=NOW, new_token=lambda: "t")
    (pending,) = tables.control_table.pending("words").read()
    assert (pending.receipt, pending.together) == (RECEIPT, 1)  # after all others, and alone
    assert due(hours=99, deployment="y") == []
    quarantine.put("suspected", RECEIPT, MERGE_KEEPS_FAILING, "why", NOW, order="2", deployment="y")
    assert due(hours=99, deployment="z") == []  # it came back, and waits for a person


@pytest.mark.parametrize("run_id", ODD_RUNS)
def test_two_receipts_with_runs_of_one_id_wait_return_and_leave_each_on_its_own(tables: Tables, run_id: str) -> None:
    quarantine = tables.control_table.quarantine("words")
    long = ReceiptId("i" * 900, 1)
    receipts = [RECEIPT, OTHER, long]
    for receipt in receipts:
        assert quarantine.put(run_id, receipt, "DeltaCorrupt", "why", NOW, order=settle_order(1, 0))
        assert not quarantine.put(run_id, receipt, "DeltaCorrupt", "late", NOW, order=settle_order(1, 0))
    assert [(run.run_id, run.receipt) for run in quarantine.list()] == [(run_id, one) for one in sorted(receipts)]
    quarantine.remove(run_id, OTHER, now=LATER)
    assert quarantine.get(run_id, OTHER) is None
    assert not quarantine.put(run_id, OTHER, "DeltaCorrupt", "late", LATER, order=settle_order(1, 0))
    assert quarantine.retry(run_id, RECEIPT, receipts_table=tables.receipts, now=LATER, new_token=lambda: "t")
    assert [run.receipt for run in quarantine.list()] == [long]
    assert [one.receipt for one in tables.control_table.pending("words").read()] == [RECEIPT]


def test_runs_whose_ids_hold_other_keys_are_never_taken_for_each_other(tables: Tables) -> None:
    quarantine = tables.control_table.quarantine("words")
    names = [(run_id, receipt) for run_id in ODD_RUNS for receipt in (RECEIPT, OTHER)]
    for run_id, receipt in names:
        assert quarantine.put(run_id, receipt, "DeltaCorrupt", "why", NOW, order=settle_order(1, 0))
    assert {(run.run_id, run.receipt) for run in quarantine.list()} == set(names)


def test_a_retry_leaves_a_run_there_that_a_newer_round_refused_meanwhile(tables: Tables) -> None:
    tables.put(run_item())
    quarantine = tables.control_table.quarantine("words")
    quarantine.put(RUN, RECEIPT, "DeltaMissing", "nothing there", NOW, order=settle_order(1, 0))

    def refused_again() -> str:
        assert quarantine.put(RUN, RECEIPT, "DeltaCorrupt", "still bad", LATER, order=settle_order(2, 0))
        return "token"

    assert quarantine.retry(RUN, RECEIPT, receipts_table=tables.receipts, now=LATER, new_token=refused_again)
    assert [run.error for run in quarantine.list()] == ["DeltaCorrupt"]


def test_an_item_of_an_earlier_release_stays_its_run_s_and_hides_no_other(tables: Tables) -> None:
    said = {"receipt": RECEIPT.key, "error": "DeltaCorrupt", "message": "why", "quarantined_at": NOW}
    order = text(settle_order(1, 0))
    tables.put_control("QUARANTINE#words", "run", **{name: text(one) for name, one in said.items()}, settle_order=order)
    quarantine = tables.control_table.quarantine("words")
    assert quarantine.get("run", RECEIPT) == QuarantinedRun("run", RECEIPT, "DeltaCorrupt", "why", NOW)
    assert quarantine.get("run", OTHER) is None
    assert quarantine.put("run", OTHER, "DeltaMissing", "why", NOW, order=settle_order(1, 0))
    assert not quarantine.put("run", RECEIPT, "DeltaCorrupt", "late", LATER, order=settle_order(1, 0))
    assert quarantine.put("run", RECEIPT, "DeltaMissing", "again", LATER, order=settle_order(1, 1))
    assert [(run.receipt, run.message) for run in quarantine.list()] == [(OTHER, "why"), (RECEIPT, "again")]
    quarantine.remove("run", RECEIPT, now=LATER)
    assert [run.receipt for run in quarantine.list()] == [OTHER]

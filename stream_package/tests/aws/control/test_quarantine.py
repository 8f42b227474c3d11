from datetime import datetime, timedelta

from receipt_dynamo_stream import ReceiptId
from receipt_dynamo_stream.control.quarantine import MERGE_KEEPS_FAILING, QuarantinedRun
from receipt_dynamo_stream.runs import RunStates, settle_order

from ...samples import IMAGE, LATER, NOW, RUN, run_item, text
from ..conftest import Tables

RECEIPT = ReceiptId(IMAGE, 1)


def test_a_quarantined_run_is_one_item_with_its_reason(tables: Tables) -> None:
    quarantine = tables.control_table.quarantine("words")
    assert quarantine.put("run-2", RECEIPT, "DeltaCorrupt", "first", LATER, order=settle_order(1, 0))
    assert quarantine.put("run-2", RECEIPT, "DeltaCorrupt", "again" * 1000, LATER, order=settle_order(1, 1))
    assert not quarantine.put("run-2", RECEIPT, "DeltaCorrupt", "late", LATER, order=settle_order(1, 0))
    quarantine.put("run-1", RECEIPT, "DeltaMissing", "nothing there", NOW, order=settle_order(1, 0))
    first, second = quarantine.list()
    assert first == QuarantinedRun("run-1", RECEIPT, "DeltaMissing", "nothing there", NOW)
    assert (second.run_id, len(second.message)) == ("run-2", 1000)
    assert quarantine.get("run-1") == first
    assert tables.control_table.quarantine("lines").list() == []
    quarantine.remove("run-1", now=LATER)
    quarantine.remove("run-1", now=LATER)
    quarantine.remove("run-0", now=LATER)
    assert quarantine.get("run-0") is quarantine.get("run-1") is None
    assert quarantine.list() == [second]


def test_a_retry_makes_the_run_pending_marks_its_receipt_and_leaves_quarantine(tables: Tables) -> None:
    tables.put(run_item())
    RunStates(tables.client, tables.receipts, "words").fail(RECEIPT, RUN, error="x", now=NOW, order=settle_order(1, 0))
    quarantine = tables.control_table.quarantine("words")
    quarantine.put(RUN, RECEIPT, "DeltaMissing", "nothing there", NOW, order=settle_order(1, 0))
    assert quarantine.retry(RUN, receipts_table=tables.receipts, now=LATER, new_token=lambda: "token") is True
    item = tables.receipt_item(RECEIPT.pk, f"RECEIPT#00001#COMPACTION_RUN#{RUN}")
    assert item is not None
    assert item["words_state"] == text("PENDING")
    (waiting,) = tables.control_table.pending("words").read()
    assert (waiting.receipt, waiting.change, waiting.reasons) == (RECEIPT, "token", {"RETRY COMPACTION_RUN"})
    assert quarantine.list() == []
    assert quarantine.retry(RUN, receipts_table=tables.receipts, now=LATER, new_token=lambda: "token2") is False


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
    assert quarantine.try_again("suspected", receipts_table=tables.receipts, now=NOW, new_token=lambda: "t")
    (pending,) = tables.control_table.pending("words").read()
    assert (pending.receipt, pending.together) == (RECEIPT, 1)  # after all others, and alone
    assert due(hours=99, deployment="y") == []
    quarantine.put("suspected", RECEIPT, MERGE_KEEPS_FAILING, "why", NOW, order="2", deployment="y")
    assert due(hours=99, deployment="z") == []  # it came back, and waits for a person

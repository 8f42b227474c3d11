"""How a collection is, in one look."""

from datetime import UTC, datetime, timedelta

import pytest
from receipt_dynamo_stream.keys import ReceiptId

from operate.errors import SnapshotNotFound
from operate.stack import Stack

from ..toy_stack.toy import ToyStack

A = ReceiptId("aaaa", 1)


def test_a_stack_that_never_ran_is_empty_and_not_an_error(operator: Stack) -> None:
    status = operator.collections.status("words")
    assert (status.state, status.version, status.records, status.last_execution) == ("empty", 0, None, None)
    assert (status.pending, status.behind_seconds, status.quarantined) == (0, 0.0, 0)
    assert status.problem is None


def test_status_tells_the_published_version_and_its_records(stack: ToyStack, operator: Stack) -> None:
    stack.publish("words", 3, records=812, holder="arn:aws:states:us-east-1:1:execution:compaction:me")
    status = operator.collections.status("words")
    assert (status.state, status.version, status.records, status.dimension) == ("current", 3, 812, 8)
    assert status.committed_at == datetime(2026, 7, 28, 12, tzinfo=UTC)
    assert status.holder == "arn:aws:states:us-east-1:1:execution:compaction:me"
    assert operator.collections.status("lines").state == "empty"


def test_a_collection_is_behind_by_its_oldest_pending_change(stack: ToyStack) -> None:
    stack.publish("words", 3, records=1)
    moment = datetime(2026, 7, 28, 13, tzinfo=UTC)
    pending = stack.control.pending("words")
    marks = [(A, 90), (ReceiptId("bbbb", 1), 30)]
    for receipt, seconds in marks:
        when = (moment - timedelta(seconds=seconds)).isoformat()
        assert not pending.mark({receipt: ["INSERT"]}, now=when, new_token=iter("ab").__next__)
    status = Stack(stack.connection, now=lambda: moment).collections.status("words")
    assert (status.state, status.pending, status.behind_seconds) == ("behind", 2, 90.0)


def test_paused_is_said_before_anything_else(stack: ToyStack, operator: Stack) -> None:
    stack.publish("words", 3, records=1, paused="2026-07-28 for a look")
    stack.control.pending("words").mark({A: []}, now="2026-07-28T12:00:00+00:00", new_token=lambda: "t")
    assert operator.collections.status("words").state == "paused"


def test_quarantined_runs_are_counted_per_collection(stack: ToyStack, operator: Stack) -> None:
    quarantine = stack.control.quarantine("words")
    for run_id in ("r1", "r2"):
        quarantine.put(run_id, A, "DeltaCorrupt", "bad", "2026", order="1")
    quarantine.remove("r2", A, now="2026")
    assert (operator.collections.status("words").quarantined, operator.collections.status("lines").quarantined) == (
        1,
        0,
    )


def test_the_pointer_of_an_unpublished_collection_is_missed_by_name(operator: Stack) -> None:
    with pytest.raises(SnapshotNotFound, match="no snapshot of lines yet"):
        operator.versions.pointer("lines", None)

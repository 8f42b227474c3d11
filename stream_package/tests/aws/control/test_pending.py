from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from receipt_dynamo_stream import ReceiptId
from receipt_dynamo_stream.control.pending import Backlog, PendingReceipt, PendingReceipts
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.retry import is_transient

from ...round.notebook import Notebook
from ...samples import LATER, NOW, number, text
from ..conftest import Tables

A, B = ReceiptId("a", 1), ReceiptId("b", 1)


class Tokens:
    """Tokens t0, t1, … in order."""

    def __init__(self) -> None:
        self._count = count()

    def __call__(self) -> str:
        return f"t{next(self._count)}"


@pytest.fixture
def pending(tables: Tables) -> PendingReceipts:
    return tables.control_table.pending("words")


def test_many_changes_of_a_receipt_are_one_pending_item(pending: PendingReceipts) -> None:
    tokens = Tokens()
    assert pending.mark({A: ["INSERT COMPACTION_RUN"]}, now=NOW, new_token=tokens) == {}
    assert pending.mark({A: ["MODIFY RECEIPT_PLACE", "INSERT COMPACTION_RUN"]}, now=LATER, new_token=tokens) == {}
    (one,) = pending.read()
    assert (one.receipt, one.change, one.attempts) == (A, "t1", 0)
    assert (one.first_changed_at, one.last_changed_at) == (NOW, LATER)
    assert one.reasons == {"INSERT COMPACTION_RUN", "MODIFY RECEIPT_PLACE"}


def test_a_pending_item_has_the_documented_shape(tables: Tables, pending: PendingReceipts) -> None:
    pending.mark({A: ["INSERT RECEIPT"]}, now=NOW, new_token=Tokens())
    assert tables.control_item("PENDING#words", "IMAGE#a#RECEIPT#00001") == {
        "PK": text("PENDING#words"),
        "SK": text("IMAGE#a#RECEIPT#00001"),
        "change": text("t0"),
        "first_changed_at": text(NOW),
        "last_changed_at": text(NOW),
        "reasons": {"SS": ["INSERT RECEIPT"]},
        "attempts": number(0),
    }


def test_one_pending_receipt_is_read_by_itself(pending: PendingReceipts) -> None:
    pending.mark({A: ["INSERT RECEIPT"], B: ["INSERT RECEIPT"]}, now=NOW, new_token=Tokens())
    assert pending.get(A) == next(one for one in pending.read() if one.receipt == A)
    assert pending.settle(A, "t0")
    assert pending.get(A) is None


def test_collections_do_not_see_each_other(tables: Tables, pending: PendingReceipts) -> None:
    pending.mark({A: []}, now=NOW, new_token=Tokens())
    assert tables.control_table.pending("lines").read() == []
    assert [one.reasons for one in pending.read()] == [frozenset()]


def test_the_whole_partition_is_read_the_longest_waiting_first(tables: Tables, pending: PendingReceipts) -> None:
    receipts = [ReceiptId(f"image-{number:04d}", 1) for number in range(5)]
    for place, receipt in enumerate(receipts):
        long = {"SS": ["x" * 350_000]}  # one page of a query is 1 MB
        tables.put_control(
            "PENDING#words",
            receipt.key,
            change=text("t"),
            first_changed_at=text(f"2026-07-28T12:00:{59 - place:02d}+00:00"),
            reasons=long,
        )
    assert [one.receipt for one in pending.read()] == receipts[::-1]


def test_an_unchanged_receipt_is_settled(pending: PendingReceipts) -> None:
    pending.mark({A: ["x"], B: ["x"]}, now=NOW, new_token=Tokens())
    assert pending.settle(A, "t0") is True
    assert [one.receipt for one in pending.read()] == [B]
    assert pending.settle(A, "t0") is False


def fail_alone(pending: PendingReceipts, receipt: ReceiptId, base: int, order: str) -> int:
    """A failure alone, with evidence."""
    pending.begin(receipt, f"plan-{order}")
    return pending.count_attempt(receipt, plan_key=f"plan-{order}", base=base, order=order)


def test_a_receipt_that_changed_during_the_merge_stays_and_is_no_suspect_any_more(pending: PendingReceipts) -> None:
    tokens = Tokens()
    pending.mark({A: ["x"]}, now=NOW, new_token=tokens)
    assert fail_alone(pending, A, 0, "1") == 1
    pending.mark({A: ["x"]}, now=LATER, new_token=tokens)
    (one,) = pending.read()
    assert (one.attempts, one.together) == (1, 1)  # a mark does not hide that merges failed
    assert pending.settle(A, "t0") is False
    assert pending.read() == [PendingReceipt(A, "t1", NOW, LATER, frozenset({"x"}))]


def test_a_settle_that_comes_late_never_removes_a_change_that_was_marked_since(pending: PendingReceipts) -> None:
    tokens = Tokens()
    pending.mark({A: ["x"]}, now=NOW, new_token=tokens)
    pending.settle(A, "t0")
    pending.mark({A: ["x"]}, now=LATER, new_token=tokens)
    assert pending.settle(A, "t0") is False
    assert [one.change for one in pending.read()] == ["t1"]


def test_a_failure_alone_counts_with_evidence_once_a_round_and_after_other_work_succeeded(
    pending: PendingReceipts,
) -> None:
    pending.mark({A: ["x"]}, now=NOW, new_token=Tokens())
    assert pending.count_attempt(A, plan_key="p", base=3, order="1") == 0  # it never began
    pending.begin(A, "p")
    pending.end(A, "p")
    assert pending.count_attempt(A, plan_key="p", base=3, order="1") == 0  # it came through its part
    assert fail_alone(pending, A, 3, "2") == 1
    assert pending.count_attempt(A, plan_key="plan-2", base=3, order="2") == 1  # asked twice
    assert fail_alone(pending, A, 3, "3") == 0  # nothing was published since
    assert fail_alone(pending, A, 4, "4") == 2
    assert fail_alone(pending, A, 4, "5") == 0
    assert pending.contrast(A)
    assert fail_alone(pending, A, 4, "6") == 3
    assert fail_alone(pending, A, 9, "5") == 0  # a late one of an older round
    assert fail_alone(pending, B, 9, "7") == 0  # not pending
    assert [one.attempts for one in pending.read()] == [3]


def test_an_older_evidence_does_not_count_for_another_plan(pending: PendingReceipts) -> None:
    pending.mark({A: ["x"]}, now=NOW, new_token=Tokens())
    pending.begin(A, "p")
    assert pending.end(A, "q") is False
    assert pending.count_attempt(A, plan_key="q", base=0, order="1") == 0


def test_one_whose_oldest_new_run_was_merged_goes_alone_still_with_nothing_against_it(pending: PendingReceipts) -> None:
    pending.mark({A: ["x"]}, now=NOW, new_token=Tokens())
    assert fail_alone(pending, A, 3, "2") == 1
    assert not pending.acquit_run(A, order="1")  # a late one of an older round
    assert pending.acquit_run(A, order="3")
    (one,) = pending.read()
    assert (one.together, one.attempts, one.failed_base) == (1, 0, None)


def test_the_blame_of_a_newer_round_stands(pending: PendingReceipts) -> None:
    pending.mark({A: ["x"]}, now=NOW, new_token=Tokens())
    assert pending.suspect(A, together=8, base=2, order="2")
    assert not pending.suspect(A, together=20, base=1, order="1")
    assert not pending.tried_without(A, order="1")
    (one,) = pending.read()
    assert (one.together, one.failed_base, one.failed_by) == (8, 2, "2")
    assert not one.is_contrasted(2)
    assert one.is_contrasted(3)


def test_nothing_of_a_suspect_comes_back_after_it_was_settled(pending: PendingReceipts) -> None:
    pending.mark({A: ["x"]}, now=NOW, new_token=Tokens())
    pending.settle(A, "t0")
    assert not pending.suspect(A, together=8, base=2, order="2")
    assert not pending.begin(A, "p")
    assert not pending.contrast(A)
    assert not pending.forgive(A)
    pending.ease()
    assert pending.read() == []


def test_suspects_that_did_not_fail_last_go_with_twice_as_many_after_one_was_merged(pending: PendingReceipts) -> None:
    receipts = [ReceiptId(name, 1) for name in "abcd"]
    pending.mark({receipt: ["x"] for receipt in receipts}, now=NOW, new_token=Tokens())
    for receipt, order in zip(receipts, "1223", strict=True):
        pending.suspect(receipt, together=3, base=1, order=order)
    fail_alone(pending, receipts[1], 2, "2x")
    pending.ease()
    assert [one.together for one in pending.read()] == [6, 1, 6, 3]


def test_the_backlog_is_a_number_and_an_age(pending: PendingReceipts) -> None:
    assert pending.backlog(NOW) == Backlog(0, None)
    tokens = Tokens()
    pending.mark({A: ["x"]}, now=NOW, new_token=tokens)
    pending.mark({A: ["x"], B: ["x"]}, now=LATER, new_token=tokens)
    assert pending.backlog(LATER) == Backlog(2, 300.0)


def test_a_failed_mark_fails_only_its_receipt(tables: Tables) -> None:
    from botocore.exceptions import ClientError

    class Throttled:
        """The real client, but writes of one receipt are throttled."""

        def update_item(self, **request: Any) -> Any:
            if request["Key"]["SK"] == text(A.key):
                raise ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "UpdateItem")
            return tables.client.update_item(**request)

    failures = (
        ControlTable(Throttled(), tables.control)
        .pending("words")
        .mark({A: ["x"], B: ["x"]}, now=NOW, new_token=Tokens())
    )
    assert list(failures) == [A]
    assert is_transient(failures[A])
    assert [one.receipt for one in tables.control_table.pending("words").read()] == [B]


orders = st.integers(0, 5).map(str)
receipts = st.sampled_from([A, B])
operations = st.lists(
    st.one_of(
        st.tuples(st.just("mark"), receipts),
        st.tuples(st.just("settle"), receipts, st.integers(0, 5)),
        st.tuples(st.just("suspect"), receipts, st.integers(1, 9), st.none() | st.integers(0, 3), orders),
        st.tuples(st.just("tried_without"), receipts, orders),
        st.tuples(st.just("contrast"), receipts),
        st.tuples(st.just("acquit_run"), receipts, orders),
        st.tuples(st.just("begin"), receipts, st.sampled_from(["p", "q"])),
        st.tuples(st.just("end"), receipts, st.sampled_from(["p", "q"])),
        st.tuples(st.just("count_attempt"), receipts, st.sampled_from(["p", "q"]), st.integers(0, 3), orders),
        st.tuples(st.just("ease")),
        st.tuples(st.just("forgive"), receipts),
    ),
    max_size=14,
)


def do(pending: PendingReceipts | Notebook, tokens: Tokens, step: tuple[Any, ...]) -> Any:
    match step:
        case ("mark", receipt):
            return pending.mark({receipt: ["x"]}, now=NOW, new_token=tokens)
        case ("settle", receipt, number):
            return pending.settle(receipt, f"t{number}")
        case ("suspect", receipt, together, base, order):
            return pending.suspect(receipt, together=together, base=base, order=order)
        case ("tried_without", receipt, order):
            return pending.tried_without(receipt, order=order)
        case ("acquit_run", receipt, order):
            return pending.acquit_run(receipt, order=order)
        case ("count_attempt", receipt, plan, base, order):
            return pending.count_attempt(receipt, plan_key=plan, base=base, order=order)
        case (method, *arguments):
            return getattr(pending, method)(*arguments)


@given(operations)
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_pending_receipts_are_what_the_notebook_of_the_tests_says_of_them(
    tables: Tables, steps: list[tuple[Any, ...]]
) -> None:
    pending, notebook = tables.control_table.pending("words"), Notebook()
    for left in pending.read():
        pending.settle(left.receipt, left.change)
    real, simple = Tokens(), Tokens()
    for step in steps:
        assert do(pending, real, step) == do(notebook, simple, step), step
    assert pending.read() == notebook.read()

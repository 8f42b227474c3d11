from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from receipt_dynamo_stream import ReceiptId
from receipt_dynamo_stream.control.pending import Backlog, PendingReceipts
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.retry import is_transient

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


def test_a_receipt_that_changed_during_the_merge_stays_and_its_attempts_start_again(pending: PendingReceipts) -> None:
    tokens = Tokens()
    pending.mark({A: ["x"]}, now=NOW, new_token=tokens)
    assert pending.count_attempt(A, "t0") is True
    pending.mark({A: ["x"]}, now=LATER, new_token=tokens)
    assert pending.settle(A, "t0") is False
    (one,) = pending.read()
    assert (one.change, one.attempts, one.first_changed_at) == ("t1", 0, NOW)


def test_a_settle_that_comes_late_never_removes_a_change_that_was_marked_since(pending: PendingReceipts) -> None:
    tokens = Tokens()
    pending.mark({A: ["x"]}, now=NOW, new_token=tokens)
    pending.settle(A, "t0")
    pending.mark({A: ["x"]}, now=LATER, new_token=tokens)
    assert pending.settle(A, "t0") is False
    assert [one.change for one in pending.read()] == ["t1"]


def test_attempts_are_counted_for_the_token_that_was_read(pending: PendingReceipts) -> None:
    tokens = Tokens()
    pending.mark({A: ["x"]}, now=NOW, new_token=tokens)
    assert pending.count_attempt(A, "t0") is True
    assert pending.count_attempt(A, "t0") is True
    assert pending.count_attempt(A, "t9") is False
    assert pending.count_attempt(B, "t0") is False
    assert [one.attempts for one in pending.read()] == [2]
    pending.mark({A: ["x"]}, now=LATER, new_token=tokens)
    assert [one.attempts for one in pending.read()] == [2]  # a mark does not hide that merges failed
    assert pending.forgive(A, "t0") is False
    assert pending.forgive(A, "t1") is True
    assert [one.attempts for one in pending.read()] == [0]


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


operations = st.lists(
    st.tuples(st.sampled_from(["mark", "settle", "attempt"]), st.sampled_from([A, B]), st.integers(0, 9)), max_size=14
)


@given(operations)
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pending_receipts_behave_like_a_dictionary_of_tokens(
    tables: Tables, steps: list[tuple[str, ReceiptId, int]]
) -> None:
    pending = tables.control_table.pending("words")
    for left in pending.read():
        pending.settle(left.receipt, left.change)
    tokens = Tokens()
    model: dict[ReceiptId, tuple[str, int]] = {}
    given_tokens: list[str] = ["never"]
    for action, receipt, pick in steps:
        token = given_tokens[pick % len(given_tokens)]
        if action == "mark":
            pending.mark({receipt: ["x"]}, now=NOW, new_token=tokens)
            given_tokens.append(f"t{len(given_tokens) - 1}")
            model[receipt] = (given_tokens[-1], model.get(receipt, ("", 0))[1])
        elif action == "settle":
            same = receipt in model and model[receipt][0] == token
            assert pending.settle(receipt, token) is same
            if same:
                del model[receipt]
            elif receipt in model:
                model[receipt] = (model[receipt][0], 0)
        else:
            same = receipt in model and model[receipt][0] == token
            assert pending.count_attempt(receipt, token) is same
            if same:
                model[receipt] = (token, model[receipt][1] + 1)
    assert {one.receipt: (one.change, one.attempts) for one in pending.read()} == model

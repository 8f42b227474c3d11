from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from receipt_dynamo_stream import ReceiptId, RunRefused, served_in, served_version
from receipt_dynamo_stream.runs import RunStates, settle_order

from ..samples import IMAGE, LATER, RUN, number, run_item, text
from .conftest import Tables

RECEIPT = ReceiptId(IMAGE, 1)
SK = f"RECEIPT#00001#COMPACTION_RUN#{RUN}"


def complete(
    tables: Tables, *, merged: int = 33, version: int | None = None, order: str | None = None, now: str = LATER
) -> str | None:
    return RunStates(tables.client, tables.receipts, "lines").complete(
        RECEIPT, RUN, merged_vectors=merged, version=version, now=now, order=order
    )


def fail(tables: Tables, *, error: str = "DeltaCorrupt: bad", order: str | None = None, now: str = LATER) -> str | None:
    return RunStates(tables.client, tables.receipts, "lines").fail(RECEIPT, RUN, error=error, now=now, order=order)


def run(tables: Tables) -> dict[str, Any]:
    item = tables.receipt_item(RECEIPT.pk, SK)
    assert item is not None
    return item


def test_a_completed_run_says_how_many_vectors_and_when(tables: Tables) -> None:
    tables.put(run_item())
    assert complete(tables) == "COMPLETED"
    item = run(tables)
    assert item["lines_state"] == text("COMPLETED")
    assert item["lines_merged_vectors"] == number(33)
    assert item["lines_finished_at"] == item["updated_at"] == text(LATER)
    assert item["lines_error"] == {"NULL": True}
    assert item["words_state"] == text("PENDING")


def test_a_completed_run_says_from_which_version_on_readers_see_it(tables: Tables) -> None:
    def version() -> int | None:
        return served_version(tables.client, tables.receipts, RECEIPT, RUN, "lines")

    assert version() is None, "it is not announced yet"
    tables.put(run_item())
    assert version() is None, "it is not merged yet"
    complete(tables, version=5)
    assert version() == 5
    complete(tables, version=9)
    assert version() == 5, "a later round that found it merged does not put it off"
    fail(tables, error="DeltaCorrupt: bad", order=settle_order(9, 0))
    with pytest.raises(RunRefused, match="DeltaCorrupt: bad"):
        version()


def test_a_run_says_in_which_generation_its_version_is(tables: Tables) -> None:
    def found() -> tuple[str, int] | None:
        return served_in(tables.client, tables.receipts, RECEIPT, RUN, "lines")

    tables.put(run_item())
    assert found() is None
    tables.put(run_item(lines_state=text("COMPLETED"), lines_version=number(5)))
    assert found() == ("lines", 5)
    tables.put(run_item(lines_state=text("COMPLETED"), lines_version=number(2), lines_generation=text("lines-2")))
    assert found() == ("lines-2", 2)
    assert served_version(tables.client, tables.receipts, RECEIPT, RUN, "lines") == 2


def test_a_run_that_an_earlier_release_completed_is_in_every_version_that_comes_now(tables: Tables) -> None:
    tables.put(run_item(lines_state=text("COMPLETED")))
    assert served_version(tables.client, tables.receipts, RECEIPT, RUN, "lines") == 0


def test_completing_again_with_the_same_count_writes_nothing(tables: Tables) -> None:
    tables.put(run_item())
    complete(tables, order=settle_order(1, 0))
    before = run(tables)
    assert complete(tables, order=settle_order(2, 0), now="2026-07-29T00:00:00+00:00") == "COMPLETED"
    assert run(tables) == before
    assert complete(tables, merged=32, order=settle_order(3, 0)) == "COMPLETED"
    assert run(tables)["lines_merged_vectors"] == number(32)


def test_a_failed_run_says_why(tables: Tables) -> None:
    tables.put(run_item())
    assert fail(tables, error="DeltaCorrupt: " + "x" * 5000) == "FAILED"
    item = run(tables)
    assert item["lines_state"] == text("FAILED")
    assert item["lines_error"]["S"].startswith("DeltaCorrupt: ")
    assert len(item["lines_error"]["S"]) == 1000
    assert item["words_state"] == text("PENDING")


def test_a_deleted_run_never_comes_back(tables: Tables) -> None:
    assert complete(tables) is None
    assert fail(tables) is None
    assert RunStates(tables.client, tables.receipts, "lines").reset(RECEIPT, RUN, now=LATER) is False
    assert tables.receipt_item(RECEIPT.pk, SK) is None


def test_a_completed_run_is_not_failed_without_an_order(tables: Tables) -> None:
    tables.put(run_item())
    complete(tables)
    assert fail(tables) == "COMPLETED"
    assert run(tables)["lines_state"] == text("COMPLETED")


def test_a_newer_round_fails_a_run_that_an_older_one_completed(tables: Tables) -> None:
    tables.put(run_item())
    complete(tables, order=settle_order(4, 1))
    assert fail(tables, order=settle_order(5, 0)) == "FAILED"


def test_a_late_duplicate_of_an_older_round_changes_nothing(tables: Tables) -> None:
    tables.put(run_item())
    complete(tables, order=settle_order(4, 2))
    assert fail(tables, order=settle_order(4, 1)) == "COMPLETED"
    assert fail(tables, order=settle_order(3, 99)) == "COMPLETED"
    assert run(tables)["lines_state"] == text("COMPLETED")


def test_a_late_duplicate_does_not_undo_a_retry(tables: Tables) -> None:
    tables.put(run_item())
    fail(tables, order=settle_order(4, 0))
    assert RunStates(tables.client, tables.receipts, "lines").reset(RECEIPT, RUN, now=LATER) is True
    assert run(tables)["lines_state"] == text("PENDING")
    assert fail(tables, order=settle_order(4, 0)) == "PENDING"
    assert complete(tables, order=settle_order(5, 0)) == "COMPLETED"


def test_only_a_failed_run_is_reset(tables: Tables) -> None:
    tables.put(run_item())
    complete(tables)
    before = run(tables)
    assert RunStates(tables.client, tables.receipts, "lines").reset(RECEIPT, RUN, now=LATER) is True
    assert run(tables) == before


def test_a_run_that_is_completed_when_it_was_created_is_settled_like_any_other(tables: Tables) -> None:
    tables.put(run_item(lines_state="COMPLETED", lines_merged_vectors=number(33)))
    assert complete(tables) == "COMPLETED"
    assert "updated_at" not in run(tables)
    assert fail(tables, order=settle_order(1, 0)) == "FAILED"


def test_an_order_compares_as_text_the_way_rounds_follow_each_other() -> None:
    rounds = [(1, 0), (1, 9), (1, 10), (2, 0), (9, 5), (10, 0), (100, 99)]
    assert sorted(settle_order(*one) for one in rounds) == [settle_order(*one) for one in rounds]


outcomes = st.lists(st.booleans(), min_size=2, max_size=4)


@given(outcomes, st.data())
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_order_of_arrival_the_newest_round_has_the_last_word(
    tables: Tables, good: list[bool], data: st.DataObject
) -> None:
    tables.put(run_item())
    arrivals = data.draw(st.permutations([*range(len(good)), *range(len(good))]))  # every settle arrives twice
    for round_ in arrivals:
        order = settle_order(1, round_)
        if good[round_]:
            complete(tables, merged=round_ + 1, order=order)
        else:
            fail(tables, error=f"round {round_}", order=order)
    item = run(tables)
    newest = len(good) - 1
    assert item["lines_state"] == text("COMPLETED" if good[newest] else "FAILED")
    if good[newest]:
        assert item["lines_merged_vectors"] == number(newest + 1)
    else:
        assert item["lines_error"] == text(f"round {newest}")


@pytest.mark.parametrize("arrivals", list(permutations(["complete", "fail", "complete"])))
def test_without_an_order_a_run_that_was_merged_once_ends_completed(tables: Tables, arrivals: tuple[str, ...]) -> None:
    tables.put(run_item())
    for one in arrivals:
        complete(tables) if one == "complete" else fail(tables)
    assert run(tables)["lines_state"] == text("COMPLETED")

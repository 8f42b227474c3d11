"""RowsConserved from the tables to the files: items, facts, plans, merges, publication, settling; judged by a model
that shares no code with them."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from receipt_dynamo_stream.keys import ReceiptId

from .conftest import NewRounds
from .rounds import COLLECTIONS, Rounds

RECEIPTS = [ReceiptId("image-a", 1), ReceiptId("image-a", 10_000), ReceiptId("image-b", 1)]
WORDS = [(line, word) for line in (1, 2, 3) for word in (1, 2)]
some_words = st.lists(st.sampled_from(WORDS), min_size=2, unique=True)
some_receipt = st.sampled_from(RECEIPTS)
some_word = st.sampled_from(WORDS)
CHANGES = st.one_of(
    st.tuples(st.just("create"), some_receipt, some_words),
    st.tuples(st.just("run"), some_receipt, some_words, st.integers(0, 3), st.sampled_from([0, 0, 0, -1])),
    st.tuples(st.just("run"), some_receipt, some_words, st.integers(0, 3), st.just(0)),
    st.tuples(st.just("label"), some_receipt, some_word, st.sampled_from("AB"), st.sampled_from(["VALID", "PENDING"])),
    st.tuples(st.just("unlabel"), some_receipt, some_word, st.sampled_from("AB")),
    st.tuples(st.just("place"), some_receipt, st.sampled_from(["Sprouts", "Costco"])),
    st.tuples(st.just("remove word"), some_receipt, some_word),
    st.tuples(st.just("delete"), some_receipt),
    st.tuples(st.just("plan"), st.integers(1, 3)),
    st.tuples(st.just("merge")),
)
BEGINNING = [("create", one, WORDS) for one in RECEIPTS[:2]] + [("run", one, WORDS, 1, 0) for one in RECEIPTS]
HISTORIES = st.lists(CHANGES, min_size=5, max_size=14)
SETTINGS: dict[str, Any] = {
    "phases": [phase for phase in Phase if phase is not Phase.shrink],
    "suppress_health_check": list(HealthCheck),
    "deadline": None,
    "database": None,
}


def happen(rounds: Rounds, event: tuple[Any, ...]) -> None:
    match event:
        case "create", receipt, words:
            rounds.create(receipt, words)
        case "run", receipt, words, seed, days:
            rounds.announce(receipt, words, seed=seed, days=days)
        case "label", receipt, (line, word), name, status:
            below = f"#LINE#{line:05d}#WORD#{word:05d}#LABEL#{name}"
            texts = {"label": name, "validation_status": status, "timestamp_added": rounds.time()}
            rounds.put(receipt, below, "RECEIPT_WORD_LABEL", **texts)
        case "unlabel", receipt, (line, word), name:
            rounds.remove(receipt, f"#LINE#{line:05d}#WORD#{word:05d}#LABEL#{name}")
        case "place", receipt, name:
            rounds.put(receipt, "#PLACE", "RECEIPT_PLACE", merchant_name=name)
        case "remove word", receipt, (line, word):
            rounds.remove(receipt, f"#LINE#{line:05d}#WORD#{word:05d}")
        case "delete", receipt:
            rounds.delete(receipt)
        case "plan", receipts:
            for collection in COLLECTIONS:
                rounds.plan(collection, receipts)
        case ("merge",):
            for collection in COLLECTIONS:
                rounds.merge(collection)


def check(rounds: Rounds, history: list[tuple[Any, ...]]) -> None:
    for event in [*BEGINNING, *history]:
        happen(rounds, event)
    rounds.merge_all()
    for collection in COLLECTIONS:
        assert rounds.differences(collection) == []
    for receipt in RECEIPTS:
        rounds.mark(receipt)
    versions = dict(rounds.pointers)
    rounds.merge_all()
    assert rounds.pointers == versions, "merging again what is merged makes a version"


@settings(max_examples=1, **SETTINGS)
@given(st.sampled_from([1, 2]), HISTORIES)
def test_rows_conserved_from_the_tables_to_the_files(
    new_rounds: NewRounds, shards: int, history: list[tuple[Any, ...]]
) -> None:
    check(new_rounds(shards), history)


@pytest.mark.slow
@settings(max_examples=40, **SETTINGS)
@given(st.sampled_from([1, 2]), HISTORIES)
def test_rows_conserved_from_the_tables_to_the_files_in_tens_of_histories(
    new_rounds: NewRounds, shards: int, history: list[tuple[Any, ...]]
) -> None:
    check(new_rounds(shards), history)

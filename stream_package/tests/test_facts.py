import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receipt_dynamo_stream import ReceiptId
from receipt_dynamo_stream.facts import LabelFact, ReceiptFacts, RunFact, SectionFact
from receipt_dynamo_stream.read_facts import facts_of

from .samples import IMAGE, LATER, NOW, NULL, item, number, run_item, text

RECEIPT = ReceiptId(IMAGE, 1)
LINE = "RECEIPT#00001#LINE#00001"


def facts(*items: dict[str, Any], receipt: dict[str, Any] | None = None, collection: str = "lines") -> ReceiptFacts:
    return facts_of(RECEIPT, receipt, items, collection)


def test_a_receipt_that_is_gone_has_facts_that_say_so() -> None:
    assert facts() == ReceiptFacts(RECEIPT)
    assert facts().exists is False


def test_lines_and_words_are_known_by_their_keys() -> None:
    found = facts(item(LINE), item(f"{LINE}#WORD#00002"), item(f"{LINE}#WORD#00002#LETTER#00001"))
    assert (found.lines, found.words) == ({1}, {(1, 2)})


def test_a_label_named_like_another_entity_is_a_label() -> None:
    found = facts(
        item(
            f"{LINE}#WORD#00002#LABEL#PLACE_NAME",
            validation_status="PENDING",
            label_proposed_by="model",
            timestamp_added="2026-07-28T12:00:00Z",
        ),
        item(f"{LINE}#WORD#00001#LABEL#TOTAL", label_proposed_by=NULL),
    )
    assert found.place is None
    assert found.labels == (
        LabelFact(1, 1, "TOTAL"),
        LabelFact(1, 2, "PLACE_NAME", "PENDING", "model", "2026-07-28T12:00:00Z"),
    )


def test_a_place_and_metadata_keep_their_relevant_text() -> None:
    found = facts(
        item("RECEIPT#00001#PLACE", merchant_name="TJ", phone_number=NULL, place_id="", website="x", TYPE="x"),
        item("RECEIPT#00001#METADATA", canonical_address="1 Main St", merchant_name=number(5)),
    )
    assert found.place == {"merchant_name": "TJ"}
    assert found.metadata == {"canonical_address": "1 Main St"}


@pytest.mark.parametrize(
    "line_ids", [{"L": [number(3), number("1.0")]}, {"NS": ["3", "1"]}, {"L": [number(1), number(3), number(1)]}]
)
def test_a_section_has_its_lines_in_order_however_they_are_written(line_ids: dict[str, Any]) -> None:
    section = item(
        "RECEIPT#00001#SECTION#HEADER", line_ids=line_ids, confidence=number("0.9"), validation_status="VALID"
    )
    assert facts(section).sections == (SectionFact("HEADER", (1, 3), "VALID", 0.9),)


@pytest.mark.parametrize("line_ids", [NULL, text("1"), {"L": [{"N": "x"}]}, {"L": [number("1.5"), text("2")]}])
def test_an_odd_section_has_no_lines_and_stops_nobody(line_ids: dict[str, Any]) -> None:
    assert facts(item("RECEIPT#00001#SECTION#HEADER", line_ids=line_ids)).sections == (SectionFact("HEADER"),)


def test_runs_are_seen_as_the_collection_sees_them_in_order_of_time() -> None:
    late = run_item(sk="RECEIPT#00001#COMPACTION_RUN#a", created_at=LATER, words_state="FAILED")
    early = run_item(
        sk="RECEIPT#00001#COMPACTION_RUN#b",
        created_at="2026-07-28T14:00:00+02:00",
        lines_state="COMPLETED",
        lines_merged_vectors={"N": "33"},
        lines_note="RecordsLeftOut: 1",
    )
    bare = item("RECEIPT#00001#COMPACTION_RUN#c", lines_delta_prefix=NULL)
    assert facts(late, early, bare, collection="lines").runs == (
        RunFact("", "c"),
        RunFact(NOW, "b", "lines/delta/b/", "COMPLETED", 33, "RecordsLeftOut: 1"),
        RunFact(LATER, "a", "lines/delta/a/", "PENDING"),
    )
    assert [run.state for run in facts(late, early, bare, collection="words").runs] == ["PENDING", "PENDING", "FAILED"]


@pytest.mark.parametrize(
    "spelling", [NOW, "2026-07-28T12:00:00Z", "2026-07-28T14:00:00+02:00", "2026-07-28T12:00:00", "2026-07-28 12:00:00"]
)
def test_the_time_of_a_receipt_compares_with_its_runs_however_it_is_written(spelling: str) -> None:
    found = facts(run_item(), receipt=item("RECEIPT#00001", timestamp_added=spelling))
    assert found.timestamp_added == found.runs[0].created_at == NOW


def test_items_of_other_receipts_and_unknown_items_are_ignored() -> None:
    others = [item("RECEIPT#00002#LINE#00001"), item(LINE, image="other"), item("RECEIPT#00001#ANALYSIS"), {}]
    assert facts(*others) == ReceiptFacts(RECEIPT)


times = st.sampled_from(["", NOW, LATER])
words = st.tuples(st.integers(0, 200_000), st.integers(0, 200_000))
short = st.text(max_size=4)
some_facts = st.builds(
    ReceiptFacts,
    receipt=st.just(RECEIPT),
    exists=st.booleans(),
    timestamp_added=st.none() | times,
    lines=st.frozensets(st.integers(0, 200_000), max_size=4),
    words=st.frozensets(words, max_size=4),
    place=st.none() | st.dictionaries(short, short, max_size=2),
    metadata=st.none() | st.dictionaries(short, short, max_size=2),
    labels=st.lists(st.builds(LabelFact, st.integers(0), st.integers(0), short), max_size=2).map(tuple),
    sections=st.lists(
        st.builds(SectionFact, short, st.lists(st.integers(0), max_size=3).map(tuple), short, st.floats(0, 1)),
        max_size=2,
    ).map(tuple),
    runs=st.lists(st.builds(RunFact, times, short, short, short, st.integers(0, 9), short), max_size=2).map(tuple),
)


@given(some_facts)
def test_facts_survive_json_exactly_and_equal_facts_have_equal_json(one: ReceiptFacts) -> None:
    written = json.dumps(one.to_json())
    assert ReceiptFacts.from_json(json.loads(written)) == one
    assert json.dumps(ReceiptFacts.from_json(json.loads(written)).to_json()) == written


@given(
    st.dictionaries(
        st.tuples(st.integers(1, 3), st.integers(1, 3), st.sampled_from(["A", "B"])),
        st.tuples(st.sampled_from(["VALID", "PENDING", ""]), st.decimals(0, 1, places=2)),
    ),
    st.randoms(),
)
def test_facts_do_not_depend_on_the_order_of_the_items(
    labels: dict[tuple[int, int, str], tuple[str, Decimal]], random: Any
) -> None:
    items = []
    for (line, word, name), (status, confidence) in labels.items():
        items.append(item(f"RECEIPT#00001#LINE#{line:05d}"))
        items.append(item(f"RECEIPT#00001#LINE#{line:05d}#WORD#{word:05d}"))
        items.append(item(f"RECEIPT#00001#LINE#{line:05d}#WORD#{word:05d}#LABEL#{name}", validation_status=status))
        items.append(item(f"RECEIPT#00001#SECTION#{name}", confidence=number(confidence)))
    unique = list({one["SK"]["S"]: one for one in items}.values())
    random.shuffle(unique)
    found = facts(*unique)
    assert found.words == {(line, word) for line, word, _ in labels}
    assert found.lines == {line for line, _, _ in labels}
    assert {(one.line_id, one.word_id, one.label): one.status for one in found.labels} == {
        key: status for key, (status, _) in labels.items()
    }
    assert [one.section_type for one in found.sections] == sorted({name for _, _, name in labels})

"""The package's answer against the naive one, and the laws that an answer must obey."""

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from receipt_chroma.records import Record
from receipt_chroma.wanted import VANISHED, RunDelta, wanted_records
from receipt_dynamo_stream.facts import LabelFact, ReceiptFacts, RunFact, SectionFact
from receipt_dynamo_stream.keys import line_record_id, word_record_id

from .naive_wanted import Naive, naive_wanted
from .samples import RECEIPT, vector

LINES = [1, 2, 3, 4]
WORDS = [1, 2]
TIMES = ["", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00+00:00", "2026-01-02T01:00:00+01:00", "2026-01-03T00:00:00"]
NAMES = ["DATE", "TAX", "TOTAL"]
STATUSES = ["VALID", "INVALID", "PENDING", "NEEDS_REVIEW", ""]
SHOPS = st.sampled_from(["", "Sprouts", "Costco"])

LABELS = st.lists(
    st.builds(
        LabelFact,
        st.sampled_from(LINES),
        st.sampled_from(WORDS),
        st.sampled_from(NAMES),
        st.sampled_from(STATUSES),
        st.sampled_from([None, "", "me", "you"]),
        st.sampled_from(TIMES),
    ),
    unique_by=lambda one: (one.line_id, one.word_id, one.label),
    max_size=8,
)
SECTION = st.builds(
    SectionFact,
    st.sampled_from(["HEADER", "ITEMS", "TOTALS"]),
    st.sampled_from([(1, 2, 3, 4), (1, 2, 3), (1, 2), (3, 4), (2,), ()]),
    st.sampled_from(["VALID", "PENDING", *STATUSES]),
    st.sampled_from([0.0, 0.5, 0.9]),
)
# Two sections or three, since alone they decide nothing.
SECTIONS = st.just([]) | st.lists(SECTION, unique_by=lambda one: one.section_type, min_size=2, max_size=3)
PLACES = st.none() | st.dictionaries(st.sampled_from(["merchant_name", "formatted_address", "place_id"]), SHOPS)
METADATAS = st.none() | st.dictionaries(
    st.sampled_from(["merchant_name", "canonical_merchant_name", "address", "canonical_address", "phone_number"]), SHOPS
)
MEMBERS = st.none() | st.lists(st.sampled_from([*LINES, 9]), max_size=3).map(lambda lines: str(lines))


@st.composite
def record(draw: st.DrawFn, collection: str) -> Record:
    line = draw(st.sampled_from(LINES))
    if collection == "words":
        record_id = word_record_id(RECEIPT, line, draw(st.sampled_from(WORDS)))
    else:
        record_id = line_record_id(RECEIPT, line)
    metadata: dict[str, Any] = {"text": draw(st.sampled_from(["MILK", "EGGS"]))}
    if draw(st.booleans()):
        metadata |= {"merchant_name": "of the delta", "label_status": "validated", "section_label": "of the delta"}
    if collection == "lines" and (members := draw(MEMBERS)) is not None:
        metadata["row_line_ids"] = members
    return Record(record_id, vector(draw(st.integers(0, 3))), draw(st.sampled_from([None, "", "MILK"])), metadata)


@st.composite
def situations(draw: st.DrawFn) -> tuple[str, ReceiptFacts, list[RunDelta], list[Record]]:
    collection = draw(st.sampled_from(["words", "lines"]))
    records = st.lists(record(collection), max_size=5, unique_by=lambda one: one.id)
    deltas = []
    for number in range(draw(st.integers(0, 4))):
        state = draw(st.sampled_from(["PENDING", "COMPLETED", "COMPLETED", "FAILED"]))
        fact = RunFact(draw(st.sampled_from(TIMES[1:])), f"run-{number}", "prefix/", state)
        gone = state == "COMPLETED" and draw(st.booleans())
        deltas.append(RunDelta(fact, VANISHED if gone else draw(records)))
    facts = ReceiptFacts(
        receipt=RECEIPT,
        exists=draw(st.sampled_from([True, True, True, False])),
        timestamp_added=draw(st.sampled_from([None, *TIMES[1:]])),
        lines=draw(st.frozensets(st.sampled_from(LINES))),
        words=draw(st.frozensets(st.tuples(st.sampled_from(LINES), st.sampled_from(WORDS)))),
        place=draw(PLACES),
        metadata=draw(METADATAS),
        labels=tuple(draw(LABELS)),
        sections=tuple(draw(SECTIONS)),
        runs=tuple(delta.run for delta in deltas),
    )
    return collection, facts, deltas, draw(records)


def plain(records: Any) -> Naive:
    return {one.id: (one.embedding.tobytes(), one.document, one.metadata) for one in records}


@settings(max_examples=300)
@given(situations())
def test_rows_conserved_the_wanted_records_are_those_of_the_naive_model(
    situation: tuple[str, ReceiptFacts, list[RunDelta], list[Record]],
) -> None:
    collection, facts, deltas, existing = situation
    found = wanted_records(deltas, facts, collection).resolve({one.id: one for one in existing})
    naive_deltas = [(one.run, None if one.records is VANISHED else plain(one.records)) for one in deltas]
    assert plain(found.values()) == naive_wanted(naive_deltas, facts, collection, plain(existing))


@settings(max_examples=200)
@given(SECTIONS, st.lists(st.sampled_from(LINES), unique=True, min_size=1))
def test_the_section_of_a_row_is_that_of_the_naive_model(sections: list[SectionFact], members: list[int]) -> None:
    facts = ReceiptFacts(RECEIPT, True, lines=frozenset(members), sections=tuple(sections))
    row = Record(line_record_id(RECEIPT, members[0]), vector(1), None, {"row_line_ids": str(members)})
    delta = RunDelta(RunFact(TIMES[1], "run"), [row])
    found = wanted_records([delta], facts, "lines").records
    assert plain(found.values()) == naive_wanted([(delta.run, plain([row]))], facts, "lines", {})


@given(situations(), st.randoms(use_true_random=False))
def test_no_order_of_runs_labels_or_sections_changes_the_answer(
    situation: tuple[str, ReceiptFacts, list[RunDelta], list[Record]], random: random.Random
) -> None:
    collection, facts, deltas, existing = situation
    shuffled = [random.sample(some, len(some)) for some in (deltas, facts.labels, facts.sections)]
    other = ReceiptFacts(
        facts.receipt,
        facts.exists,
        facts.timestamp_added,
        facts.lines,
        facts.words,
        facts.place,
        facts.metadata,
        tuple(shuffled[1]),
        tuple(shuffled[2]),
        facts.runs,
    )
    before = {one.id: one for one in existing}
    one, two = wanted_records(deltas, facts, collection), wanted_records(shuffled[0], other, collection)
    assert plain(one.resolve(before).values()) == plain(two.resolve(before).values())
    assert one.sources == two.sources


@given(situations())
def test_merging_again_what_was_merged_changes_nothing(
    situation: tuple[str, ReceiptFacts, list[RunDelta], list[Record]],
) -> None:
    collection, facts, deltas, existing = situation
    wanted = wanted_records(deltas, facts, collection)
    once = wanted.resolve({one.id: one for one in existing})
    assert plain(wanted.resolve(once).values()) == plain(once.values())

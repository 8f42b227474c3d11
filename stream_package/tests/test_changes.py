from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receipt_dynamo_stream import Change, FieldChange, ReceiptId, detect_change, parse_stream_record

from .samples import IMAGE, NULL, SORT_KEYS, number, stream_record, text

BOTH = {"lines", "words"}

# Written by hand from the design: what each entity touches, and the fields whose change matters.
EXPECTED: dict[str, tuple[set[str], tuple[str, ...]]] = {
    "RECEIPT": (BOTH, ()),
    "RECEIPT_LINE": ({"lines"}, ()),
    "RECEIPT_WORD": ({"words"}, ()),
    "RECEIPT_WORD_LABEL": (
        BOTH,
        ("reasoning", "validation_status", "label_proposed_by", "label_consolidated_from"),
    ),
    "RECEIPT_PLACE": (BOTH, ("merchant_name", "merchant_category", "formatted_address", "phone_number", "place_id")),
    "RECEIPT_METADATA": (
        BOTH,
        (
            *("merchant_name", "merchant_category", "address", "phone_number", "place_id"),
            *("canonical_merchant_name", "canonical_merchant_category", "canonical_address"),
            *("canonical_phone_number", "canonical_place_id"),
        ),
    ),
    "RECEIPT_SECTION": ({"lines"}, ("validation_status",)),
    "COMPACTION_RUN": (BOTH, ()),
}
OTHER_FIELDS = ("text", "timestamp_added", "updated_at", "lines_state", "words_state", "lines_delta_prefix", "width")


def detect(event: str, sk: str, **images: dict[str, Any]) -> Change | None:
    return detect_change(parse_stream_record(stream_record(event, sk, **images)))


@pytest.mark.parametrize("event", ["INSERT", "REMOVE"])
@pytest.mark.parametrize("entity_type", EXPECTED)
def test_insert_and_remove_of_every_entity_are_changes(entity_type: str, event: str) -> None:
    change = detect(event, SORT_KEYS[entity_type])
    assert change is not None
    assert change.receipt == ReceiptId(IMAGE, 1)
    assert change.collections == EXPECTED[entity_type][0]
    assert change.reason == f"{event} {entity_type}"


@pytest.mark.parametrize(("entity_type", "field"), [(one, field) for one in EXPECTED for field in EXPECTED[one][1]])
def test_a_modify_of_a_relevant_field_is_a_change(entity_type: str, field: str) -> None:
    change = detect("MODIFY", SORT_KEYS[entity_type], old={field: "before"}, new={field: "after"})
    assert change is not None
    assert change.fields == {field: FieldChange("before", "after")}
    assert change.collections == EXPECTED[entity_type][0]


@pytest.mark.parametrize("field", OTHER_FIELDS)
@pytest.mark.parametrize("entity_type", EXPECTED)
def test_a_modify_of_any_other_field_is_no_change(entity_type: str, field: str) -> None:
    assert detect("MODIFY", SORT_KEYS[entity_type], old={field: "before"}, new={field: "after"}) is None


def test_a_runs_own_state_writes_give_nothing() -> None:
    before = {"lines_state": "PENDING", "lines_merged_vectors": number(0), "lines_error": NULL}
    after = {"lines_state": "COMPLETED", "lines_merged_vectors": number(33), "lines_finished_at": "2026-07-28"}
    assert detect("MODIFY", SORT_KEYS["COMPACTION_RUN"], old=before, new=after) is None


def test_an_insert_names_the_values_it_brings() -> None:
    change = detect("INSERT", SORT_KEYS["RECEIPT_WORD_LABEL"], new={"validation_status": "PENDING", "reasoning": NULL})
    assert change is not None
    assert change.fields == {
        "label": FieldChange(None, "GRAND_TOTAL"),
        "validation_status": FieldChange(None, "PENDING"),
    }


def test_a_section_that_moves_is_a_change_of_its_lines() -> None:
    change = detect(
        "MODIFY",
        SORT_KEYS["RECEIPT_SECTION"],
        old={"line_ids": {"L": [number(1)]}, "confidence": number("0.5")},
        new={"line_ids": {"L": [number(1), number(2)]}, "confidence": number("0.50")},
    )
    assert change is not None
    assert change.fields == {"line_ids": FieldChange((1,), (1, 2))}


@pytest.mark.parametrize(
    ("entity_type", "field", "old", "new"),
    [
        ("RECEIPT_SECTION", "confidence", number(1), number("1.0")),
        ("RECEIPT_SECTION", "confidence", number("0.9"), number("9E-1")),
        ("RECEIPT_SECTION", "line_ids", {"L": [number(1), number(2)]}, {"L": [number(2), number("1.0")]}),
        ("RECEIPT_SECTION", "line_ids", {"L": [number(1), number(2)]}, {"NS": ["2", "1"]}),
        ("RECEIPT_SECTION", "line_ids", {"L": []}, NULL),
        ("RECEIPT_WORD_LABEL", "label_consolidated_from", {"SS": ["a", "b"]}, {"SS": ["b", "a"]}),
        ("RECEIPT_WORD_LABEL", "label_consolidated_from", {"SS": ["a", "b"]}, {"L": [text("b"), text("a")]}),
        ("RECEIPT_PLACE", "phone_number", NULL, text("")),
    ],
)
def test_an_equal_value_in_another_spelling_is_no_change(entity_type: str, field: str, old: Any, new: Any) -> None:
    sk = SORT_KEYS[entity_type]
    assert detect("MODIFY", sk, old={field: old}, new={field: new}) is None
    assert detect("MODIFY", sk, old={field: new}, new={field: old}) is None


@pytest.mark.parametrize("absent", [{}, {"place_id": NULL}, {"place_id": text("")}])
def test_absent_null_and_empty_are_one_value(absent: dict[str, Any]) -> None:
    place = SORT_KEYS["RECEIPT_PLACE"]
    assert detect("MODIFY", place, old=absent, new={}) is None
    change = detect("MODIFY", place, old=absent, new={"place_id": "ChIJ"})
    assert change is not None
    assert change.fields == {"place_id": FieldChange(None, "ChIJ")}


def test_an_unknown_entity_is_no_change() -> None:
    assert detect("INSERT", "RECEIPT#00001#ANALYSIS") is None


fields = st.sampled_from(sorted({field for _, relevant in EXPECTED.values() for field in relevant} | set(OTHER_FIELDS)))
images = st.dictionaries(fields, st.sampled_from([NULL, text(""), text("a"), text("b")]), max_size=5)


@given(st.sampled_from(sorted(EXPECTED)), images, images)
def test_a_modify_is_a_change_exactly_when_a_naive_comparison_finds_one(
    entity_type: str, old: dict[str, Any], new: dict[str, Any]
) -> None:
    def value(image: dict[str, Any], field: str) -> str | None:
        return image.get(field, {}).get("S") or None

    differing = {
        field: FieldChange(value(old, field), value(new, field))
        for field in EXPECTED[entity_type][1]
        if value(old, field) != value(new, field)
    }
    change = detect("MODIFY", SORT_KEYS[entity_type], old=old, new=new)
    assert (change.fields if change else {}) == differing
    backwards = detect("MODIFY", SORT_KEYS[entity_type], old=new, new=old)
    assert (backwards is None) == (change is None)

"""The metadata rules of the naive model, each against an answer that a person wrote down."""

from typing import Any

import pytest

from local.demo.naive.metadata import line_metadata, word_metadata
from local.demo.naive.table import TableReceipt


def receipt(**parts: Any) -> TableReceipt:
    return TableReceipt("a", 1, fields={}, **parts)


def label(status: str, at: str = "2026-07-01", by: str | None = "user") -> dict[str, Any]:
    return {"validation_status": status, "timestamp_added": at, "label_proposed_by": by}


def section(status: str, lines: list[int], confidence: float = 0.5) -> dict[str, Any]:
    return {"validation_status": status, "line_ids": lines, "confidence": confidence}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, {"label_status": "unvalidated"}),
        ({"DATE": label("INVALID")}, {"label_status": "unvalidated", "invalid_labels_array": ["DATE"]}),
        ({"DATE": label("NEEDS_REVIEW")}, {"label_status": "unvalidated"}),
        ({"DATE": label("PENDING")}, {"label_status": "auto_suggested", "label_proposed_by": "user"}),
        ({"DATE": label("PENDING", by=None)}, {"label_status": "auto_suggested"}),
        (
            {"DATE": label("PENDING", "2026-07-02", "b"), "TIME": label("PENDING", "2026-07-01", "a")},
            {"label_status": "auto_suggested", "label_proposed_by": "b"},
        ),
        (
            {"TOTAL": label("VALID", "2026-07-03"), "DATE": label("VALID", "2026-07-04"), "TAX": label("PENDING")},
            {
                "label_status": "validated",
                "valid_labels_array": ["DATE", "TOTAL"],
                "label_validated_at": "2026-07-04",
                "label_proposed_by": "user",
            },
        ),
    ],
)
def test_a_words_labels(labels: dict[str, Any], expected: dict[str, Any]) -> None:
    assert word_metadata(receipt(labels={(1, 2): labels}), {}, 1, 2) == expected


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ({}, {}),
        (
            {"PLACE": {"merchant_name": "Oak", "formatted_address": "1 Main"}, "METADATA": {"phone_number": "1"}},
            {"merchant_name": "Oak", "address": "1 Main"},
        ),
        (
            {"METADATA": {"merchant_name": "OAK", "canonical_merchant_name": "Oak", "address": "A",
                          "canonical_address": None, "place_id": "p", "phone_number": ""}},
            {"merchant_name": "Oak", "address": "A", "place_id": "p"},
        ),
    ],
)  # fmt: skip
def test_merchant_and_address_come_from_one_place_item(places: dict[str, Any], expected: dict[str, Any]) -> None:
    assert word_metadata(receipt(places=places), {"merchant_name": "OLD"}, 1, 1) == {
        "label_status": "unvalidated",
        **expected,
    }


def test_what_a_delta_says_under_the_tables_keys_is_ignored_and_the_rest_is_kept() -> None:
    delta = {"label_status": "validated", "address": "x", "valid_labels_array": ["A"], "text": "MILK", "left": ""}
    assert word_metadata(receipt(), delta, 1, 1) == {"label_status": "unvalidated", "text": "MILK", "left": ""}


@pytest.mark.parametrize(
    ("given", "expected"),
    [("[4, 3]", "[3,4]"), ("[3,9]", "[3]"), (None, "[3]"), ("", "[3]")],
)
def test_a_row_has_the_members_that_still_exist(given: str | None, expected: str) -> None:
    delta = {"row_line_ids": given}
    assert line_metadata(receipt(lines={3, 4}), delta, 3)["row_line_ids"] == expected


def test_a_row_has_the_labels_of_all_its_words_and_valid_somewhere_is_not_invalid() -> None:
    table = receipt(
        lines={3, 4, 5},
        words={(3, 1), (4, 1)},
        labels={
            (3, 1): {"DATE": label("VALID"), "TAX": label("INVALID")},
            (4, 1): {"DATE": label("INVALID"), "TIME": label("INVALID")},
            (4, 2): {"GONE": label("VALID")},
            (5, 1): {"ELSEWHERE": label("VALID")},
        },
    )
    row = line_metadata(table, {"row_line_ids": "[3,4]"}, 3)
    assert row["valid_labels_array"] == ["DATE"]
    assert row["invalid_labels_array"] == ["TAX", "TIME"]
    assert row["label_status"] == "validated"


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({}, None),
        ({"ITEMS": section("VALID", [3, 4])}, "ITEMS"),
        ({"ITEMS": section("INVALID", [3, 4])}, None),
        ({"ITEMS": section("VALID", [3]), "TOTALS": section("VALID", [4])}, None),
        ({"ITEMS": section("VALID", [3, 4], 0.1), "TOTALS": section("PENDING", [3, 4], 0.9)}, "ITEMS"),
        ({"ITEMS": section("PENDING", [3, 4], 0.1), "TOTALS": section("NEEDS_REVIEW", [3, 4], 0.9)}, "ITEMS"),
        ({"ITEMS": section("VALID", [3, 4], 0.1), "TOTALS": section("VALID", [3, 4], 0.9)}, "TOTALS"),
        ({"ITEMS": section("VALID", [3, 4], 0.9), "TOTALS": section("VALID", [4], 0.9)}, "ITEMS"),
    ],
)
def test_a_rows_section_is_what_most_of_its_lines_are_in(sections: dict[str, Any], expected: str | None) -> None:
    row = line_metadata(receipt(lines={3, 4}, sections=sections), {"row_line_ids": "[3,4]"}, 3)
    assert row.get("section_label") == expected

"""The stream mapping's filter."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.errors import FilterError
from local.mapping.filters import ENTITY_TYPES, RECEIPT_CHANGES, check_pattern, matches


def record(event_name: str, old: str | None, new: str | None) -> dict[str, Any]:
    images = {"OldImage": old, "NewImage": new}
    dynamodb = {name: {"TYPE": {"S": value}, "n": {"N": "1"}} for name, value in images.items() if value is not None}
    return {"eventName": event_name, "dynamodb": {"Keys": {"PK": {"S": "IMAGE#1"}}, **dynamodb}}


@given(st.sampled_from(ENTITY_TYPES), st.sampled_from(["INSERT", "MODIFY", "REMOVE"]))
def test_a_receipts_items_pass_whatever_happens_to_them(entity: str, event_name: str) -> None:
    old = None if event_name == "INSERT" else entity
    new = None if event_name == "REMOVE" else entity
    assert matches(record(event_name, old, new), RECEIPT_CHANGES)


@given(st.text() | st.sampled_from(["RECEIPT_LETTER", "IMAGE", "receipt"]))
def test_an_item_of_another_type_does_not_pass(entity: str) -> None:
    assert matches(record("INSERT", None, entity), RECEIPT_CHANGES) == (entity in ENTITY_TYPES)


def test_an_item_without_a_type_does_not_pass() -> None:
    assert not matches({"dynamodb": {"NewImage": {"PK": {"S": "x"}}}}, RECEIPT_CHANGES)


def test_without_patterns_everything_passes() -> None:
    assert matches(record("INSERT", None, "IMAGE"), ())


def test_every_field_of_a_pattern_must_match() -> None:
    pattern = {"eventName": ["REMOVE"], "dynamodb": {"OldImage": {"TYPE": {"S": ["RECEIPT"]}}}}
    assert matches(record("REMOVE", "RECEIPT", None), [pattern])
    assert not matches(record("MODIFY", "RECEIPT", "RECEIPT"), [pattern])
    assert not matches(record("REMOVE", "IMAGE", None), [pattern])


@pytest.mark.parametrize(("prefix", "passes"), [("RECEIPT", True), ("IMAGE", False), ("", True)])
def test_a_prefix_looks_at_the_beginning(prefix: str, passes: bool) -> None:
    pattern = {"dynamodb": {"NewImage": {"TYPE": {"S": [{"prefix": prefix}]}}}}
    assert matches(record("INSERT", None, "RECEIPT_WORD"), [pattern]) is passes


def test_exists_looks_at_leaves_only() -> None:
    there, not_there = ({"dynamodb": {"NewImage": {"n": {"N": [{"exists": want}]}}}} for want in (True, False))
    assert matches(record("INSERT", None, "RECEIPT"), [there])
    assert not matches(record("REMOVE", "RECEIPT", None), [there])
    assert matches(record("REMOVE", "RECEIPT", None), [not_there])
    assert not matches(record("INSERT", None, "RECEIPT"), [{"dynamodb": {"NewImage": [{"exists": True}]}}])


def test_numbers_and_truth_values_are_not_mixed_up() -> None:
    assert not matches({"n": True}, [{"n": [1]}])
    assert matches({"n": None}, [{"n": [None]}])


@pytest.mark.parametrize(
    "pattern",
    [{"a": []}, {"a": "x"}, {"a": [{"numeric": [">", 1]}]}, {"a": {"b": [{"anything-but": ["x"]}]}}, {"a": 1}],
)
def test_a_pattern_the_poller_cannot_honour_is_refused(pattern: dict[str, Any]) -> None:
    with pytest.raises(FilterError):
        check_pattern(pattern)


def test_the_mappings_own_patterns_are_understood() -> None:
    for pattern in RECEIPT_CHANGES:
        check_pattern(pattern)

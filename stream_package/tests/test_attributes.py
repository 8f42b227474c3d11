from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receipt_dynamo_stream.attributes import (
    AttributeProblem,
    decode,
    decode_item,
    float_of,
    int_of,
    number,
    parse_number,
    text_of,
)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ({"S": "text"}, "text"),
        ({"S": ""}, ""),
        ({"N": "1"}, 1),
        ({"N": "1.0"}, 1),
        ({"N": "0.95"}, Decimal("0.95")),
        ({"N": "-1E+3"}, -1000),
        ({"N": "0E+999"}, 0),
        ({"BOOL": True}, True),
        ({"NULL": True}, None),
        ({"L": [{"N": "2"}, {"S": "a"}]}, [2, "a"]),
        ({"M": {"a": {"L": []}}}, {"a": []}),
        ({"SS": ["b", "a"]}, frozenset({"a", "b"})),
        ({"NS": ["1", "2.5"]}, frozenset({1, Decimal("2.5")})),
        ({"B": "aGVsbG8="}, b"hello"),
        ({"B": b"hello"}, b"hello"),
        ({"BS": ["aGVsbG8=", b"x"]}, frozenset({b"hello", b"x"})),
    ],
)
def test_every_type_of_dynamodb_is_decoded(attribute: dict[str, Any], value: object) -> None:
    found = decode(attribute)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "attribute",
    [
        None,
        "text",
        {},
        {"S": 1},
        {"S": "a", "N": "1"},
        {"N": 1},
        {"N": "one"},
        {"N": "NaN"},
        {"N": "Infinity"},
        {"N": "1E+999999999"},
        {"N": "9" * 1000},
        {"N": "١"},
        {"BOOL": "true"},
        {"L": {"S": "a"}},
        {"M": []},
        {"SS": [1]},
        {"NS": ["x"]},
        {"B": "not base64!"},
        {"B": "é"},
        {"B": 5},
        {"X": "?"},
    ],
)
def test_what_dynamodb_cannot_have_written_is_a_problem(attribute: object) -> None:
    with pytest.raises(AttributeProblem):
        decode(attribute)


def test_nesting_without_end_is_a_problem_and_not_a_crash() -> None:
    nested: dict[str, Any] = {"S": "deep"}
    for _ in range(5000):
        nested = {"L": [nested]}
    with pytest.raises(AttributeProblem, match="nested"):
        decode(nested)


def test_a_problem_in_an_item_names_the_attribute() -> None:
    assert decode_item({"a": {"S": "x"}, "b": {"N": "2"}}) == {"a": "x", "b": 2}
    with pytest.raises(AttributeProblem, match="attribute b: "):
        decode_item({"a": {"S": "x"}, "b": {"N": "x"}})


def test_getters_take_an_attribute_of_another_type_as_absent() -> None:
    item = {"null": {"NULL": True}, "empty": {"S": ""}, "text": {"S": "a"}, "one": {"N": "1.0"}, "bad": {"N": "x"}}
    assert [text_of(item, name) for name in ("null", "empty", "text", "one", "none")] == [None, None, "a", None, None]
    assert [int_of(item, name, 7) for name in ("one", "null", "text", "none", "bad")] == [1, 7, 7, 7, 7]
    assert [float_of(item, name) for name in ("one", "null", "bad")] == [1.0, 0.0, 0.0]


@given(st.floats(min_value=1e-100, max_value=1e100) | st.integers(-(10**30), 10**30))
def test_numbers_are_read_back_exactly(value: float) -> None:
    assert parse_number(number(value)["N"]) == Decimal(repr(value))

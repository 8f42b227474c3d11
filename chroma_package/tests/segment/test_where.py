"""What filters mean, said in single cases; test_where_against_chroma holds that Chroma means the same."""

from typing import Any

import pytest
from receipt_chroma.errors import RegexUnsupported
from receipt_chroma.segment.document_regex import document_regex
from receipt_chroma.segment.operands import OperandRefused, as_integer, float_of, operand_of, operands_of
from receipt_chroma.segment.where import compile_where, matching

from ..samples import word


def selects(where: Any, **metadata: Any) -> bool:
    return compile_where(where)(None, metadata)


def finds(pattern: str, document: str) -> bool:
    return document_regex(pattern)(document)


def test_no_filter_selects_everything() -> None:
    assert compile_where()(None, {})


def test_a_missing_key_is_unequal_to_everything_and_equal_to_nothing() -> None:
    for operand in (1, 1.5, True, "a"):
        assert selects({"k": {"$ne": operand}})
        assert selects({"k": {"$nin": [operand]}})
        assert not selects({"k": operand})
        assert not selects({"k": {"$in": [operand]}})
    assert selects({"k": {"$not_contains": 1}})
    assert not selects({"k": {"$lt": 1}})
    assert not selects({"k": {"$gte": 1}})


def test_booleans_are_no_integers() -> None:
    assert not selects({"k": 1}, k=True)
    assert not selects({"k": True}, k=1)
    assert not selects({"k": {"$gte": 0}}, k=True)
    assert not selects({"k": {"$in": [1]}}, k=True)
    assert not selects({"k": {"$in": [True]}}, k=1)
    assert not selects({"k": {"$contains": 1}}, k=[True])


def test_integers_and_floats_are_one_kind_outside_of_lists() -> None:
    assert selects({"k": 1}, k=1.0)
    assert selects({"k": 1.0}, k=1)
    assert selects({"k": {"$in": [1]}}, k=1.0)
    assert not selects({"k": {"$contains": 1}}, k=[1.0])
    assert not selects({"k": {"$contains": 1.0}}, k=[1])


def test_a_fraction_is_cut_off_before_an_integer_is_compared_with_it() -> None:
    assert selects({"k": 1.5}, k=1)
    assert not selects({"k": {"$lt": 1.5}}, k=1)
    assert selects({"k": {"$gte": 1.5}}, k=1)
    assert selects({"k": -1.5}, k=-1)
    assert not selects({"k": {"$gt": -1.5}}, k=-1)


def test_a_list_is_asked_by_contains_alone() -> None:
    assert selects({"k": {"$contains": "a"}}, k=["a", "b"])
    assert not selects({"k": "a"}, k=["a"])
    assert not selects({"k": {"$in": ["a"]}}, k=["a"])
    assert selects({"k": {"$ne": "a"}}, k=["a"])
    assert not selects({"k": {"$contains": "a"}}, k="a")


def test_both_filters_have_to_select_a_record() -> None:
    both = compile_where({"k": 1}, {"$contains": "a"})
    assert both("a", {"k": 1})
    assert not both("b", {"k": 1})
    assert not both("a", {})


def test_a_record_without_a_document_contains_nothing() -> None:
    assert not compile_where(None, {"$contains": "a"})(None, {})
    assert not compile_where(None, {"$regex": "a*"})(None, {})
    assert compile_where(None, {"$not_contains": "a"})(None, {})
    assert compile_where(None, {"$not_regex": "a"})(None, {})


def test_the_document_can_be_asked_by_its_two_internal_keys() -> None:
    assert compile_where({"chroma:document": "a"})("a", {})
    assert compile_where({"chroma:document": {"$in": ["a"]}})("a", {})
    assert compile_where({"#document": {"$contains": "a"}})("bab", {})
    with pytest.raises(ValueError, match="no index"):
        compile_where({"#document": "a"})


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"k": 1, "z": 1},
        {"k": None},
        {"k": [1]},
        {"k": {"$gt": "a"}},
        {"k": {"$gt": True}},
        {"k": {"$in": []}},
        {"k": {"$in": [1, "a"]}},
        {"k": {"$in": [1, True]}},
        {"k": {"$eq": [1]}},
        {"k": {"$foo": 1}},
        {"k": float("nan")},
        {"k": 2**63},
        {"k": "\ud800"},
        {"$and": [{"k": 1}]},
        {"$gt": 1},
        [],
    ],
)
def test_what_chroma_refuses_is_refused(where: Any) -> None:
    with pytest.raises(ValueError):
        compile_where(where)


def test_ids_narrow_what_a_filter_selects() -> None:
    records = [word(1, number, n=number) for number in range(1, 5)]
    even = compile_where({"n": {"$in": [2, 4]}})
    assert matching(records, even).tolist() == [False, True, False, True]
    assert matching(records, even, [records[0].id, records[1].id, "none"]).tolist() == [False, True, False, False]
    assert matching(records, even, []).tolist() == [False] * 4
    assert matching([], even).shape == (0,)


def test_an_operand_is_the_number_that_chroma_reads() -> None:
    assert operand_of(2**64) == float(2**64)
    assert isinstance(operand_of(-(2**63) - 1), float)
    assert float_of("0.1") == 0.1
    assert float_of("-1e-05") == -1e-05
    assert float_of("9.15424598773332e-09") != 9.15424598773332e-09  # a neighbour: two roundings
    assert float_of("5e-324") == 5e-324
    assert float_of("1" * 25) == float("1" * 25)
    assert as_integer(1e30) == 2**63 - 1
    assert as_integer(-1.9) == -1
    for refused in ("1e400", "NaN", "Infinity"):
        with pytest.raises(OperandRefused):
            float_of(refused)


def test_the_first_operand_of_in_decides_the_kind() -> None:
    assert operands_of([2**64, 1]) == [float(2**64), 1.0]
    for refused in ([1, 2**64], [1, 1.0], [True, 1], [None], [[1]], [2**64, True]):
        with pytest.raises(OperandRefused):
            operands_of(refused)


def test_the_end_of_a_document_is_its_very_end() -> None:
    assert finds("a$", "ba")
    assert not finds("a$", "a\n")
    assert finds("(?m)a$", "a\nb")


def test_classes_follow_unicode_as_rust_does() -> None:
    assert finds(r"^\w$", "ä")
    assert finds(r"^\w$", "\u0301")
    assert not finds(r"\w", "½")
    assert finds(r"\d", "٣")
    assert not finds(r"\s", "\x1c")
    assert finds(r"\s", "\u2003")
    assert finds(r"\bää\b", "x ää.")
    assert not finds(r"\bä", "xä")


def test_case_is_folded_simply() -> None:
    assert finds("(?i)STRAßE", "straẞe")
    assert not finds("(?i)strasse", "straße")
    assert not finds("(?i)i", "İı")
    assert finds("(?i)k", "\u212a")
    assert finds("(?i)[^a-y]", "z")


def test_a_class_that_is_empty_in_ascii_finds_other_characters() -> None:
    assert finds(r"[^\W\x00-\x7f]+", "aä")
    assert not finds(r"[^\W\x00-\x7f]", "a")
    assert finds(r"x|ä*y", "y")


@pytest.mark.parametrize(
    "pattern", ["(", ")", "*a", "a|+", "(?=a)", r"(a)\1", "[z-a]", "a{2,1}", "a\\", "[]", r"[^\d\D]"]
)
def test_patterns_that_rust_refuses_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError):
        document_regex(pattern)


@pytest.mark.parametrize(
    "pattern", [r"\p{Lu}", "[[:alpha:]]", "[a&&b]", "(?x)a", "a(?i)b", "a**", "^*", r"\b{start}", "a{101}", r"\x{61}"]
)
def test_patterns_that_cannot_be_said_here_are_named(pattern: str) -> None:
    with pytest.raises(RegexUnsupported):
        document_regex(pattern)

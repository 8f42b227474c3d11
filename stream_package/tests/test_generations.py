"""Names of generations: a collection's own for the first, then a number that is never used again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receipt_dynamo_stream.generations import collection_of, generation_name, number_of
from receipt_dynamo_stream.grain import grain_of, is_collection


@given(st.sampled_from(["lines", "words"]), st.integers(1, 10**8))
def test_a_name_says_its_collection_and_its_number(collection: str, number: int) -> None:
    name = generation_name(collection, number)
    assert (collection_of(name), number_of(name)) == (collection, number)
    assert grain_of(name) == grain_of(collection)
    assert (name == collection) == (number == 1)


@pytest.mark.parametrize("name", ["words-1", "words-0", "words-02", "words-", "-2", "Words", "words-2-3", "", "wörter"])
def test_what_is_no_such_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no collection and no generation"):
        number_of(name)
    assert not is_collection(name)


@pytest.mark.parametrize(("collection", "number"), [("words", 0), ("words-2", 2)])
def test_there_is_no_generation_of_a_generation(collection: str, number: int) -> None:
    with pytest.raises(ValueError, match="no generation"):
        generation_name(collection, number)


def test_a_name_of_another_collection_has_no_grain() -> None:
    assert not is_collection("pages-2")
    assert is_collection("lines-2")

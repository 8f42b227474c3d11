import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.demo.samples.embedding import DIMENSION, embed_in_context, embed_text

texts = st.text(max_size=40)
dimensions = st.sampled_from([1, 2, 16, 64])


@given(texts, dimensions)
def test_every_text_gives_a_finite_unit_vector_of_float32(text: str, dimension: int) -> None:
    vector = embed_text(text, dimension)
    assert vector.shape == (dimension,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)


@given(texts, st.sampled_from([16, 64]))
def test_a_text_in_context_is_a_unit_vector_and_stays_nearest_to_itself(text: str, dimension: int) -> None:
    vector = embed_in_context(text, "total amount due", dimension)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)
    assert vector @ embed_text(text, dimension) > 0.9


def test_the_usual_dimension_is_that_of_the_production_model() -> None:
    assert embed_text("milk").shape == (DIMENSION,) == (1536,)


def test_vectors_do_not_depend_on_the_process() -> None:
    # pinned: a hash that differs between runs would make two producers disagree
    assert embed_text("coffee", 8).tolist() == pytest.approx(np.array([1, 0, 2, 0, 1, -3, -1, 2]) / np.sqrt(20))


def test_the_shared_vector_cannot_be_changed_by_who_got_it() -> None:
    with pytest.raises(ValueError, match="read-only"):
        embed_text("milk")[0] = 1.0


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("COFFEE", "ground coffee", "paper towels"),
        ("total due", "TOTAL", "ibuprofen"),
        ("banana", "ORG BANANAS", "drill bit"),
        ("croissant", "ALMOND CROISSANT", "SUBTOTAL"),
    ],
)
def test_words_that_look_alike_are_nearer(text: str, near: str, far: str) -> None:
    vector = embed_text(text)
    assert vector @ embed_text(near) > vector @ embed_text(far) + 0.2


def test_case_does_not_matter_and_word_order_does_not_either() -> None:
    assert np.array_equal(embed_text("Whole MILK"), embed_text("whole milk"))
    assert embed_text("milk whole") @ embed_text("whole milk") == pytest.approx(1.0, abs=1e-5)

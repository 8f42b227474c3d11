"""Whether a collection's vectors are of an embedder's making, found by asking its records."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from receipt_chroma.records import Record

from console.embedding import SAMPLES, named_embedder, sample_embedder
from local.demo.samples.embedding import embed_in_context, embed_text
from operate.contents.embedder import Embedder
from operate.errors import EmbedderUnfit, UsageError

TEXTS = ("ORG", "BANANAS", "1.29", "TOTAL", "12.99")


def other(texts: Sequence[str], dimension: int | None) -> list[list[float]]:
    return [np.random.default_rng(list(text.encode())).normal(size=dimension or 4).tolist() for text in texts]


def records(make: Any) -> list[Record]:
    return [Record(f"id-{text}", np.asarray(make(text), np.float32), text, {}) for text in TEXTS]


def test_its_own_vectors_are_the_same_also_when_they_are_longer() -> None:
    assert sample_embedder().nearness(records(embed_text)) == pytest.approx(1)
    assert sample_embedder().nearness(records(lambda text: embed_text(text) * 7)) == pytest.approx(1)


def test_vectors_that_were_made_with_the_words_around_are_near() -> None:
    near = sample_embedder().nearness(records(lambda text: embed_in_context(text, " ".join(TEXTS))))
    assert near is not None
    assert 0.8 < near < 1


def test_vectors_of_another_making_are_refused_unless_the_asker_chose_it() -> None:
    strangers = records(lambda text: other([text], 1536)[0])
    with pytest.raises(EmbedderUnfit, match=r"not embedded by .*:embed_text: it comes as near as -?0\.0"):
        sample_embedder().nearness(strangers)
    chosen = Embedder(SAMPLES, sample_embedder().make, chosen=True).nearness(strangers)
    assert chosen is not None
    assert abs(chosen) < 0.2


def test_records_without_texts_say_nothing() -> None:
    assert sample_embedder().nearness([Record("a", embed_text("a"), None, {})]) is None
    assert sample_embedder().nearness([]) is None


def test_another_length_is_refused_and_names_what_to_do() -> None:
    with pytest.raises(EmbedderUnfit, match=r"vectors of 4 floats, the collection's have 8: .*--embedder"):
        Embedder("mine:embed", lambda texts, _: other(texts, 4)).embed(["a"], 8)


@pytest.mark.parametrize(
    "given",
    [[1.0, 2.0], [[1.0]], [[float("nan")], [1.0]], "text", None, [["a"], ["b"]], [[1.0], [1.0, 2.0]], [[1e300]] * 2],
)
def test_what_is_no_vector_for_each_text_is_refused(given: Any) -> None:
    with pytest.raises(UsageError, match="mine:embed gives"):
        Embedder("mine:embed", lambda _texts, _dimension: given).embed(["a", "b"], None)


def test_an_embedder_that_fails_is_said_by_name_and_why() -> None:
    def no_model(_texts: Any, _dimension: Any) -> Any:
        raise KeyError("API_KEY")

    with pytest.raises(UsageError, match="mine:embed failed with KeyError: 'API_KEY'"):
        Embedder("mine:embed", no_model).embed(["a"], None)


@pytest.mark.parametrize("module", ["broken_of_a_test", "faulty_of_a_test", ".relative", "gone_of_a_test"])
def test_a_module_that_cannot_be_loaded_is_said_whatever_is_wrong_with_it(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    (tmp_path / "broken_of_a_test.py").write_text("def (")
    (tmp_path / "faulty_of_a_test.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["/nowhere"])
    with pytest.raises(UsageError, match=f"{module}:f cannot be loaded .*module:function"):
        named_embedder(f"{module}:f")


def test_an_embedder_is_a_function_of_a_list_in_a_module_of_the_current_folder(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_model_of_a_test.py").write_text(
        "def embed(texts):\n    return [[len(t), 1] for t in texts]\nx = 1\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["/nowhere"])
    embedder = named_embedder("my_model_of_a_test:embed")
    assert (embedder.name, embedder.chosen) == ("my_model_of_a_test:embed", True)
    assert embedder.embed(["ab", "c"], None) == [[2, 1], [1, 1]]
    for wrong in ("my_model_of_a_test", "my_model_of_a_test:x", "my_model_of_a_test:y", "no_such_module:f", ":f", "m:"):
        with pytest.raises(UsageError, match="module:function"):
            named_embedder(wrong)

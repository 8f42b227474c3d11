"""What a reader is asked: wrong use is named before anything is read, and only what is asked for is fetched."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import receipt_chroma
from receipt_chroma import NoSnapshotYet, QuestionInvalid, SnapshotReader, UnknownCollection
from receipt_chroma.reader.base import Base
from receipt_chroma.records import Record

from ..samples import DIMENSION, receipt, vector, word
from .layers import Layers

NAN = [float("nan")] + [0.0] * (DIMENSION - 1)
HUGE = [1e39] + [0.0] * (DIMENSION - 1)


def words(number: int, seed: int = 0) -> list[Record]:
    return [word(1, place, seed * 100 + number * 10 + place, of=receipt(number)) for place in (1, 2)]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnapshotReader]:
    """Eight records, two of them fresh."""
    layers = Layers(tmp_path_factory.mktemp("asked"))
    layers.base({receipt(number): words(number) for number in range(4)})
    layers.segment({receipt(3): words(3, seed=1)})
    with layers.reader() as reader:
        yield reader


@pytest.mark.parametrize(
    ("method", "arguments", "says"),
    [
        ("get", {"ids": "IMAGE#1"}, "ids is a list"),
        ("get", {"ids": 7}, "ids is a list"),
        ("get", {"ids": [7]}, "an id is a text"),
        ("get", {"include": "documents"}, "include is a list"),
        ("get", {"include": ["documents", "text"]}, "'text' cannot be included"),
        ("get", {"include": ["distances"]}, "'distances' cannot be included"),
        ("get", {"limit": -1}, "limit is at least 0"),
        ("get", {"offset": -1}, "offset is at least 0"),
        ("get", {"limit": "3"}, "limit is a whole number"),
        ("get", {"where": {}}, "the filter is refused"),
        ("get", {"where": {"$and": []}}, "the filter is refused"),
        ("get", {"where": "merchant_name"}, "the filter is refused"),
        ("peek", {"limit": -1}, "limit is at least 0"),
        ("records", {"ids": "IMAGE#1"}, "ids is a list"),
        ("count", {"where_document": {"$like": "x"}}, "the filter is refused"),
        ("query", {"query_embeddings": vector(1), "n_results": 0}, "n_results is at least 1"),
        ("query", {"query_embeddings": vector(1), "n_results": -3}, "n_results is at least 1"),
        ("query", {"query_embeddings": vector(1), "n_results": 1.5}, "n_results is a whole number"),
        ("query", {"query_embeddings": vector(1), "ids": "IMAGE#1"}, "ids is a list"),
        ("query", {"query_embeddings": vector(1), "include": ["uris"]}, "'uris' cannot be included"),
        ("query", {"query_embeddings": []}, "not one of the shape"),
        ("query", {"query_embeddings": None}, "not one of the shape"),
        ("query", {"query_embeddings": "milk"}, "a list of numbers"),
        ("query", {"query_embeddings": [vector(1), vector(1)[1:]]}, "all have one length"),
        ("query", {"query_embeddings": [vector(1), NAN]}, "not finite"),
        ("query", {"query_embeddings": vector(1, DIMENSION + 1)}, f"has {DIMENSION + 1} dimensions, the snapshot has"),
        ("nearest", {"vector": [vector(1), vector(2)]}, r"one vector is wanted.*query\(\) takes many"),
        ("nearest", {"vector": NAN}, "not finite"),
        ("nearest", {"vector": HUGE}, "not finite"),
        ("nearest", {"vector": []}, "has 0 dimensions"),
        ("nearest", {"vector": vector(1), "n": 0}, "n is at least 1"),
    ],
)
def test_wrong_use_is_an_error_that_says_what_is_wrong(
    reader: SnapshotReader, method: str, arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises(QuestionInvalid, match=says):
        getattr(reader, method)(**arguments)


def test_a_collection_that_does_not_exist_is_not_one_that_was_never_published(tmp_path: Path) -> None:
    with pytest.raises(UnknownCollection, match=r"'wrods'.*lines and words"):
        SnapshotReader(tmp_path, "wrods")
    with pytest.raises(NoSnapshotYet):
        SnapshotReader(tmp_path, "words", cache_dir=tmp_path / "cache")


def test_what_a_reader_raises_is_where_the_reader_is() -> None:
    for name in ("QuestionInvalid", "UnknownCollection", "NoSnapshotYet", "CurrentGone", "SnapshotUnavailable"):
        assert name in receipt_chroma.__all__
    for name in ("VersionNotServed", "RegexUnsupported", "StorageUnavailable"):
        assert issubclass(getattr(receipt_chroma, name), Exception)


def test_fewer_records_than_are_asked_for_all_answer(reader: SnapshotReader) -> None:
    assert len(reader.nearest(vector(1), 1_000)) == len(reader.query(vector(1), n_results=1_000)["ids"][0]) == 8


def test_ids_that_are_not_there_or_twice_change_no_answer(reader: SnapshotReader) -> None:
    base, fresh = words(1)[0], words(3, seed=1)[1]
    asked = [fresh.id, base.id, fresh.id, "no id", word(9, 9, of=receipt(1)).id, word(9, 9, of=receipt(3)).id]
    assert reader.get(asked)["ids"] == sorted([base.id, fresh.id])
    assert {hit.id for hit in reader.nearest(vector(1), ids=asked)} == {base.id, fresh.id}
    assert reader.get([])["ids"] == reader.nearest(vector(1), ids=[]) == reader.nearest(vector(1), ids=["no id"]) == []


def noting(name: str, method: Any, read: list[str]) -> Any:
    def noted(self: Base, ids: Any) -> Any:
        read.append(name)
        return method(self, ids)

    return noted


def test_vectors_and_texts_are_read_only_when_they_are_included(
    reader: SnapshotReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    for name in ("texts", "vectors"):
        monkeypatch.setattr(Base, name, noting(name, getattr(Base, name), read))
    reader.get()
    reader.nearest(vector(1))
    reader.query(vector(1))
    assert set(read) == {"texts"}
    read.clear()
    reader.get(include=[])
    reader.query(vector(1), include=["distances"])
    reader.count(where={"text": "x"})
    assert read == []
    reader.get(include=["embeddings"])
    reader.query(vector(1), include=["embeddings"])
    assert set(read) == {"vectors"}


def test_what_a_caller_does_to_an_answer_changes_no_other_one(reader: SnapshotReader) -> None:
    before = reader.peek(8)
    changed = reader.peek(8)
    for metadata in changed["metadatas"] or []:
        assert metadata is not None
        metadata.clear()
    changed["embeddings"][:] = 0
    after = reader.peek(8)
    assert after["metadatas"] == before["metadatas"]
    assert np.array_equal(after["embeddings"], before["embeddings"])


def test_a_reader_knows_the_dimension_of_its_vectors(reader: SnapshotReader) -> None:
    assert reader.dimension == DIMENSION
    assert reader.get(["no id"], include=["embeddings"])["embeddings"].shape == (0, DIMENSION)

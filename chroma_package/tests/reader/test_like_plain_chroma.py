"""A reader over bases and segments answers as a plain Chroma collection that holds what they come to."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
import pytest
from chromadb.config import Settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from receipt_chroma.errors import RegexUnsupported
from receipt_chroma.reader import SnapshotReader
from receipt_chroma.records import Record, normal_metadata
from receipt_dynamo_stream.keys import word_record_id

from ..samples import receipt, vector
from ..segment import chroma_filters as filters
from .layers import Layers

RECEIPTS = 5

receipts = st.dictionaries(st.integers(0, RECEIPTS - 1), st.lists(filters.rows, max_size=4), min_size=1, max_size=4)
steps = st.lists(receipts | st.just("fold"), max_size=4)
layers_of = st.tuples(st.sampled_from([1, 2, 3]), st.none() | receipts, steps)
columns = st.lists(st.sampled_from(["documents", "metadatas", "embeddings", "distances"]), unique=True)
DEFAULT = ["metadatas", "documents", "distances"]
questions = st.lists(st.tuples(st.none() | filters.where, st.none() | filters.where_document), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Chroma in memory."""
    client = chromadb.EphemeralClient(settings=Settings(anonymized_telemetry=False))
    yield client
    client.close()


class Plain:
    """A plain collection with these records."""

    def __init__(self, client: Any, records: list[Record]) -> None:
        self._client, self._records = client, records
        self.collection = client.create_collection(
            "plain", embedding_function=None, configuration={"hnsw": {"space": "l2"}}
        )
        if records:
            self.collection.add(
                ids=[one.id for one in records],
                embeddings=np.array([one.embedding for one in records]),
                documents=[one.document for one in records],
                metadatas=[one.metadata or None for one in records],
            )

    def __enter__(self) -> "Plain":
        return self

    def __exit__(self, *_: object) -> None:
        # A collection that is deleted leaves its lists behind, and the next one's records inherit them.
        self.collection.delete(ids=[one.id for one in self._records] or ["none"])
        self._client.delete_collection("plain")

    def get(self, **question: Any) -> Any:
        """Its answer; records were added in order of id, and that is the order of its answers."""
        return values(self.collection.get(**question))

    def query(self, vectors: list[Any], n: int, include: list[str], **question: Any) -> Any:
        """Its answer, equal distances by id: those are in no order of its own."""
        asked = [*include, *({"distances"} - set(include))]
        found = values(self.collection.query(query_embeddings=vectors, n_results=n, include=asked, **question))
        ranks = [
            sorted(range(len(ids)), key=lambda row, own=(ids, distances): (own[1][row], own[0][row]))
            for ids, distances in zip(found["ids"], found["distances"], strict=True)
        ]
        for name, column in found.items():
            if name == "included" or column is None:
                continue
            found[name] = [[own[row] for row in rank] for own, rank in zip(column, ranks, strict=True)]
        return found | {"included": include} | ({} if "distances" in include else {"distances": None})


def values(answer: Any) -> Any:
    """An answer as lists, metadata in normal form."""
    return {name: plain_values(column) for name, column in dict(answer).items()}


def plain_values(column: Any) -> Any:
    if isinstance(column, np.ndarray):
        return column.tolist()
    if isinstance(column, list):
        return [plain_values(one) for one in column]
    return normal_metadata(column) if isinstance(column, dict) else column


def records_of(number: int, rows: list[Any], layer: int) -> list[Record]:
    of = receipt(number)
    return [
        Record(word_record_id(of, 1, place), vector(layer * 1000 + number * 50 + place), document, metadata)
        for place, (document, metadata) in enumerate(rows, 1)
    ]


def publish(folder: Path, made: Any) -> Layers:
    shards, base, segments = made
    layers = Layers(folder, shards)
    if base is not None:
        layers.base({receipt(number): records_of(number, rows, 0) for number, rows in base.items()})
    for layer, covered in enumerate(segments, 1):
        if covered == "fold":
            layers.base()
            continue
        layers.segment({receipt(number): records_of(number, rows, layer) for number, rows in covered.items()})
    if layers.manifest is None:
        layers.segment({receipt(0): []})
    return layers


def like(answer: Any, expected: Any) -> None:
    """Key by key, in the same order of keys."""
    assert list(answer) == list(expected)
    for name, column in values(answer).items():
        assert column == expected[name], name


def check(client: Any, made: Any, asked: list[Any], include: list[str], limit: int, offset: int) -> None:
    got = [one for one in include if one != "distances"]
    with tempfile.TemporaryDirectory() as folder:
        layers = publish(Path(folder), made)
        with layers.reader() as reader, Plain(client, layers.records) as plain:
            like(reader.get(), plain.get())
            like(
                reader.get(include=got, limit=limit, offset=offset), plain.get(include=got, limit=limit, offset=offset)
            )
            like(reader.peek(limit), values(plain.collection.peek(limit)))
            assert reader.count() == plain.collection.count()
            some = [word_record_id(receipt(number), 1, place) for number in range(RECEIPTS) for place in (1, 3)]
            like(reader.get(some, include=got), plain.get(ids=some, include=got))
            there = [one.id for one in layers.records if one.id in set(some)]
            for number, n in ((7, 1), (8, 3), (9, 100)):
                vectors = [vector(number), vector(number + 3)]
                like(reader.query(vectors, n_results=n, include=include), plain.query(vectors, n, include))
                like(reader.query(vectors[0], n_results=n), plain.query(vectors[:1], n, DEFAULT))
                if there:  # for an id that it does not have chromadb fails
                    like(reader.query(vectors, n_results=n, ids=some), plain.query(vectors, n, DEFAULT, ids=there))
            for where, where_document in asked:
                check_filters(reader, plain, {"where": where, "where_document": where_document}, some, there)


def check_filters(reader: SnapshotReader, plain: Plain, question: Any, some: list[str], there: list[str]) -> None:
    try:
        expected = plain.get(**question)
    except (ValueError, chromadb.errors.ChromaError):
        return  # what is refused is for the tests of filters
    try:
        like(reader.get(**question), expected)
        like(reader.get(**question, limit=1, offset=1), plain.get(**question, limit=1, offset=1))
        like(reader.get(some, **question), plain.get(ids=some, **question))
        assert reader.count(**question) == len(expected["ids"])
        like(reader.query(vector(7), n_results=3, **question), plain.query([vector(7)], 3, DEFAULT, **question))
        if there:
            ours = reader.query(vector(7), n_results=3, ids=some, **question)
            like(ours, plain.query([vector(7)], 3, DEFAULT, ids=there, **question))
    except RegexUnsupported:
        assert "regex" in str(question)


few = settings(max_examples=12, suppress_health_check=list(HealthCheck))


@few
@given(layers_of, questions, columns, st.integers(0, 4), st.integers(0, 4))
def test_it_answers_what_a_plain_collection_does(
    client: Any, made: Any, asked: Any, include: Any, limit: int, offset: int
) -> None:
    check(client, made, asked, include, limit, offset)


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(max_examples=500, suppress_health_check=list(HealthCheck))
@given(layers_of, questions, columns, st.integers(0, 4), st.integers(0, 4))
def test_it_does_so_for_hundreds_of_snapshots(
    client: Any, made: Any, asked: Any, include: Any, limit: int, offset: int
) -> None:
    check(client, made, asked, include, limit, offset)

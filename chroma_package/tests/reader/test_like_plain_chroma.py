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

    def get(self, **question: Any) -> list[tuple[Any, ...]]:
        """Records, sorted by id."""
        found = self.collection.get(include=["embeddings", "documents", "metadatas"], **question)
        vectors = [np.asarray(one, np.float32).tobytes() for one in found["embeddings"]]
        columns = found["ids"], vectors, found["documents"], map(normal_metadata, found["metadatas"])
        return sorted(zip(*columns, strict=True), key=lambda row: row[0])

    def query(self, asked: Any, n: int, **question: Any) -> list[tuple[Any, ...]]:
        """Nearest records, equal distances by id."""
        found = self.collection.query(query_embeddings=[asked], n_results=n, **question)
        names = ("distances", "ids", "documents", "metadatas")
        rows = zip(*(found[name][0] for name in names), strict=True)
        return sorted((distance, one, text, normal_metadata(own)) for distance, one, text, own in rows)


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


def got(records: list[Record]) -> list[tuple[Any, ...]]:
    return [(one.id, one.embedding.tobytes(), one.document, one.metadata) for one in records]


def nearest(reader: SnapshotReader, asked: Any, n: int, **question: Any) -> list[tuple[Any, ...]]:
    return [(hit.distance, hit.id, hit.document, hit.metadata) for hit in reader.nearest(asked, n, **question)]


def check(client: Any, made: Any, asked: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        layers = publish(Path(folder), made)
        with layers.reader() as reader, Plain(client, layers.records) as plain:
            everything = plain.get()
            assert got(reader.records()) == everything
            assert reader.count() == len(everything) == plain.collection.count()
            assert got(reader.records(limit=2)) == everything[:2]
            some = [word_record_id(receipt(number), 1, place) for number in range(RECEIPTS) for place in (1, 3)]
            assert got(reader.records(some)) == plain.get(ids=some)
            for number, n in ((7, 1), (8, 3), (9, 100)):
                assert nearest(reader, vector(number), n) == plain.query(vector(number), n)
            for where, where_document in asked:
                question = {"where": where, "where_document": where_document}
                try:
                    expected = plain.get(**question)
                except (ValueError, chromadb.errors.ChromaError):
                    continue  # what is refused is for the tests of filters
                try:
                    assert got(reader.records(**question)) == expected
                    assert got(reader.records(some, **question)) == [row for row in expected if row[0] in set(some)]
                    assert nearest(reader, vector(7), 3, **question) == plain.query(vector(7), 3, **question)
                except RegexUnsupported:
                    assert "regex" in str(where_document)


few = settings(max_examples=25, suppress_health_check=list(HealthCheck))


@few
@given(layers_of, questions)
def test_it_gets_counts_filters_and_finds_what_a_plain_collection_does(
    client: Any, made: Any, asked: list[Any]
) -> None:
    check(client, made, asked)


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(max_examples=500, suppress_health_check=list(HealthCheck))
@given(layers_of, questions)
def test_it_does_so_for_hundreds_of_snapshots(client: Any, made: Any, asked: list[Any]) -> None:
    check(client, made, asked)

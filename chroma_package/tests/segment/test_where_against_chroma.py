"""Filters select the same records of a real Chroma collection and here, and are refused by both or by neither."""

from collections.abc import Iterator
from typing import Any

import chromadb
import pytest
from chromadb.config import Settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from receipt_chroma.errors import RegexUnsupported
from receipt_chroma.records import Metadata
from receipt_chroma.segment.where import compile_where

from . import chroma_filters as filters

Rows = list[tuple[str | None, Metadata]]
many = settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Chroma in memory: the same Rust and the same SQLite as on disk, without waiting for the disk."""
    client = chromadb.EphemeralClient(settings=Settings(anonymized_telemetry=False))
    yield client
    client.close()


class Chroma:
    """A collection with these rows; ids are their numbers."""

    def __init__(self, client: Any, rows: Rows) -> None:
        self._client, self._count = client, len(rows)
        self._collection = client.create_collection("filters", embedding_function=None)
        if rows:
            self._collection.add(
                ids=[str(number) for number in range(len(rows))],
                embeddings=[[1.0, float(number)] for number in range(len(rows))],
                documents=[document for document, _ in rows],
                metadatas=[metadata or None for _, metadata in rows],
            )

    def __enter__(self) -> "Chroma":
        return self

    def __exit__(self, *_: object) -> None:
        # A collection that is deleted leaves its lists behind, and the next one's records inherit them.
        self._collection.delete(ids=[str(number) for number in range(self._count)] or ["none"])
        self._client.delete_collection("filters")

    def select(self, where: Any, where_document: Any) -> set[int] | None:
        """The rows that a filter selects, None when it is refused."""
        try:
            found = self._collection.get(where=where, where_document=where_document, include=[])
        except (ValueError, TypeError, KeyError, RecursionError, chromadb.errors.ChromaError):
            return None
        return {int(name) for name in found["ids"]}

    def nearest(self, where: Any, where_document: Any) -> set[int] | None:
        """The rows that a query for all of them finds, None when it is refused."""
        try:
            found = self._collection.query(
                query_embeddings=[[1.0, 0.0]], n_results=100, where=where, where_document=where_document, include=[]
            )
        except (ValueError, chromadb.errors.ChromaError):
            return None
        return {int(name) for name in found["ids"][0]}


def selected(rows: Rows, where: Any, where_document: Any) -> set[int] | None:
    try:
        predicate = compile_where(where, where_document)
    except ValueError:
        return None
    return {number for number, row in enumerate(rows) if predicate(*row)}


rows_of_ten = st.lists(filters.rows, min_size=1, max_size=10)


@many
@given(rows_of_ten, st.lists(filters.where, min_size=1, max_size=6))
def test_where_selects_what_chroma_selects(client: Any, rows: Rows, wheres: list[Any]) -> None:
    with Chroma(client, rows) as chroma:
        for where in wheres:
            assert selected(rows, where, None) == chroma.select(where, None), where


@many
@given(rows_of_ten, st.lists(filters.where_document, min_size=1, max_size=6))
def test_where_document_selects_what_chroma_selects(client: Any, rows: Rows, wheres: list[Any]) -> None:
    with Chroma(client, rows) as chroma:
        for where in wheres:
            assert selected(rows, None, where) == chroma.select(None, where), where


@many
@given(rows_of_ten, filters.where, filters.where_document)
def test_both_together_select_what_a_query_of_chroma_finds(
    client: Any, rows: Rows, where: Any, where_document: Any
) -> None:
    with Chroma(client, rows) as chroma:
        assert selected(rows, where, where_document) == chroma.nearest(where, where_document)


@many
@given(st.lists(filters.odd_where, min_size=1, max_size=10))
def test_where_is_refused_when_chroma_refuses_it(client: Any, wheres: list[Any]) -> None:
    rows: Rows = [(None, {}), ("a", {"k": 1}), ("b", {"k": "a", "z": [True]})]
    with Chroma(client, rows) as chroma:
        for where in wheres:
            assert selected(rows, where, None) == chroma.select(where, None), where


@many
@given(st.lists(filters.odd_where_document, min_size=1, max_size=10))
def test_where_document_is_refused_when_chroma_refuses_it(client: Any, wheres: list[Any]) -> None:
    rows: Rows = [(None, {}), ("a", {}), ("1-a,", {}), ("aba", {}), ("", {})]
    with Chroma(client, rows) as chroma:
        for where in wheres:
            try:
                ours = selected(rows, None, where)
            except RegexUnsupported:
                continue
            assert ours == chroma.select(None, where), where


@pytest.mark.parametrize("levels", [1, 30, 62, 63, 64, 200, 5000])
@pytest.mark.parametrize("leaf", [{"k": 1}, {"k": {"$eq": 1}}, {"k": {"$in": [1]}}])
def test_filters_nest_as_deep_as_in_chroma(client: Any, levels: int, leaf: Any) -> None:
    rows: Rows = [(None, {"k": 1}), (None, {})]
    where = leaf
    for _ in range(levels):
        where = {"$and": [where, {"k": 1}]}
    with Chroma(client, rows) as chroma:
        assert selected(rows, where, None) == chroma.select(where, None)

"""What a published collection can be asked: chromadb's methods and answers, and two that answer in types."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from receipt_chroma.reader.answers import get_result, query_result
from receipt_chroma.reader.filters import Filters
from receipt_chroma.reader.open_snapshot import OpenSnapshot
from receipt_chroma.reader.questions import (
    GET_COLUMNS,
    QUERY_COLUMNS,
    check_ids,
    check_include,
    check_model,
    check_number,
    one_or_many_vectors,
)
from receipt_chroma.records import Record
from receipt_chroma.results import GetResult, QueryHit, QueryResult


class ReadableCollection(ABC):
    """Every call answers from one snapshot. Filters are Chroma's; wrong use is QuestionInvalid, and nothing is read."""

    @abstractmethod
    def _borrow(self) -> AbstractContextManager[OpenSnapshot]:
        """The snapshot that is read, for the time of one answer."""

    @property
    def dimension(self) -> int | None:
        """How many numbers a vector has; None while no vector was ever published."""
        with self._borrow() as snapshot:
            return snapshot.dimension

    @property
    def generation(self) -> str:
        """The generation of the collection that is served: `words`, or after a switch of models `words-2`."""
        with self._borrow() as snapshot:
            return snapshot.generation

    @property
    def model(self) -> str:
        """The embedding model of the vectors that are served, with which questions are embedded; "" for the first one
        of the collection."""
        with self._borrow() as snapshot:
            return snapshot.manifest.model

    def get(
        self,
        ids: Sequence[str] | None = None,
        *,
        where: Mapping[str, Any] | None = None,
        where_document: Mapping[str, Any] | None = None,
        limit: int | None = None,
        offset: int | None = None,
        include: Sequence[str] = ("metadatas", "documents"),
    ) -> GetResult:
        """As chromadb's Collection.get, sorted by id: records by id, by filters, or all; vectors only when included.

        Ids that are not there are left out. Raises QuestionInvalid, RegexUnsupported for a `$regex` that cannot be
        asked of fresh records.
        """
        columns = check_include(include, GET_COLUMNS)
        with self._borrow() as snapshot:
            chosen = _select(snapshot, ids, where, where_document, limit, offset)
            return get_result(snapshot, chosen, columns)

    def peek(self, limit: int = 10) -> GetResult:
        """As chromadb's Collection.peek: the first records by id, with their vectors."""
        return self.get(limit=limit, include=("metadatas", "documents", "embeddings"))

    def query(
        self,
        query_embeddings: Any,
        *,
        n_results: int = 10,
        ids: Sequence[str] | None = None,
        where: Mapping[str, Any] | None = None,
        where_document: Mapping[str, Any] | None = None,
        include: Sequence[str] = ("metadatas", "documents", "distances"),
        model: str | None = None,
    ) -> QueryResult:
        """As chromadb's Collection.query: the records nearest to one vector, or to each of many; equal distances by id.

        A snapshot with fewer records answers with them all. ids: only these may answer. model: of the vectors. Raises
        as get does, and WrongModel when the snapshot that answers is of another one.
        """
        columns = check_include(include, QUERY_COLUMNS)
        n = check_number("n_results", n_results, least=1)
        filters = Filters.of(where, where_document, check_ids(ids))
        with self._borrow() as snapshot:
            check_model(model, snapshot.generation, snapshot.manifest.model)
            vectors = one_or_many_vectors(query_embeddings, snapshot.dimension)
            return query_result(snapshot, vectors, n, filters, columns)

    def count(self, *, where: Mapping[str, Any] | None = None, where_document: Mapping[str, Any] | None = None) -> int:
        """Number of records, of those that the filters select. Without any it costs nothing. Raises as get does."""
        filters = Filters.of(where, where_document)
        with self._borrow() as snapshot:
            return snapshot.count(filters)

    def nearest(
        self,
        vector: Any,
        n: int = 10,
        *,
        ids: Sequence[str] | None = None,
        where: Mapping[str, Any] | None = None,
        where_document: Mapping[str, Any] | None = None,
        model: str | None = None,
    ) -> list[QueryHit]:
        """What query answers for one vector, hit by hit. Raises as query does."""
        filters = Filters.of(where, where_document, check_ids(ids))
        with self._borrow() as snapshot:
            check_model(model, snapshot.generation, snapshot.manifest.model)
            return snapshot.nearest(vector, n, filters)

    def records(
        self,
        ids: Sequence[str] | None = None,
        *,
        where: Mapping[str, Any] | None = None,
        where_document: Mapping[str, Any] | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> list[Record]:
        """What get answers with everything included, record by record. Raises as get does."""
        with self._borrow() as snapshot:
            return snapshot.records(_select(snapshot, ids, where, where_document, limit, offset))


def _select(
    snapshot: OpenSnapshot,
    ids: Sequence[str] | None,
    where: Mapping[str, Any] | None,
    where_document: Mapping[str, Any] | None,
    limit: int | None,
    offset: int | None,
) -> list[str]:
    return snapshot.select(
        check_ids(ids),
        Filters.of(where, where_document),
        limit=None if limit is None else check_number("limit", limit, least=0),
        offset=check_number("offset", offset or 0, least=0),
    )

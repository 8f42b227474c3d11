"""What a reader answers."""

from dataclasses import dataclass
from typing import Any, TypedDict

from receipt_chroma.records import Metadata


@dataclass(frozen=True)
class QueryHit:
    """One record near a vector; distance is the squared l2 distance, smaller is nearer."""

    id: str
    distance: float
    document: str | None
    metadata: Metadata


class GetResult(TypedDict):
    """What chromadb's `Collection.get` answers, key by key; a column that was not included is None.

    embeddings: (records, dimension) float32. metadatas: None for a record without metadata. Snapshots have no uris and
    no data.
    """

    ids: list[str]
    embeddings: Any
    documents: list[str | None] | None
    uris: None
    included: list[str]
    data: None
    metadatas: list[Metadata | None] | None


class QueryResult(TypedDict):
    """What chromadb's `Collection.query` answers: in each column one list per query vector."""

    ids: list[list[str]]
    embeddings: list[Any] | None
    documents: list[list[str | None]] | None
    uris: None
    included: list[str]
    data: None
    metadatas: list[list[Metadata | None]] | None
    distances: list[list[float]] | None


Texts = tuple[str | None, Metadata]
"""Document and metadata of a record."""

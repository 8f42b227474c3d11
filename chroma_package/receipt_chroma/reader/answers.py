"""chromadb's answers: columns side by side, those that were included."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from receipt_chroma.reader.filters import Filters
from receipt_chroma.reader.nearest import Ranked, texts_of_ranked
from receipt_chroma.reader.open_snapshot import OpenSnapshot
from receipt_chroma.records import Metadata, Vector
from receipt_chroma.results import GetResult, QueryResult, Texts

_TEXTS = ("documents", "metadatas")


def get_result(snapshot: OpenSnapshot, ids: Sequence[str], include: Sequence[str]) -> GetResult:
    """The records of these ids, which are all there, in this order."""
    texts = snapshot.texts(ids) if not set(_TEXTS).isdisjoint(include) else {}
    vectors = snapshot.vectors(ids) if "embeddings" in include else {}
    return {
        "ids": list(ids),
        "embeddings": _matrix(vectors, ids, snapshot.dimension) if "embeddings" in include else None,
        "documents": _documents(texts, ids) if "documents" in include else None,
        "uris": None,
        "included": list(include),
        "data": None,
        "metadatas": _metadatas(texts, ids) if "metadatas" in include else None,
    }


def query_result(
    snapshot: OpenSnapshot, vectors: NDArray[np.float32], n: int, filters: Filters, include: Sequence[str]
) -> QueryResult:
    """The n records nearest to each vector, nearest first, equal distances by id."""
    ranked: list[list[Ranked]] = [snapshot.rank(vector, n, filters) for vector in vectors]
    ids = [[record_id for _, record_id, _ in ranking] for ranking in ranked]
    texts: dict[str, Texts] = {}
    if not set(_TEXTS).isdisjoint(include):
        texts = texts_of_ranked(hit for ranking in ranked for hit in ranking)
    own: dict[str, Vector] = {}
    if "embeddings" in include:
        own = snapshot.vectors(list(dict.fromkeys(one for some in ids for one in some)))
    dimension = snapshot.dimension
    return {
        "ids": ids,
        "embeddings": [_matrix(own, some, dimension) for some in ids] if "embeddings" in include else None,
        "documents": [_documents(texts, some) for some in ids] if "documents" in include else None,
        "uris": None,
        "included": list(include),
        "data": None,
        "metadatas": [_metadatas(texts, some) for some in ids] if "metadatas" in include else None,
        "distances": [[one for one, _, _ in some] for some in ranked] if "distances" in include else None,
    }


def _matrix(vectors: Mapping[str, Vector], ids: Sequence[str], dimension: int | None) -> NDArray[np.float32]:
    rows: Any = [vectors[one] for one in ids]
    return np.array(rows, dtype=np.float32).reshape(len(ids), dimension or 0)


def _documents(texts: Mapping[str, Texts], ids: Sequence[str]) -> list[str | None]:
    return [texts[one][0] for one in ids]


def _metadatas(texts: Mapping[str, Texts], ids: Sequence[str]) -> list[Metadata | None]:
    return [texts[one][1] or None for one in ids]

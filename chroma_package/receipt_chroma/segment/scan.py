"""The nearest of some vectors to a query, exactly: every vector counts, as chromadb would measure it.

Distances of all rows are estimated by one product of matrix and vector (as fast as memory is read), with a bound of
the error that holds for every order of summation. Rows that the bounds cannot rule out, usually a few more than k, are
measured as chromadb does. So vectors that are nearly equal cannot change places, and equal ones keep the order of ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from receipt_chroma.segment.content import Vectors
from receipt_chroma.segment.distance import squared_distances

_ROUNDING: Final = 2.0**-24
_SMALLEST: Final = 2.0**-149
"""What float32 may lose where a product is too small for it."""

_MEASURED_AT_ONCE: Final = 256


@dataclass(frozen=True, eq=False, slots=True)
class ScanRows:
    """Vectors that are scanned, (n, d) float32; their ids, n; and their lengths, (n,) float64."""

    vectors: Vectors
    ids: Sequence[str]
    lengths: NDArray[np.float64]

    @classmethod
    def of(cls, vectors: Vectors, ids: Sequence[str]) -> Self:
        """Rows with their lengths, which are computed once: 1 ms for 1,000 vectors of 1,536."""
        return cls(vectors, ids, np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)))


def nearest(
    query: Vectors, parts: Sequence[ScanRows], k: int, mask: NDArray[np.bool_] | None = None
) -> list[tuple[float, int]]:
    """At most k pairs (squared distance, row), nearest first, equal distances in order of id.

    Rows count through all parts from 0. mask: (rows,), False for rows that do not take part; None for none. query: (d,)
    float32, as long as every part's vectors. Raises ValueError for a query of another length, and for k < 1.
    """
    if k < 1:
        raise ValueError(f"k is at least 1, not {k}")
    if any(part.vectors.shape[1] != query.shape[0] for part in parts if len(part.ids)):
        raise ValueError(f"the query has {query.shape[0]} dimensions, the vectors have others")
    parts = [part for part in parts if len(part.ids)]
    if not parts:
        return []
    rows = np.arange(sum(len(part.ids) for part in parts)) if mask is None else np.flatnonzero(mask)
    if len(rows) > k:
        rows = _candidates(query, parts, k, rows)
    return _measured(query, parts, rows)[:k]


def _candidates(query: Vectors, parts: Sequence[ScanRows], k: int, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows that may be among the k nearest, and all others cannot be."""
    length = float(np.linalg.norm(query.astype(np.float64)))
    with np.errstate(over="ignore", invalid="ignore"):
        products = np.concatenate([part.vectors @ query for part in parts])[rows].astype(np.float64)
    lengths = np.concatenate([part.lengths for part in parts])[rows]
    estimates = lengths * lengths + length * length - 2 * products
    # A sum of d products in float32 errs by d roundings of |x||q| at most, hnswlib's by as many of the distance, which
    # is (|x| + |q|)^2 at most.
    dimension = query.shape[0] + 8
    errors = 2 * dimension * _ROUNDING * (lengths + length) ** 2 + 4 * dimension * _SMALLEST
    if not np.isfinite(estimates).all():
        return rows
    bound = np.partition(estimates + errors, k - 1)[k - 1]
    possible: NDArray[np.int64] = rows[estimates - errors <= bound]
    return possible


def _measured(query: Vectors, parts: Sequence[ScanRows], rows: NDArray[np.int64]) -> list[tuple[float, int]]:
    found: list[tuple[float, str, int]] = []
    beyond = np.cumsum([len(part.ids) for part in parts])
    owners = np.searchsorted(beyond, rows, side="right")
    for owner in np.unique(owners):
        part, first = parts[owner], int(beyond[owner]) - len(parts[owner].ids)
        own = rows[owners == owner] - first
        for start in range(0, len(own), _MEASURED_AT_ONCE):
            some = own[start : start + _MEASURED_AT_ONCE]
            distances = squared_distances(query, part.vectors[some])
            found += [(float(one), part.ids[row], first + int(row)) for one, row in zip(distances, some, strict=True)]
    return [(distance, row) for distance, _, row in sorted(found)]

"""Text to vectors without a model: hashed character n-grams, so that words that look alike are near each other."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

DIMENSION = 1536  # what the production embedding model gives; a collection's own dimension is in its manifest

Vector = NDArray[np.float32]


def embed_text(text: str, dimension: int = DIMENSION) -> Vector:
    """Embed a text: a float32 unit vector of shape `(dimension,)`, the same on every machine. Case does not matter.

    Texts that share n-grams of two to four characters are near, whatever the order of their words. Never the zero
    vector, also for an empty text. The result is shared and read-only.
    """
    return _embed(text, dimension)


def embed_in_context(text: str, context: str, dimension: int = DIMENSION, weight: float = 0.25) -> Vector:
    """Embed a text as it stands in its surroundings: `weight` of the context's vector is mixed in."""
    return _unit(embed_text(text, dimension).astype(np.float64) + weight * embed_text(context, dimension))


@lru_cache(maxsize=65536)
def _embed(text: str, dimension: int) -> Vector:
    grams = [gram for word in text.lower().split() or [""] for gram in _grams(f"<{word}>")]
    total = np.zeros(dimension, dtype=np.float64)
    for gram in grams:
        index, sign = _place(gram, dimension)
        total[index] += sign
    if not total.any():  # every gram met its opposite
        total[_place(grams[0], dimension)[0]] = 1.0
    vector = _unit(total)
    vector.flags.writeable = False
    return vector


def _grams(word: str) -> list[str]:
    return [word[start : start + size] for size in (2, 3, 4) for start in range(len(word) - size + 1)]


@lru_cache(maxsize=65536)
def _place(gram: str, dimension: int) -> tuple[int, float]:
    number = int.from_bytes(blake2b(gram.encode(), digest_size=8).digest(), "big")
    return (number >> 1) % dimension, 1.0 if number & 1 else -1.0


def _unit(values: NDArray[np.float64]) -> Vector:
    return (values / np.linalg.norm(values)).astype(np.float32)

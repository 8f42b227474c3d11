"""What makes a vector of a text, and whether a collection's vectors are of its making.

Nothing says by which model a collection was made, so the records are asked: a record's document is embedded, and must
come near to the record's own vector. One that was embedded with more than its document (its line, its neighbours) is
near, not equal; one of another model is anywhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

from operate.errors import EmbedderUnfit, UsageError

if TYPE_CHECKING:
    from receipt_chroma.records import Record

NEAR: Final = 0.5
"""Cosine from which on two vectors are taken for the same model's."""
LOOKED_AT: Final = 10
"""Records that are embedded again to find out."""


@dataclass(frozen=True)
class Embedder:
    """name: `module:function`. make: texts, and how long their vectors must be if that is known, to a vector each.
    chosen: the asker named it, and knows better than the records."""

    name: str
    make: Callable[[Sequence[str], int | None], Sequence[Sequence[float]]]
    chosen: bool = False

    def embed(self, texts: Sequence[str], dimension: int | None) -> list[list[float]]:
        """A vector of finite floats for each text. Raises UsageError, and EmbedderUnfit for another length."""
        import numpy as np

        try:
            made = self.make(texts, dimension)
        except Exception as error:  # whatever somebody else's function raises
            raise UsageError(f"{self.name} failed with {type(error).__name__}: {error}") from error
        try:
            with np.errstate(over="ignore"):  # what is too large for float32 is not finite, and said below
                vectors = np.asarray(made, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise UsageError(f"{self.name} gives no list of vectors for a list of texts: {error}") from error
        if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
            raise UsageError(
                f"{self.name} gives an array of shape {vectors.shape} for {len(texts)} texts: a vector of finite floats"
                " for each is meant"
            )
        if dimension not in (None, vectors.shape[1]):
            raise EmbedderUnfit(
                f"{self.name} makes vectors of {vectors.shape[1]} floats, the collection's have {dimension}:"
                " name the embedder that made it (--embedder module:function), or give a vector"
            )
        found: list[list[float]] = vectors.tolist()
        return found

    def nearness(self, records: "Sequence[Record]") -> float | None:
        """How near this embedder comes to these records' vectors: 1 is the same direction, 0 any. None without texts.

        Raises EmbedderUnfit unless it was chosen: a text would be compared with vectors of another making.
        """
        import numpy as np

        asked = [one for one in records if one.document][:LOOKED_AT]
        if not asked:
            return None
        own = np.array([one.embedding for one in asked], dtype=np.float64)
        made = np.array(self.embed([one.document or "" for one in asked], own.shape[1]), dtype=np.float64)
        lengths = np.linalg.norm(own, axis=1) * np.linalg.norm(made, axis=1)
        near = float(median(np.sum(own * made, axis=1) / np.where(lengths == 0, 1, lengths)))
        if near < NEAR and not self.chosen:
            raise EmbedderUnfit(
                f"these records were not embedded by {self.name}: it comes as near as {near:.2f} to their vectors, and"
                " 1 is the same. Name the embedder that made them (--embedder module:function), or give a vector"
            )
        return near

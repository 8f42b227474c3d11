"""Questions to a version: by vector, or by text where the asker brings an embedder.

Which model made a collection's vectors is the producers' affair: nothing here embeds.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from operate.errors import SnapshotNotFound, UsageError

if TYPE_CHECKING:
    from receipt_chroma.reader.generation import Generation
    from receipt_chroma.results import QueryHit
    from receipt_chroma.snapshot.manifest import Manifest

Embed = Callable[[str, int], Sequence[float]]
"""A text, and how long its vector must be."""

MOST_HITS: Final = 1_000
"""How many records one question may ask for."""

_LARGEST: Final = float.fromhex("0x1.fffffep+127")
"""Of 32 bits."""


@dataclass(frozen=True)
class Hit:
    """One record near the question; `distance` is squared Euclidean, 0 for the very same vector."""

    rank: int
    id: str
    shard: int
    distance: float
    document: str | None
    merchant: str | None
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What the snapshot of one version answered, nearest first."""

    collection: str
    version: int
    snapshot_id: str
    hits: tuple[Hit, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Question:
    """A text, or a vector as a JSON array or a file that holds one, and which records may answer.

    Raises UsageError unless it is the one or the other, and asks for a sensible number of records.
    """

    text: str | None = None
    vector: str | Path | None = None
    n: int = 5
    where: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if (self.text is None) == (self.vector is None):
            raise UsageError("give either a text or a vector")
        if not 1 <= self.n <= MOST_HITS:
            raise UsageError(f"a question has 1 to {MOST_HITS:,} answers, not {self.n}")

    def embedding(self, manifest: "Manifest", embed: Embed | None) -> list[float]:
        """The vector to look for; a text needs `embed`. Raises UsageError; SnapshotNotFound for an empty version."""
        if manifest.dimension is None:
            raise SnapshotNotFound(
                f"version {manifest.version} of {manifest.collection} is empty: there is nothing to compare with"
            )
        if self.vector is None:
            if embed is None:
                raise UsageError("texts can be embedded for the local stack only: give a vector, a JSON array")
            return list(embed(self.text or "", manifest.dimension))
        return read_vector(self.vector, manifest.dimension)


def put_question(generation: "Generation", embedding: list[float], question: Question) -> Answer:
    """The records of an open version nearest to a vector. Raises UsageError for a filter that Chroma refuses."""
    from receipt_chroma.errors import QuestionInvalid
    from receipt_chroma.reader.filters import Filters

    try:
        found = generation.nearest(embedding, question.n, Filters.of(question.where, None))
    except QuestionInvalid as error:
        raise UsageError(" ".join(str(error).split())) from error
    manifest = generation.manifest
    hits = tuple(_hit(rank, hit, manifest.shard_count) for rank, hit in enumerate(found, 1))
    return Answer(manifest.collection, manifest.version, manifest.snapshot_id, hits)


def _hit(rank: int, found: "QueryHit", shard_count: int) -> Hit:
    from receipt_dynamo_stream.keys import parse_record_id
    from receipt_dynamo_stream.sharding import shard_of

    receipt = parse_record_id(found.id).receipt
    merchant, labels = found.metadata.get("merchant_name"), found.metadata.get("valid_labels_array")
    return Hit(
        rank=rank,
        id=found.id,
        shard=shard_of(receipt.image_id, receipt.receipt_id, shard_count),
        distance=found.distance,
        document=found.document,
        merchant=str(merchant) if merchant is not None else None,
        labels=tuple(map(str, labels)) if isinstance(labels, list) else (),
    )


def read_vector(given: str | Path, dimension: int) -> list[float]:
    """A JSON array of finite floats, as long as the collection's vectors are: a text, or a file. Raises UsageError."""
    name = str(given) if isinstance(given, Path) else "the vector"
    try:
        values = json.loads(given.read_text() if isinstance(given, Path) else given)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} is not JSON: {error}") from error
    if not isinstance(values, list) or not all(_is_finite_number(value) for value in values):
        raise UsageError(f"{name} is not a JSON array of finite numbers")
    if len(values) != dimension:
        raise UsageError(f"{name} has {len(values)} numbers, the vectors of this collection have {dimension}")
    return [float(value) for value in values]


def read_where(given: str) -> dict[str, Any]:
    """A Chroma `where` filter as JSON. Raises UsageError."""
    try:
        value = json.loads(given)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the filter is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UsageError('the filter is not a JSON object such as {"merchant_name": "Harbor Market"}')
    return value


def _is_finite_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST

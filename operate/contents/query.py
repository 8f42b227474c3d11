"""Questions to a version: by vector, or by text where the asker brings an embedder.

Which model made a collection's vectors is the producers' affair: nothing here embeds.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from operate.contents.embedder import LOOKED_AT, Embedder
from operate.errors import SnapshotNotFound, UsageError

if TYPE_CHECKING:
    from receipt_chroma.reader.open_snapshot import OpenSnapshot
    from receipt_chroma.results import QueryHit
    from receipt_chroma.snapshot.manifest import Manifest

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
    """What the snapshot of one version answered, nearest first. Of a text: which embedder made it a vector, and how
    near that comes to the vectors of the first hits (1 is the same; None without a document)."""

    collection: str
    version: int
    snapshot_id: str
    hits: tuple[Hit, ...]
    embedder: str | None = None
    nearness: float | None = None

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

    def embedding(self, manifest: "Manifest", embedder: Embedder | None) -> list[float]:
        """The vector to look for; a text needs an embedder. Raises UsageError, EmbedderUnfit; SnapshotNotFound for an
        empty version."""
        if manifest.dimension is None:
            raise SnapshotNotFound(
                f"version {manifest.version} of {manifest.collection} is empty: there is nothing to compare with"
            )
        if self.vector is None:
            if embedder is None:
                raise UsageError(
                    "which embedder made these vectors is not known here: name it (--embedder module:function), or give"
                    " a vector, a JSON array"
                )
            return embedder.embed([self.text or ""], manifest.dimension)[0]
        return read_vector(self.vector, manifest.dimension)


def put_question(
    snapshot: "OpenSnapshot", embedding: list[float], question: Question, embedder: Embedder | None
) -> Answer:
    """The records of an open version nearest to a vector. Raises UsageError for a filter that Chroma refuses,
    EmbedderUnfit for a text's answers that its embedder did not make."""
    from receipt_chroma.errors import QuestionInvalid
    from receipt_chroma.reader.filters import Filters

    try:
        found = snapshot.nearest(embedding, question.n, Filters.of(question.where, None))
    except QuestionInvalid as error:
        raise UsageError(" ".join(str(error).split())) from error
    manifest = snapshot.manifest
    hits = tuple(_hit(rank, hit, manifest.shard_count) for rank, hit in enumerate(found, 1))
    answer = Answer(manifest.collection, manifest.version, manifest.snapshot_id, hits)
    if question.text is None or embedder is None:
        return answer
    nearness = embedder.nearness(snapshot.records([hit.id for hit in hits[:LOOKED_AT]]))
    return replace(answer, embedder=embedder.name, nearness=nearness)


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
        raise UsageError('the filter is not a JSON object such as {"merchant_name": "Harbor Grocers"}')
    return value


def _is_finite_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST

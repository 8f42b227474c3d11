"""What a query answers."""

from dataclasses import dataclass

from receipt_chroma.records import Metadata


@dataclass(frozen=True)
class QueryHit:
    """One record near a query; distance is the squared l2 distance, smaller is nearer."""

    id: str
    distance: float
    document: str | None
    metadata: Metadata

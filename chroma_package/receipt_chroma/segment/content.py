"""What a segment holds: for each receipt that it covers, all records that the receipt has from then on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from receipt_dynamo_stream.round.report import ReceiptContent

from receipt_chroma.records import Record, content_of

Vectors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Segment:
    """A segment in memory. Immutable, and so are the arrays of one that was read.

    receipts: what is covered, in order of key, none twice; `records` 0 means that the receipt is gone.
    records: theirs, in order of id, which is also receipt after receipt.
    vectors: float32, (len(records), dimension); row i is the embedding of records[i], which shares its memory.
    """

    receipts: tuple[ReceiptContent, ...]
    records: tuple[Record, ...]
    vectors: Vectors

    @classmethod
    def of(cls, receipts: Mapping[str, Iterable[Record]]) -> Self:
        """The segment that covers these receipts, by key, with all records that each has (metadata in normal form).

        Raises ValueError unless all vectors have one length.
        """
        by_key = {key: sorted(records, key=lambda record: record.id) for key, records in sorted(receipts.items())}
        content = tuple(content_of(key, records) for key, records in by_key.items())
        flat = [record for records in by_key.values() for record in records]
        dimension = len(flat[0].embedding) if flat else 0
        if any(record.embedding.shape != (dimension,) for record in flat):
            raise ValueError("the vectors of a segment have one length")
        vectors = np.array([record.embedding for record in flat], dtype="<f4").reshape(len(flat), dimension)
        return cls(content, with_vectors([(one.id, one.document, one.metadata) for one in flat], vectors), vectors)

    @property
    def dimension(self) -> int | None:
        """Length of the vectors; None when there are no records."""
        return self.vectors.shape[1] if self.records else None

    def by_receipt(self) -> dict[str, tuple[Record, ...]]:
        """The records of each covered receipt; Segment.of gives the segment back."""
        rows = iter(self.records)
        return {one.key: tuple(next(rows) for _ in range(one.records)) for one in self.receipts}


def with_vectors(rows: Iterable[tuple[str, str | None, Any]], vectors: Vectors) -> tuple[Record, ...]:
    """Records of (id, document, metadata) and the rows of a matrix, which they share."""
    return tuple(
        Record(record_id, vector, document, metadata)
        for (record_id, document, metadata), vector in zip(rows, vectors, strict=True)
    )

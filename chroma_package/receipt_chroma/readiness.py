"""How much of the generation that serves another one has: from the indexes in the bucket, no record is read."""

from collections.abc import Mapping
from dataclasses import dataclass

from receipt_dynamo_stream.bucket import Bucket

from receipt_chroma.snapshot.manifest import Manifest
from receipt_chroma.snapshot.receipts import load_counts

EXAMPLES = 5


@dataclass(frozen=True)
class Readiness:
    """receipts and records: of the generation that serves. ready: those receipts that the other has with as many
    records, and those records; examples: keys of some that it has not. more: receipts that only the other has."""

    receipts: int = 0
    records: int = 0
    ready: int = 0
    ready_records: int = 0
    more: int = 0
    examples: tuple[str, ...] = ()

    @property
    def missing(self) -> int:
        """Receipts that are not ready."""
        return self.receipts - self.ready

    @property
    def is_complete(self) -> bool:
        """Whether every receipt is ready."""
        return self.missing == 0


def readiness(bucket: Bucket, serving: Manifest, other: Manifest | None) -> Readiness:
    """Compare two generations, receipt by receipt. other None: it has no snapshot yet.

    Raises SnapshotDamaged, ShardInvalid, TransientServiceError.
    """
    return compare(_counts(bucket, serving), _counts(bucket, other) if other else {})


def compare(serving: Mapping[str, int | None], other: Mapping[str, int | None]) -> Readiness:
    """Of numbers of records by receipt; None where a base of schema version 1 does not say it: any number will do."""
    ready = {
        key: count
        for key, count in serving.items()
        if key in other and (None in (count, other[key]) or count == other[key])
    }
    missing = sorted(serving.keys() - ready.keys())
    return Readiness(
        receipts=len(serving),
        records=sum(count or 0 for count in serving.values()),
        ready=len(ready),
        ready_records=sum(count or 0 for count in ready.values()),
        more=len(other.keys() - serving.keys()),
        examples=tuple(missing[:EXAMPLES]),
    )


def _counts(bucket: Bucket, manifest: Manifest) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for shard in manifest.shards:
        found |= load_counts(bucket, manifest.collection, shard)
    return found

"""What a renewal would take, before it is begun: an estimate from the manifest of what serves. Pure."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Final

from receipt_chroma.snapshot.manifest import Manifest

from operate import prices
from operate.resharding import BYTES_A_RECORD, DEPLOYED_MB, SECONDS_A_RECORD

RECEIPTS_OF_A_ROUND: Final = 250
"""A round plans at most so many."""
STATES_OF_A_ROUND: Final = 23
STATES_OF_A_SHARD: Final = 3
"""What a round enters in the machine, and again for each shard."""
FUNCTIONS_OF_A_ROUND: Final = 6
FUNCTIONS_OF_A_SHARD: Final = 2
SECONDS_OF_A_FUNCTION: Final = 0.5
"""A warm one, most of it round trips: cdk/cost.py."""
VECTOR_DIMENSION: Final = 1536
"""Of the vectors of which BYTES_A_RECORD was measured."""
BYTES_OF_A_NUMBER: Final = 4
TIMES_WRITTEN: Final = 3
"""A record into a segment, and into about two bases as folds take it up: the first ones come while it is small."""


@dataclass(frozen=True)
class RenewalPlan:
    """What it takes to fill `generation` with the receipts and records of the generation that serves.

    runs: what producers announce, one for each receipt. vector_bytes: of the new vectors alone; stored_bytes: of the
    generation on EFS, and as much in S3, beside what is there; written_bytes: to EFS, and once more to S3, until all
    is in. rounds: of one execution, at least. dollars: of rounds, functions and what they write.
    """

    collection: str
    serving: str
    generation: str
    model: str
    dimension: int
    shards: int
    receipts: int
    records: int
    runs: int
    vector_bytes: int
    stored_bytes: int
    written_bytes: int
    rounds: int
    dollars: float

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def plan_renewal(
    manifest: Manifest,
    *,
    collection: str,
    receipts: int,
    generation: str,
    model: str,
    dimension: int,
    shards: int,
) -> RenewalPlan:
    """The plan for the receipts and records of this version of the generation that serves."""
    records = manifest.records
    stored = records * bytes_a_record(manifest, dimension)
    written = TIMES_WRITTEN * stored
    rounds = math.ceil(receipts / RECEIPTS_OF_A_ROUND)
    transitions = rounds * (STATES_OF_A_ROUND + STATES_OF_A_SHARD * shards)
    functions = rounds * (FUNCTIONS_OF_A_ROUND + FUNCTIONS_OF_A_SHARD * shards)
    at_work = functions * SECONDS_OF_A_FUNCTION + TIMES_WRITTEN * records * SECONDS_A_RECORD
    dollars = (
        transitions * prices.TRANSITION_DOLLARS
        + functions * prices.REQUEST_DOLLARS
        + at_work * max(DEPLOYED_MB.values()) / 1024 * prices.GB_SECOND_DOLLARS
        + written * (prices.EFS_WRITE_DOLLARS + 2 * prices.EFS_READ_DOLLARS) / 1e9  # proved, and read by the next fold
        + receipts * prices.PUT_DOLLARS
    )
    return RenewalPlan(
        collection=collection,
        serving=manifest.collection,
        generation=generation,
        model=model,
        dimension=dimension,
        shards=shards,
        receipts=receipts,
        records=records,
        runs=receipts,
        vector_bytes=records * dimension * BYTES_OF_A_NUMBER,
        stored_bytes=round(stored),
        written_bytes=round(written),
        rounds=rounds,
        dollars=dollars,
    )


def bytes_a_record(manifest: Manifest, dimension: int) -> float:
    """Of a base with vectors of this dimension: as those of the manifest, but for the vector."""
    bases = sum(entry.size for shard in manifest.shards for entry in shard.files)
    in_bases = sum(shard.base_records for shard in manifest.shards)
    measured, of = (bases / in_bases, manifest.dimension) if in_bases else (BYTES_A_RECORD, VECTOR_DIMENSION)
    beside_the_vector = max(0.0, measured - BYTES_OF_A_NUMBER * (of or VECTOR_DIMENSION))
    return beside_the_vector + BYTES_OF_A_NUMBER * dimension

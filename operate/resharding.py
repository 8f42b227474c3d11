"""What a re-shard would take, before it is started: an estimate from the manifest of a version. Pure."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from receipt_chroma.errors import ReshardRefused
from receipt_chroma.folding import MOST_SHARDS, shard_number
from receipt_chroma.snapshot.manifest import Manifest, ManifestShard
from receipt_dynamo_stream.sharding import sources_of

from operate import prices
from operate.errors import UsageError

STATES: Final = 22
STATES_OF_A_SHARD: Final = 2
"""What a re-shard enters in the machine, and again for each new shard."""
AT_ONCE: Final = 4
"""New shards that are staged at the same time."""
FUNCTIONS: Final = 5
FUNCTIONS_OF_A_SHARD: Final = 2
"""PlanFold, WriteFold, ValidateReshard, SwapPointer, ExpireSnapshots; FoldShard and ValidateFold for each shard."""
DEPLOYED_MB: Final = {"dev": 3008, "prod": 8192}
"""Memory of FoldShard and ValidateFold as deployed, by stage."""
SECONDS_A_RECORD: Final = 0.004
SECONDS_TO_START: Final = 10.0
"""To stage and prove a record on one core, which benchmarks/README.md measures; to start functions and to commit."""
BYTES_A_RECORD: Final = 9_600
"""Of a base, where there is none to be asked."""
MEMORY_A_RECORD: Final = 20_000
MEMORY_OF_A_PROCESS: Final = 250_000_000
"""Of the process that proves a base, mapped files included; the one that writes it takes less (the same table)."""
FUNCTION_SECONDS, GRACE_SECONDS, LAMBDA_MB = 900, 3_240, 10_240
"""A function's own end; what it staged must be committed by then, or counts as garbage; the largest that Lambda has."""
OBJECTS_OF_A_BASE: Final = 10
RECORDS_OF_A_RECEIPT: Final = 87
DEVIATIONS: Final = 3
"""Whole receipts fall on the new shards, by a hash: the largest shard has so many standard deviations more."""


@dataclass(frozen=True)
class ReshardPlan:
    """What it takes to bring `records` of a version from so many `shards` `into` others.

    largest: records of the largest new shard, and memory_bytes and disk_bytes what the function needs that writes it.
    read_bytes are read from EFS, written_bytes are written to EFS and once more to S3, by all `functions` together.
    warnings: sentences about why it may not come to its end as deployed.
    """

    collection: str
    version: int
    records: int
    shards: int
    into: int
    largest: int
    functions: int
    read_bytes: int
    written_bytes: int
    memory_bytes: int
    disk_bytes: int
    seconds: float
    dollars: float
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def number_of_shards(given: int) -> int:
    """A number of shards that a collection may have. Raises UsageError for any other."""
    try:
        if shard_number(given):
            return given
    except ReshardRefused:
        pass
    raise UsageError(f"a collection has from 1 to {MOST_SHARDS} shards, not {given}")


def plan_reshard(manifest: Manifest, into: int) -> ReshardPlan:
    """The plan for the records of this version. Raises UsageError for what is no number of shards."""
    number_of_shards(into)
    largest = max(_records(found, manifest, into) for found in _sources(manifest, into))
    old_bases = [sum(entry.size for entry in shard.files) for shard in manifest.shards]
    in_bases = sum(shard.base_records for shard in manifest.shards)
    bytes_a_record = sum(old_bases) / in_bases if in_bases else BYTES_A_RECORD
    written = round(manifest.records * bytes_a_record)
    read = written + sum(shard.total_bytes for found in _sources(manifest, into) for shard in found)
    memory = MEMORY_OF_A_PROCESS + MEMORY_A_RECORD * largest
    seconds = SECONDS_TO_START + math.ceil(into / AT_ONCE) * largest * SECONDS_A_RECORD
    functions = FUNCTIONS + FUNCTIONS_OF_A_SHARD * into
    at_work = FUNCTIONS_OF_A_SHARD * into * SECONDS_TO_START + manifest.records * SECONDS_A_RECORD
    dollars = (
        (STATES + STATES_OF_A_SHARD * into) * prices.TRANSITION_DOLLARS
        + functions * prices.REQUEST_DOLLARS
        + at_work * max(DEPLOYED_MB.values()) / 1024 * prices.GB_SECOND_DOLLARS
        + (read * prices.EFS_READ_DOLLARS + written * prices.EFS_WRITE_DOLLARS) / 1e9
        + into * OBJECTS_OF_A_BASE * prices.PUT_DOLLARS
    )
    return ReshardPlan(
        collection=manifest.collection,
        version=manifest.version,
        records=manifest.records,
        shards=manifest.shard_count,
        into=into,
        largest=largest,
        functions=functions,
        read_bytes=read,
        written_bytes=written,
        memory_bytes=memory,
        disk_bytes=round(2 * largest * bytes_a_record) + max(old_bases),
        seconds=seconds,
        dollars=dollars,
        warnings=tuple(_warnings(memory, largest * SECONDS_A_RECORD, seconds)),
    )


def _sources(manifest: Manifest, into: int) -> Iterator[list[ManifestShard]]:
    """Of each new shard, the old ones that its function reads."""
    for shard in range(into):
        yield [manifest.shards[number] for number in sources_of(shard, into=into, of=manifest.shard_count)]


def _records(sources: list[ManifestShard], manifest: Manifest, into: int) -> int:
    """How many records of its sources a new shard has: all of them, or as the hash lets its share be at most."""
    parts = into // math.gcd(into, manifest.shard_count)
    share = sum(shard.records for shard in sources) / parts
    uneven = DEVIATIONS * math.sqrt(share * RECORDS_OF_A_RECEIPT) if parts > 1 else 0.0
    return min(round(share + uneven), manifest.records)


def _warnings(memory: int, function_seconds: float, seconds: float) -> Iterator[str]:
    for stage, megabytes in DEPLOYED_MB.items():
        if memory > megabytes * 1024**2:
            yield f"Its functions have {megabytes:,} MB as deployed in stage {stage}: too few for the largest shard."
    if memory > LAMBDA_MB * 1024**2 or function_seconds > FUNCTION_SECONDS:
        yield "The largest shard does not fit one Lambda function: ask for more shards."
    if seconds > GRACE_SECONDS:
        yield (
            f"What is staged must be committed within {GRACE_SECONDS // 60} minutes unless expire_grace_seconds is"
            " raised before: it would end as reshard_lost."
        )

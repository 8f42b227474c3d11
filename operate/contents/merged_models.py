"""What a version brought and what a round merged, as values."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class MergedReceipt:
    """What the plan and the merge say of one receipt, given by key.

    exists: whether DynamoDB had it. attempts: how often it had been planned without being settled, this time included.
    runs: vectors merged by run id. counts: records by what happened to them, None without a report of its shard.
    """

    receipt: str
    shard: int
    exists: bool
    attempts: int
    first_changed_at: datetime | None
    runs: Mapping[str, int]
    counts: Mapping[str, int] | None


@dataclass(frozen=True)
class RefusedRun:
    """A run whose delta was refused: the name of the error, and what it said."""

    receipt: str
    run_id: str
    error: str
    message: str


@dataclass(frozen=True)
class MergedShard:
    """What became of one shard. attempts: how many reports there are of it; changed is None when none counts.

    wrote: `base` or `segment`, of so many bytes; None for a shard that did not change.
    """

    shard: int
    attempts: int
    changed: bool | None
    counts: Mapping[str, int]
    seconds: Mapping[str, float]
    wrote: str | None = None
    bytes: int = 0


@dataclass(frozen=True)
class MergedRound:
    """One round of an execution: its plan, and what its merge did so far.

    version, snapshot_id, state: of the version that was made of it, as in the lineage; a `candidate` was never
    published. None when it made none (yet). base_version: 0 for the first. plans: how many there are of the round.
    bytes: what its shards wrote. seconds: by step, of the slowest shard, since shards are merged side by side.
    problems: what could not be read, in sentences; when that is the plan, there are no receipts.
    """

    collection: str
    execution: str
    round: int
    plan_key: str
    plans: int
    trigger: str | None
    planned_at: datetime | None
    base_version: int | None
    version: int | None
    snapshot_id: str | None
    state: str | None
    receipts: tuple[MergedReceipt, ...]
    refusals: tuple[RefusedRun, ...]
    shards: tuple[MergedShard, ...]
    counts: Mapping[str, int]
    seconds: Mapping[str, float]
    problems: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """Of the bases and segments that it wrote."""
        return sum(shard.bytes for shard in self.shards)

    def to_json(self) -> dict[str, Any]:
        """As plain values, times in ISO-8601."""
        value = {**asdict(self), "bytes": self.bytes}
        value["planned_at"] = self.planned_at.isoformat() if self.planned_at else None
        for receipt in value["receipts"]:
            first = receipt["first_changed_at"]
            receipt["first_changed_at"] = first.isoformat() if first else None
        return value


@dataclass(frozen=True)
class WhatCame:
    """What a version brought. took_up: for a rollback or a fold the snapshot id of the version whose records it has
    again; it merged nothing. merged is None then, and when the plan is gone: `problem` says so.
    """

    collection: str
    version: int
    snapshot_id: str
    took_up: str | None
    problem: str | None
    merged: MergedRound | None

    def to_json(self) -> dict[str, Any]:
        """As plain values, times in ISO-8601."""
        return {**asdict(self), "merged": self.merged.to_json() if self.merged else None}

"""What the demo is asked for, what it found, and how it fails."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from receipt_dynamo_stream.errors import CompactionError

from local.demo.samples.embedding import DIMENSION

MIN_RECEIPTS = 4  # one to relabel, one to give another merchant, one to delete, one to delete and create again


class DemoFailed(CompactionError):
    """The machine did not do what an act of the demo claims that it does."""

    def __init__(self, act: str, expected: str, seen: object) -> None:
        super().__init__(f"{act}: expected {expected}; seen: {seen}")
        self.act, self.expected, self.seen = act, expected, seen


@dataclass(frozen=True)
class DemoSettings:
    """`folder` is emptied first. `shards`: K of both collections. `schedule_seconds`: how often the schedule starts an
    execution per collection. `patience_seconds`: how long an act waits at most.

    Raises ValueError for fewer than MIN_RECEIPTS receipts or no shard.
    """

    receipts: int = 40
    shards: int = 1
    seed: int = 7
    folder: Path = Path(".compaction/demo")
    dimension: int = DIMENSION
    schedule_seconds: float = 5.0
    patience_seconds: float = 120.0

    def __post_init__(self) -> None:
        if self.receipts < MIN_RECEIPTS or self.shards < 1:
            raise ValueError(f"the demo needs at least {MIN_RECEIPTS} receipts and 1 shard")


@dataclass(frozen=True)
class CollectionResult:
    """One collection at the end. `executions` counts by how they ended; `visible_seconds` has one value per change."""

    version: int
    records: int
    expected_records: int
    executions: Mapping[str, int]
    visible_seconds: Sequence[float]
    quarantined: int
    differences: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """As scripts get it; seconds to the millisecond."""
        seconds = {"p50": round(statistics.median(self.visible_seconds), 3), "max": round(max(self.visible_seconds), 3)}
        return {
            "version": self.version,
            "records": self.records,
            "expected_records": self.expected_records,
            "executions": dict(self.executions),
            "visible_seconds": seconds,
            "quarantined": self.quarantined,
        }


@dataclass(frozen=True)
class DemoResult:
    """What the demo found. `steps`: median seconds by state. `ok`: everything published is what it must be."""

    efs: Path
    collections: Mapping[str, CollectionResult]
    steps: Mapping[str, float]

    @property
    def ok(self) -> bool:
        """Every record equals the independent model's. The acts' own claims held, or there would be no result."""
        return all(not collection.differences for collection in self.collections.values())

    def to_json(self) -> dict[str, Any]:
        """The one object that scripts read."""
        return {
            "ok": self.ok,
            "efs": str(self.efs),
            "collections": {name: collection.to_json() for name, collection in self.collections.items()},
            "steps": {name: round(seconds, 3) for name, seconds in self.steps.items()},
        }

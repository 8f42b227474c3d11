"""What is inside a version and what differs between two, as values."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from operate.wording import count_of

KINDS: Final = ("added", "removed", "changed")
"""What a record is between an older and a newer version; or else it is unchanged."""

Value = str | int | float | bool | list[str] | list[int] | list[float] | list[bool]
"""A metadata value."""


@dataclass(frozen=True)
class RecordRow:
    """One record without its vector; `shard` is where it lies."""

    id: str
    shard: int
    document: str | None
    metadata: Mapping[str, Value]


@dataclass(frozen=True)
class RecordPage:
    """Some of a version's records by id: those from `offset` on, of `total` that were asked for."""

    collection: str
    version: int
    snapshot_id: str
    total: int
    offset: int
    limit: int
    records: tuple[RecordRow, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


@dataclass(frozen=True)
class ReceiptRecords:
    """A receipt, by key, that a version has records of."""

    receipt: str
    shard: int
    records: int


@dataclass(frozen=True)
class RecordChange:
    """A record that both versions have, with what differs; `shard` is where the newer one has it.

    document: older and newer, None when it is the same. vector: whether any bit differs. metadata: older and newer
    value by key, None on the side that does not have it.
    """

    id: str
    shard: int
    document: tuple[str | None, str | None] | None
    vector: bool
    metadata: Mapping[str, tuple[Value | None, Value | None]]


@dataclass(frozen=True)
class Comparison:
    """What differs from an older to a newer version (either may have been published first).

    added, removed, changed and unchanged count records; of the changed ones, documents and vectors count those where
    these differ, and keys those where a metadata key does. The listings have `limit` records of each kind from
    `offset` on, by shard and id. Of `shards`, `skipped` were not read: both versions have the same ones.
    older_shards: of the older version; where that is another number, all of them are read, or none.
    """

    collection: str
    older: int
    older_id: str
    newer: int
    newer_id: str
    added: int
    removed: int
    changed: int
    unchanged: int
    documents: int
    vectors: int
    keys: Mapping[str, int]
    shards: int
    older_shards: int
    skipped: int
    offset: int
    limit: int
    added_records: tuple[RecordRow, ...]
    removed_records: tuple[RecordRow, ...]
    changed_records: tuple[RecordChange, ...]

    @property
    def differs(self) -> bool:
        """Whether any record does."""
        return bool(self.added or self.removed or self.changed)

    @property
    def across_shards(self) -> str | None:
        """What was compared, and what cannot be, of versions with different numbers of shards; None of all others."""
        if self.shards == self.older_shards:
            return None
        return (
            f"Version {self.older} has {count_of(self.older_shards, 'shard')}, version {self.newer} has {self.shards}:"
            " records are compared wherever they lie, all their content. Shards are not: the receipts of one are in"
            " several of the other version's, so all are read, or none where all records together are the same."
        )

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

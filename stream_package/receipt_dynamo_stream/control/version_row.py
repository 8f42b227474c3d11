"""What a VERSION row says, and how it is written: one field is one attribute, written and read by its type.

A new field is all that a new attribute needs: among `Brought`'s when plan and reports tell it, else among the row's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from receipt_dynamo_stream.attributes import Item, decode, int_of, null_or_string, number, string, text_of
from receipt_dynamo_stream.control.head import parse_snapshot_id
from receipt_dynamo_stream.times import seconds_between

CANDIDATE: Final = "candidate"
COMMITTED: Final = "committed"
EXPIRED: Final = "EXPIRED"

ROW_PREFIX: Final = "VERSION#"


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What a version brought, as plan and reports tell it. Rollbacks and folds bring nothing: 0 and None, as for rows
    that are older than these attributes.

    counts are records by what happened to them; seconds durations by step, as far as the steps told. receipts are those
    of the plan, runs those that it is the first to hold, refused those whose delta was bad, first_changed_at the oldest
    change among its receipts: since when it was waited for.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    receipts: int = 0
    runs: int = 0
    refused: int = 0
    first_changed_at: str | None = None


@dataclass(frozen=True, slots=True)
class VersionRow(Brought):
    """One attempt to publish a version: what it is, who made it, and what it brought.

    created_at is when its plan was made. committed_at is when readers could see it: it is set after the swap, some
    moments after the commit itself, whose time is HEAD's. expired_at: its files may be gone since then. rollback, of a
    rollback's row: the snapshot id whose shards it publishes again. folded, of a fold's row: how many of its shards
    have a new base; its records are those of its parent. kind: merge, fold, rollback or restore; None in rows
    that are older than folds. segments and fresh_records: how many its shards have over their bases; bytes are of both.
    """

    snapshot_id: str
    state: str = CANDIDATE
    parent: str | None = None
    manifest_key: str = ""
    manifest_sha256: str = ""
    plan_key: str = ""
    execution: str = ""
    trigger: str = ""
    created_at: str = ""
    committed_at: str | None = None
    expired_at: str | None = None
    pinned: str | None = None
    records: int = 0
    bytes: int = 0
    rollback: str | None = None
    folded: int = 0
    kind: str | None = None
    segments: int = 0
    fresh_records: int = 0

    @property
    def visible_after_seconds(self) -> float | None:
        """From the oldest change that it brought to its being visible; None when either time is not known."""
        if self.first_changed_at is None or self.committed_at is None:
            return None
        return seconds_between(self.first_changed_at, self.committed_at)

    @property
    def version(self) -> int:
        """The version number in the snapshot id."""
        return parse_snapshot_id(self.snapshot_id).version


def row_key(collection: str, snapshot_id: str) -> Item:
    """Key of a VERSION row."""
    return {"PK": string(f"COLLECTION#{collection}"), "SK": string(ROW_PREFIX + snapshot_id)}


def archived_key(collection: str, snapshot_id: str) -> Item:
    """Key of a row that has been EXPIRED for long: in a partition of its own, which only history reads."""
    return {"PK": string(f"VERSIONS_EXPIRED#{collection}"), "SK": string(ROW_PREFIX + snapshot_id)}


def candidate_item(row: VersionRow) -> dict[str, Item]:
    """The attributes of a row that is about to be committed, its key aside; `version` is there for other readers."""
    written = {one.name: _WRITTEN[one.type](getattr(row, one.name)) for one in fields(row) if one.name not in _LATER}
    return {**written, "state": string(CANDIDATE), "version": number(row.version)}


def brought_attributes(brought: Brought) -> dict[str, Item]:
    """The attributes that a settled round knows better than its candidate did; `seconds` add up one by one instead."""
    values = [(one, getattr(brought, one.name)) for one in fields(Brought) if one.name != "seconds"]
    return {one.name: _WRITTEN[one.type](value) for one, value in values if value is not None}


def parse_version(item: Item) -> VersionRow:
    """A row from its item; what is absent or of another type has its default."""
    found = {one.name: _READ[one.type](item, one.name) for one in fields(VersionRow)}
    snapshot_id = (text_of(item, "SK") or "").removeprefix(ROW_PREFIX)
    pinned = (found["pinned"] or "set") if "pinned" in item else None  # set by being there, whatever its value
    return VersionRow(**{**found, "snapshot_id": snapshot_id, "state": found["state"] or CANDIDATE, "pinned": pinned})


def numbers(values: Mapping[str, int] | Mapping[str, float]) -> Item:
    """A map of numbers by name."""
    return {"M": {name: number(value) for name, value in sorted(values.items())}}


_LATER: Final = {"committed_at", "expired_at", "pinned"}
"""What a candidate does not have: they are set by being there."""

_WRITTEN: Final[Mapping[Any, Callable[[Any], Item]]] = {
    str: string,
    str | None: null_or_string,
    int: number,
    Mapping[str, int]: numbers,
    Mapping[str, float]: numbers,
}

_READ: Final[Mapping[Any, Callable[[Item, str], Any]]] = {
    str: lambda item, name: text_of(item, name) or "",
    str | None: text_of,
    int: int_of,
    Mapping[str, int]: lambda item, name: {step: int(value) for step, value in _mapping(item, name).items()},
    Mapping[str, float]: lambda item, name: {step: float(value) for step, value in _mapping(item, name).items()},
}


def _mapping(item: Item, name: str) -> dict[str, Any]:
    return decode(item[name]) if "M" in item.get(name, {}) else {}

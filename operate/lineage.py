"""The versions of a collection as an operator sees them: HEAD's chain of parents, and what lost attempts left."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from receipt_chroma.snapshot.manifest import ROLLBACK
from receipt_chroma.snapshot.retention import parent_chain
from receipt_dynamo_stream.control.head import Head, Pointer, parse_snapshot_id
from receipt_dynamo_stream.control.versions import EXPIRED, VersionRow
from receipt_dynamo_stream.errors import KeyMalformed

from operate.errors import VersionNotFound, VersionRefused
from operate.models import name_of, parse_time

STATES = ("current", "committed", "expired", "candidate")
"""`current` is HEAD's, `committed` was. A `candidate` never became a version. `expired` may be either."""


@dataclass(frozen=True)
class Version:
    """One VERSION row, read by its place: what is on HEAD's chain was `published`, whatever else its row says.

    `readers`: the version that the file system shows. `counts` is what the merge did to records, by name; a rollback
    has none. `bytes` is the size of its files, shared with other versions or not. `kind`: merge, fold, rollback
    or restore, None when its row is too old to say it; `fresh_records` lie in `segments` over the bases.
    `rollback`, of a rollback: the snapshot id that it publishes again. `execution` is a name. `manifest_key`,
    `manifest_sha256` and `plan_key` lead to what it has on S3.
    """

    version: int
    snapshot_id: str
    state: str
    published: bool
    readers: bool
    pinned: str | None
    records: int
    bytes: int
    counts: dict[str, int]
    made_at: datetime | None
    execution: str
    trigger: str
    parent: str | None
    plan_key: str
    manifest_key: str = ""
    manifest_sha256: str = ""
    kind: str | None = None
    segments: int = 0
    fresh_records: int = 0
    rollback: str | None = None

    @property
    def pointer(self) -> Pointer:
        """What HEAD says, or said, of it."""
        return Pointer(self.version, self.snapshot_id, self.manifest_key, self.manifest_sha256)

    def to_json(self) -> dict[str, Any]:
        """As plain values, times in ISO-8601."""
        return {**asdict(self), "made_at": self.made_at.isoformat() if self.made_at else None}


def lineage(head: Head | None, rows: Sequence[VersionRow]) -> list[Version]:
    """Every row as a version: HEAD's chain first, from HEAD back to the oldest, then the others, newest first."""
    newest_first = sorted(rows, key=lambda row: row.snapshot_id, reverse=True)
    chain = parent_chain(head.pointer.snapshot_id, newest_first) if head and head.pointer else iter(())
    place = {row.snapshot_id: index for index, row in enumerate(chain)}
    in_order = sorted(newest_first, key=lambda row: place.get(row.snapshot_id, len(place)))
    projected = head.projected_version if head else 0
    return [_version(row, place.get(row.snapshot_id), projected) for row in in_order]


@dataclass(frozen=True)
class ArchivedVersions:
    """A page of the archive, newest first. `older` begins the next page, None at the end."""

    versions: tuple[Version, ...]
    older: str | None


def archived_version(row: VersionRow) -> Version:
    """An archived row as a version: `published` if readers ever saw it."""
    return _version(row, None if row.committed_at is None else 1, 0)


def version_number(given: str | None) -> int | None:
    """The number of a version given by number or snapshot id; None for anything else."""
    if given is None:
        return None
    if given.isascii() and given.isdigit():
        return int(given)
    try:
        return parse_snapshot_id(given).version
    except KeyMalformed:
        return None


def find_version(collection: str, versions: Sequence[Version], given: str | None, *, expired: bool = False) -> Version:
    """The published version of this number or snapshot id, the current one for None.

    Raises VersionNotFound, also for what was never published, and VersionRefused for one that is EXPIRED, unless
    `expired` says that its files are not needed.
    """
    published = [version for version in versions if version.published]
    if given is None:
        found = next((version for version in published if version.state == "current"), None)
    elif given.isascii() and given.isdigit():
        found = next((version for version in published if version.version == int(given)), None)
    else:
        found = next((version for version in published if version.snapshot_id == given), None)
    if found is None:
        what = f"version {given}" if given else "published version"
        raise VersionNotFound(f"no {what} of {collection}: `compaction versions {collection}` lists them")
    if found.state == "expired" and not expired:
        raise VersionRefused(
            f"version {found.version} of {collection} is EXPIRED for ever: its files may be gone;"
            f" `compaction versions {collection}` lists the others"
        )
    return found


def _version(row: VersionRow, place: int | None, projected: int) -> Version:
    state = "candidate" if place is None else "committed" if place else "current"
    return Version(
        version=row.version,
        snapshot_id=row.snapshot_id,
        state="expired" if row.state == EXPIRED else state,
        published=place is not None,
        readers=place is not None and row.version == projected,
        pinned=row.pinned,
        records=row.records,
        bytes=row.bytes,
        counts=dict(row.counts),
        made_at=parse_time(row.committed_at or row.created_at),
        execution=name_of(row.execution),
        trigger=row.trigger,
        parent=row.parent,
        plan_key=row.plan_key,
        manifest_key=row.manifest_key,
        manifest_sha256=row.manifest_sha256,
        kind=row.kind or (ROLLBACK if row.rollback else None),
        segments=row.segments,
        fresh_records=row.fresh_records,
        rollback=row.rollback,
    )

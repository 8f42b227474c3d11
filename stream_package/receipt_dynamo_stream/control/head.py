"""HEAD of a collection in the control table: the lease and the pointer.

The lease and the commit are written by native states of the state machine; this module reads HEAD and writes what
functions own: `projected_version` (the version that EFS shows), what readers were found to see, and `fold` (the
execution that folds).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from receipt_dynamo_stream.attributes import Item, int_of, number, string, text_of
from receipt_dynamo_stream.conditions import update_if
from receipt_dynamo_stream.control.part import Part
from receipt_dynamo_stream.errors import KeyMalformed, PointerMissing


class PointerFields(TypedDict):
    """A pointer as plain JSON values."""

    version: int
    snapshot_id: str
    manifest_key: str
    manifest_sha256: str


@dataclass(frozen=True, slots=True)
class Pointer:
    """The current snapshot of a collection: its version, id, and the manifest's key and sha256 (hex)."""

    version: int
    snapshot_id: str
    manifest_key: str
    manifest_sha256: str

    def to_json(self) -> PointerFields:
        """Plain JSON values."""
        return {
            "version": self.version,
            "snapshot_id": self.snapshot_id,
            "manifest_key": self.manifest_key,
            "manifest_sha256": self.manifest_sha256,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Pointer":
        """What to_json gave."""
        return cls(value["version"], value["snapshot_id"], value["manifest_key"], value["manifest_sha256"])


@dataclass(frozen=True, slots=True)
class Head:
    """HEAD as it was read. `rerun` and `paused` are set by being there; their text says when and why.

    waiting: the execution that gets the lease after the holder's round. fold_due: how many shards of the current
    version are past the fold bound; fold: the execution that was last started to fold them.

    unseen: since when, and why, readers do not see what the pointer names; restored: when and what was last brought
    back to EFS; went_back: that HEAD was found behind what readers had seen, and what it forgot was not derived again.

    On HEAD of a later generation: model, whose runs it merges, and dimension, of its vectors, where that was given. On
    HEAD of a collection: what control.generations says of its generations.
    """

    collection: str
    holder: str | None = None
    acquired_at: str | None = None
    fence: int = 0
    rerun: str | None = None
    paused: str | None = None
    pointer: Pointer | None = None
    version: int = 0
    projected_version: int = 0
    shards: int = 1
    committed_at: str | None = None
    execution: str | None = None
    waiting: str | None = None
    fold_due: int = 0
    fold: str | None = None
    unseen: str | None = None
    restored: str | None = None
    went_back: str | None = None
    model: str = ""
    dimension: int | None = None


@dataclass(frozen=True, order=True, slots=True)
class SnapshotId:
    """The parts of a snapshot id; unique per attempt, because a fence is never given twice."""

    version: int
    fence: int
    round: int


def head_key(collection: str) -> Item:
    """Key of the collection's HEAD item."""
    return {"PK": string(f"COLLECTION#{collection}"), "SK": string("HEAD")}


def snapshot_id_of(version: int, fence: int, round: int) -> str:
    """`{version:010d}-{fence:010d}-{round}`: ids sort by version, then fence."""
    return f"{version:010d}-{fence:010d}-{round}"


def parse_snapshot_id(snapshot_id: str) -> SnapshotId:
    """Read what snapshot_id_of wrote. Raises KeyMalformed."""
    parts = snapshot_id.split("-")
    if len(parts) == 3 and all(part.isascii() and part.isdigit() for part in parts):
        version, fence, round_ = (int(part) for part in parts)
        if snapshot_id_of(version, fence, round_) == snapshot_id:
            return SnapshotId(version, fence, round_)
    raise KeyMalformed(f"{snapshot_id!r} is not a snapshot id (0000000001-0000000001-0)")


def parse_head(collection: str, item: Item) -> Head:
    """HEAD from its item; absent numbers are 0, absent shards 1. A pointer is there when all its parts are."""
    version = int_of(item, "version")
    snapshot_id = text_of(item, "snapshot_id")
    manifest_key = text_of(item, "manifest_key")
    manifest_sha256 = text_of(item, "manifest_sha256")
    pointer = None
    if snapshot_id and manifest_key and manifest_sha256:
        pointer = Pointer(version, snapshot_id, manifest_key, manifest_sha256)
    return Head(
        collection=collection,
        holder=text_of(item, "holder"),
        acquired_at=text_of(item, "acquired_at"),
        fence=int_of(item, "fence"),
        rerun=_flag(item, "rerun"),
        paused=_flag(item, "paused"),
        pointer=pointer,
        version=version,
        projected_version=int_of(item, "projected_version"),
        shards=max(1, int_of(item, "shards", 1)),
        committed_at=text_of(item, "committed_at"),
        execution=text_of(item, "execution"),
        waiting=text_of(item, "waiting"),
        fold_due=int_of(item, "fold_due"),
        fold=text_of(item, "fold"),
        unseen=_flag(item, "unseen"),
        restored=text_of(item, "restored"),
        went_back=_flag(item, "went_back"),
        model=text_of(item, "model") or "",
        dimension=int_of(item, "dimension") or None,
    )


class CollectionHead(Part):
    """The HEAD item of one collection."""

    def read(self) -> Head | None:
        """HEAD by a consistent read; None before the collection's first execution."""
        item = self.read_item()
        return parse_head(self.collection, item) if item else None

    def read_item(self) -> Item:
        """HEAD's attributes by a consistent read; empty before the collection's first execution."""
        answer = self.client.get_item(TableName=self.table, Key=head_key(self.collection), ConsistentRead=True)
        return answer.get("Item") or {}

    def raise_projected_version(self, version: int) -> bool:
        """Record that EFS shows this version. Only upward: False when it is not higher, or there is no HEAD."""
        applied, _ = update_if(
            self.client,
            table=self.table,
            key=head_key(self.collection),
            condition="attribute_exists(PK)"
            " AND (attribute_not_exists(projected_version) OR projected_version < :version)",
            UpdateExpression="SET projected_version = :version",
            ExpressionAttributeValues={":version": number(version)},
        )
        return applied

    def note_unseen(self, why: str) -> None:
        """Readers do not see what HEAD names: `why` says since when. The first reason stays until `note_restored`."""
        self._write("SET unseen = if_not_exists(unseen, :text)", why)

    def note_restored(self, what: str) -> None:
        """Readers see again what HEAD names."""
        self._write("SET restored = :text REMOVE unseen", what)

    def forget_going_back(self) -> None:
        """Every receipt is marked pending again: what HEAD forgot will be derived."""
        self._write("REMOVE went_back")

    def commit_restored(self, pointer: Pointer, *, over: Head, went_back: str | None, now: str) -> bool:
        """The commit of a restore: HEAD's own snapshot under a version that readers have not seen yet.

        The compare-and-swap of every commit, by holder, fence and version of `over`, paused or not. False when it is
        refused: another attempt was first, or the lease is lost. went_back: what says that HEAD has forgotten versions.
        """
        if over.pointer is None or over.holder is None:
            return False
        applied, _ = update_if(
            self.client,
            table=self.table,
            key=head_key(self.collection),
            condition="holder = :holder AND fence = :fence AND version = :base AND snapshot_id = :base_id",
            UpdateExpression="SET version = :version, snapshot_id = :snapshot_id, manifest_key = :manifest_key,"
            " manifest_sha256 = :manifest_sha256, committed_at = :now, execution = :holder"
            + (", went_back = :why" if went_back else ""),
            ExpressionAttributeValues={
                ":holder": string(over.holder),
                ":fence": number(over.fence),
                ":base": number(over.version),
                ":base_id": string(over.pointer.snapshot_id),
                ":version": number(pointer.version),
                ":snapshot_id": string(pointer.snapshot_id),
                ":manifest_key": string(pointer.manifest_key),
                ":manifest_sha256": string(pointer.manifest_sha256),
                ":now": string(now),
                **({":why": string(went_back)} if went_back else {}),
            },
        )
        return applied

    def take_up(
        self, pointer: Pointer, *, instead_of: Head, fence: int, shards: int, why: str, now: str, model: str = ""
    ) -> bool:
        """Let HEAD name a snapshot after it was lost, under a fence that no execution has had. False when HEAD changed.

        fence: at least that of every snapshot that there ever was. model: of a later generation.
        """
        was = "fence = :fence_was" if instead_of.fence else "attribute_not_exists(fence)"
        named = "snapshot_id = :was" if instead_of.pointer else "attribute_not_exists(snapshot_id)"
        values: dict[str, Item] = {
            ":version": number(pointer.version),
            ":zero": number(0),
            ":snapshot_id": string(pointer.snapshot_id),
            ":manifest_key": string(pointer.manifest_key),
            ":manifest_sha256": string(pointer.manifest_sha256),
            ":fence": number(max(fence, instead_of.fence) + 1),
            ":shards": number(shards),
            ":now": string(now),
            ":why": string(why),
        }
        if model:
            values[":model"] = string(model)
        if instead_of.fence:
            values[":fence_was"] = number(instead_of.fence)
        if instead_of.pointer:
            values[":was"] = string(instead_of.pointer.snapshot_id)
        applied, _ = update_if(
            self.client,
            table=self.table,
            key=head_key(self.collection),
            condition=f"{was} AND {named}",
            UpdateExpression="SET version = :version, snapshot_id = :snapshot_id, manifest_key = :manifest_key,"
            " manifest_sha256 = :manifest_sha256, fence = :fence, shards = :shards, committed_at = :now,"
            " projected_version = :zero, went_back = :why"
            + (", model = :model" if model else "")
            + " REMOVE holder, rerun, waiting, fold_due",
            ExpressionAttributeValues=values,
        )
        return applied

    def _write(self, expression: str, text: str | None = None) -> None:
        more = {} if text is None else {"ExpressionAttributeValues": {":text": string(text)}}
        update_if(
            self.client,
            table=self.table,
            key=head_key(self.collection),
            condition="attribute_exists(PK)",
            UpdateExpression=expression,
            **more,
        )

    def claim_fold(self, execution: str, *, instead_of: str | None) -> bool:
        """Name the execution that will fold. False when another one was named meanwhile, or there is no HEAD."""
        was = "fold = :was" if instead_of else "attribute_not_exists(fold)"
        values = {":execution": string(execution), **({":was": string(instead_of)} if instead_of else {})}
        applied, _ = update_if(
            self.client,
            table=self.table,
            key=head_key(self.collection),
            condition=f"attribute_exists(PK) AND {was}",
            UpdateExpression="SET fold = :execution",
            ExpressionAttributeValues=values,
        )
        return applied


def require_pointer_or_empty(head: Head | None, version_states: Iterable[str]) -> Pointer | None:
    """The pointer to build on; None only for a collection that never had a snapshot.

    version_states are the states of the collection's VERSION rows. Raises PointerMissing when HEAD has no pointer, or
    is gone, although versions were committed (candidates prove nothing: a first execution may have been lost before
    its commit).
    """
    pointer = head.pointer if head else None
    if pointer is not None:
        return pointer
    published = [state for state in version_states if state != "candidate"]
    if published or (head is not None and head.version > 0):
        name = head.collection if head else "the collection"
        raise PointerMissing(
            f"HEAD of {name} names no snapshot, but {len(published)} versions were published: restore HEAD from the"
            " newest committed VERSION row (version, snapshot_id, manifest_key, manifest_sha256), then start again"
        )
    return None


def _flag(item: Item, name: str) -> str | None:
    # Set by being there, whatever its value: a flag written as BOOL or as empty text still stops a publication.
    if name not in item:
        return None
    return text_of(item, name) or "set"

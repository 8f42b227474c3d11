"""Compaction runs: reading them from images, and writing their state back for the producer.

The state of a run informs its producer; only FAILED has a meaning for the merge (a failed run is left out).

Beside the state stands a note where a run is not refused and yet something of it is not in the snapshot.

Late writers are normal: a step that was retried or stopped may still finish after a newer one. So a state carries the
`order` of the round that wrote it (fence, then round) as `{collection}_settled_by`, and only a higher order replaces
it. A newer refusal turns a completed run into FAILED; an older one, whenever it arrives, changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict

from receipt_dynamo_stream import names
from receipt_dynamo_stream.attributes import Item, int_of, number, string, text_of
from receipt_dynamo_stream.conditions import update_if
from receipt_dynamo_stream.errors import KeyMalformed
from receipt_dynamo_stream.generations import collection_of
from receipt_dynamo_stream.grain import COLLECTIONS, grain_of
from receipt_dynamo_stream.keys import ItemKey, ReceiptId, parse_item_key

if TYPE_CHECKING:
    from typing import Unpack

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import UpdateTypeDef

PIPELINE_PREFIXES = ("snapshots/", "plans/", "reports/")
"""Of the pipeline's bucket: what its steps write, and nobody else."""

_NULL = {"NULL": True}

DROPPED = "Dropped: "
"""How the error of a run begins that a person gave up."""

MESSAGE_LENGTH = 1_000
"""Characters of an error message that are kept in the table."""


@dataclass(frozen=True, slots=True)
class RunOfCollection:
    """What a run says of one collection; an absent prefix is "".

    version: from which version on readers see it, once it is COMPLETED; None for runs of earlier releases. model: the
    embedding model of its vectors, "" for that of the collection's first generation. generation: which one it was
    merged into, where that is not the first.
    """

    delta_prefix: str = ""
    state: str = names.PENDING
    merged_vectors: int = 0
    started_at: str | None = None
    finished_at: str | None = None
    error: str | None = None
    note: str | None = None
    version: int | None = None
    model: str = ""
    generation: str | None = None


@dataclass(frozen=True, slots=True)
class CompactionRun:
    """A producer's announcement that deltas of one receipt are uploaded.

    collections: what it says of each; one that is not given has an empty part.
    """

    receipt: ReceiptId
    run_id: str
    created_at: str | None = None
    updated_at: str | None = None
    collections: Mapping[str, RunOfCollection] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        """Raises ValueError for the name of no collection."""
        for name in self.collections:
            grain_of(name)
        whole = {name: self.collections.get(name, RunOfCollection()) for name in COLLECTIONS}
        object.__setattr__(self, "collections", {**whole, **self.collections})

    def of(self, collection: str) -> RunOfCollection:
        """The part of one collection, or of the collection of a generation. Raises ValueError for another name."""
        grain_of(collection)
        return self.collections[collection_of(collection)]

    @property
    def lines(self) -> RunOfCollection:
        """The part of `lines`."""
        return self.of("lines")

    @property
    def words(self) -> RunOfCollection:
        """The part of `words`."""
        return self.of("words")


@dataclass(frozen=True, slots=True)
class DeltaLocation:
    """Where a delta's objects are: a bucket and a key prefix that ends with `/`, or is empty."""

    bucket: str
    prefix: str

    @property
    def is_of_the_pipeline(self) -> bool:
        """True below what the pipeline itself writes in its bucket: no delta lies there."""
        return self.prefix.startswith(PIPELINE_PREFIXES)


def delta_location(prefix: str, bucket: str) -> DeltaLocation:
    """Where a run's prefix points: a key prefix in `bucket`, or an `s3://bucket/key` URI of its own bucket."""
    if prefix.startswith("s3://"):
        bucket, _, prefix = prefix.removeprefix("s3://").partition("/")
    prefix = prefix.lstrip("/")
    return DeltaLocation(bucket, prefix if not prefix or prefix.endswith("/") else prefix + "/")


def is_compaction_run(item: Mapping[str, Any]) -> bool:
    """True for an image or item whose keys are those of a COMPACTION_RUN."""
    return _item_key(item).entity_type == names.COMPACTION_RUN


def parse_compaction_run(item: Item) -> CompactionRun:
    """A run from its item, or an image that has its keys. Raises KeyMalformed when the keys are not a run's."""
    key = _item_key(item)
    if key.entity_type != names.COMPACTION_RUN:
        raise KeyMalformed("the item's keys are not those of a COMPACTION_RUN")
    return run_of_key(key, item)


def run_of_key(key: ItemKey, item: Item) -> CompactionRun:
    """A run from its parsed key and its attributes; a field of another type counts as absent."""
    return CompactionRun(
        receipt=key.receipt,
        run_id=key.run_id or "",
        created_at=text_of(item, "created_at"),
        updated_at=text_of(item, "updated_at"),
        collections={name: _run_of(item, name) for name in COLLECTIONS},
    )


def is_embeddings_completed(run: CompactionRun) -> bool:
    """True when the run's vectors are in the snapshots of every collection."""
    return all(part.state == names.COMPLETED for part in run.collections.values())


def settle_order(fence: int, round: int) -> str:
    """The order of a round's writes, comparable as text: no two rounds share it, a later lease has a higher one."""
    return f"{fence:010d}-{round:010d}"


class _State(TypedDict):
    """A state that a run is to have, and when it may be written."""

    key: Item
    state: str
    order: str | None
    sets: str
    values: Item
    condition: str
    now: str


@dataclass(frozen=True)
class RunStates:
    """The states that runs have in one collection or generation, written in the receipts table. A run is of one
    embedding model, so of one generation: the attributes are the collection's.

    Every write of that table comes back through the stream, so nothing is written that is there already; and nothing is
    written to a run that is gone, or a deleted one comes back as a ghost.
    """

    client: "DynamoDBClient"
    receipts_table: str
    collection: str

    def complete(
        self,
        receipt: ReceiptId,
        run_id: str,
        *,
        merged_vectors: int,
        now: str,
        version: int | None = None,
        order: str | None = None,
    ) -> str | None:
        """Make a run COMPLETED; returns the state it has afterwards, None when the run item is gone.

        version: that has it, and that readers see by now.
        Writes nothing when it is COMPLETED with this count already, when a higher order wrote its state (see fail), or
        when a person gave it up meanwhile: the next round leaves it out again.
        """
        c = collection_of(self.collection)
        is_later = self.collection != c
        return self._write(
            key=run_key(receipt, run_id),
            state=names.COMPLETED,
            order=order,
            sets=f", {c}_merged_vectors = :merged, {c}_version = :version, {c}_error = :null"
            + (f", {c}_generation = :generation" if is_later else ""),
            values={
                **({":generation": string(self.collection)} if is_later else {}),
                ":failed": string(names.FAILED),
                ":dropped": string(DROPPED),
                ":merged": number(merged_vectors),
                ":version": _NULL if version is None else number(version),
                ":null": _NULL,
            },
            condition=f"NOT ({c}_state = :state AND {c}_merged_vectors = :merged)"
            f" AND NOT ({c}_state = :failed AND begins_with({c}_error, :dropped))",
            now=now,
        )

    def fail(
        self,
        receipt: ReceiptId,
        run_id: str,
        *,
        error: str,
        now: str,
        order: str | None = None,
        suspected: bool = False,
    ) -> str | None:
        """Make a run FAILED; returns the state it has afterwards, None when the run item is gone.

        With an order (settle_order of the plan that refused it) the newest round wins: it also fails a run that an
        older round completed, whose delta was found corrupt since, and changes nothing that this round or a newer one
        wrote, so that a late duplicate does not undo a retry. Without an order, or when the run is only suspected, a
        COMPLETED run stays COMPLETED.
        """
        return self._write(**self._failing(receipt, run_id, error=error, now=now, order=order, suspected=suspected))

    def failing(
        self, receipt: ReceiptId, run_id: str, *, error: str, now: str, order: str, suspected: bool = False
    ) -> "UpdateTypeDef":
        """The conditional update that `fail` makes, for a transaction."""
        key, update, condition, values = self._update(
            **self._failing(receipt, run_id, error=error, now=now, order=order, suspected=suspected)
        )
        return {
            "TableName": self.receipts_table,
            "Key": key,
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
        }

    def _failing(
        self, receipt: ReceiptId, run_id: str, *, error: str, now: str, order: str | None, suspected: bool
    ) -> "_State":
        c = collection_of(self.collection)
        condition = f"NOT ({c}_state = :state AND {c}_error = :error)"
        values = {":error": string(error[:MESSAGE_LENGTH])}
        if order is None or suspected:
            condition += f" AND NOT ({c}_state = :completed)"
            values[":completed"] = string(names.COMPLETED)
        return {
            "key": run_key(receipt, run_id),
            "state": names.FAILED,
            "order": order,
            "sets": f", {c}_error = :error",
            "values": values,
            "condition": condition,
            "now": now,
        }

    def note(self, receipt: ReceiptId, run_id: str, note: str, *, now: str, order: str) -> str | None:
        """Write what there is to know of a run beside its state, "" takes it away; returns the note that it has
        afterwards, None when the run item is gone.

        Writes nothing when that is its note already, or a newer round has the say. No note is a change for the stream.
        """
        c = collection_of(self.collection)
        if note:
            update, values = f"SET {c}_note = :note,", {":note": string(note[:MESSAGE_LENGTH])}
            differs = f"NOT ({c}_note = :note)"
        else:
            update, values, differs = f"REMOVE {c}_note SET", {}, f"attribute_exists({c}_note)"
        applied, item = update_if(
            self.client,
            table=self.receipts_table,
            key=run_key(receipt, run_id),
            condition=f"attribute_exists(PK) AND {differs}"
            f" AND (attribute_not_exists({c}_settled_by) OR {c}_settled_by <= :order)",
            UpdateExpression=f"{update} {c}_settled_by = :order, updated_at = :now",
            ExpressionAttributeValues={**values, ":order": string(order), ":now": string(now)},
        )
        if applied:
            return note[:MESSAGE_LENGTH]
        return None if item is None else text_of(item, f"{c}_note") or ""

    def reset(self, receipt: ReceiptId, run_id: str, *, now: str) -> bool:
        """Make a FAILED run PENDING again, for a retry; False when the run item is gone.

        The order of its last state stays, so that a late duplicate of the round that refused it does not fail it again.
        """
        c = collection_of(self.collection)
        applied, item = update_if(
            self.client,
            table=self.receipts_table,
            key=run_key(receipt, run_id),
            condition=f"attribute_exists(PK) AND {c}_state = :failed",
            UpdateExpression=f"SET {c}_state = :pending, {c}_error = :null, {c}_finished_at = :null, updated_at = :now",
            ExpressionAttributeValues={
                ":failed": string(names.FAILED),
                ":pending": string(names.PENDING),
                ":null": _NULL,
                ":now": string(now),
            },
        )
        return applied or item is not None

    def _write(self, **state: "Unpack[_State]") -> str | None:
        key, update, condition, values = self._update(**state)
        applied, item = update_if(
            self.client,
            table=self.receipts_table,
            key=key,
            condition=condition,
            UpdateExpression=update,
            ExpressionAttributeValues=values,
        )
        if applied:
            return state["state"]
        return None if item is None else text_of(item, f"{collection_of(self.collection)}_state") or names.PENDING

    def _update(self, **to: "Unpack[_State]") -> tuple[Item, str, str, Item]:
        """Key, update, condition and values of a write of a state."""
        c = collection_of(self.collection)
        sets, values = to["sets"], to["values"]
        condition = f"attribute_exists(PK) AND ({to['condition']})"
        if to["order"] is not None:
            sets += f", {c}_settled_by = :order"
            condition += f" AND (attribute_not_exists({c}_settled_by) OR {c}_settled_by < :order)"
            values = {**values, ":order": string(to["order"])}
        update = f"SET {c}_state = :state, {c}_finished_at = :now, updated_at = :now{sets}"
        return to["key"], update, condition, {**values, ":state": string(to["state"]), ":now": string(to["now"])}


def run_key(receipt: ReceiptId, run_id: str) -> Item:
    """Key of a run's item in the receipts table."""
    return {"PK": string(receipt.pk), "SK": string(f"{receipt.sk}#COMPACTION_RUN#{run_id}")}


def _item_key(item: Mapping[str, Any]) -> ItemKey:
    return parse_item_key(text_of(item, "PK") or "", text_of(item, "SK") or "")


def _run_of(item: Item, collection: str) -> RunOfCollection:
    c = collection
    return RunOfCollection(
        delta_prefix=text_of(item, f"{c}_delta_prefix") or "",
        state=text_of(item, f"{c}_state") or names.PENDING,
        merged_vectors=int_of(item, f"{c}_merged_vectors"),
        version=int_of(item, f"{c}_version") or None,
        started_at=text_of(item, f"{c}_started_at"),
        finished_at=text_of(item, f"{c}_finished_at"),
        error=text_of(item, f"{c}_error"),
        note=text_of(item, f"{c}_note"),
        model=text_of(item, f"{c}_model") or "",
        generation=text_of(item, f"{c}_generation"),
    )

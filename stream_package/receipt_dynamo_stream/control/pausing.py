"""The flag that holds a collection's publications back: `paused` of its HEAD, set by being there.

Changes keep collecting while it is set, and only a rollback commits. Both updates are conditional: the flag is never
set over another reason, and never taken away from a HEAD that was not looked at.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from receipt_dynamo_stream.attributes import string
from receipt_dynamo_stream.conditions import update_if
from receipt_dynamo_stream.control.head import CollectionHead, Head, head_key, parse_head

RESUME_TRIES: Final = 3


@dataclass(frozen=True)
class PausedHead:
    """A paused HEAD at one moment, with the attributes that tell whether it is still the same."""

    head: Head
    paused: Mapping[str, Any]
    snapshot_id: Mapping[str, Any] | None


@dataclass(frozen=True)
class Resumed:
    """What a resume did: nothing when `was_paused` is None. `receipts` were marked pending, `arn` was started."""

    collection: str
    was_paused: str | None
    receipts: int = 0
    arn: str | None = None


def pause(head: CollectionHead, reason: str) -> Head | None:
    """Set the flag over no other reason. HEAD as it is by then, whose `paused` may be an earlier reason; None when
    there is no HEAD yet, so that there is nothing to pause."""
    _, item = update_if(
        head.client,
        table=head.table,
        key=head_key(head.collection),
        condition="attribute_exists(PK) AND attribute_not_exists(paused)",
        ReturnValues="ALL_NEW",
        UpdateExpression="SET paused = :reason",
        ExpressionAttributeValues={":reason": string(reason)},
    )
    return parse_head(head.collection, item) if item is not None else None


def resume(head: CollectionHead, *, mark: Callable[[Head], int], start: Callable[[], str]) -> Resumed | None:
    """Mark every receipt pending, then unpause, then start an execution: safety after a rollback rests on this order.

    Whatever ends this in between leaves the collection paused, and the whole is done again. `mark` is given HEAD as it
    was seen; it marks every receipt, those that only its snapshot knows too, and returns how many, or raises. `start`
    returns the execution's ARN. None, and still paused: HEAD was rolled back or paused anew with each of RESUME_TRIES.
    """
    for _ in range(RESUME_TRIES):
        seen = read_paused(head)
        if seen is None:
            return Resumed(head.collection, None)
        marked = mark(seen.head)
        if unpause(head, seen):
            return Resumed(head.collection, seen.head.paused, marked, start())
    return None


def read_paused(head: CollectionHead) -> PausedHead | None:
    """HEAD by a consistent read, if it is paused."""
    answer = head.client.get_item(TableName=head.table, Key=head_key(head.collection), ConsistentRead=True)
    item = answer.get("Item", {})
    if "paused" not in item:
        return None
    return PausedHead(parse_head(head.collection, item), item["paused"], item.get("snapshot_id"))


def unpause(head: CollectionHead, seen: PausedHead) -> bool:
    """Remove the flag if it is still the one that was seen, over the same snapshot; False when it is not.

    A rollback may have published another snapshot since, which knows receipts that nobody has marked.
    """
    condition, values = "paused = :paused AND attribute_not_exists(snapshot_id)", {":paused": seen.paused}
    if seen.snapshot_id is not None:
        condition = "paused = :paused AND snapshot_id = :snapshot"
        values[":snapshot"] = seen.snapshot_id
    applied, _ = update_if(
        head.client,
        table=head.table,
        key=head_key(head.collection),
        condition=condition,
        UpdateExpression="REMOVE paused",
        ExpressionAttributeValues=values,
    )
    return applied

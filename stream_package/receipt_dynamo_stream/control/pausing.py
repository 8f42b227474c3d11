"""The flag that holds a collection's publications back: `paused` of its HEAD, set by being there.

Changes keep collecting while it is set, and only a rollback commits. Both updates are conditional: the flag is never
set over another reason, and never taken away from a HEAD that was not looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from receipt_dynamo_stream.attributes import string
from receipt_dynamo_stream.conditions import update_if
from receipt_dynamo_stream.control.head import Head, head_key, parse_head


@dataclass(frozen=True)
class PausedHead:
    """A paused HEAD at one moment, with the attributes that tell whether it is still the same."""

    head: Head
    paused: Mapping[str, Any]
    snapshot_id: Mapping[str, Any] | None


def pause(client: Any, control_table: str, collection: str, reason: str) -> Head | None:
    """Set the flag over no other reason. HEAD as it is by then, whose `paused` may be an earlier reason; None when
    there is no HEAD yet, so that there is nothing to pause."""
    _, item = update_if(
        client,
        table=control_table,
        key=head_key(collection),
        condition="attribute_exists(PK) AND attribute_not_exists(paused)",
        ReturnValues="ALL_NEW",
        UpdateExpression="SET paused = :reason",
        ExpressionAttributeValues={":reason": string(reason)},
    )
    return parse_head(collection, item) if item is not None else None


def read_paused(client: Any, control_table: str, collection: str) -> PausedHead | None:
    """HEAD by a consistent read, if it is paused."""
    answer = client.get_item(TableName=control_table, Key=head_key(collection), ConsistentRead=True)
    item = answer.get("Item", {})
    if "paused" not in item:
        return None
    return PausedHead(parse_head(collection, item), item["paused"], item.get("snapshot_id"))


def unpause(client: Any, control_table: str, seen: PausedHead) -> bool:
    """Remove the flag if it is still the one that was seen, over the same snapshot; False when it is not.

    A rollback may have published another snapshot since, which knows receipts that nobody has marked.
    """
    condition, values = "paused = :paused AND attribute_not_exists(snapshot_id)", {":paused": seen.paused}
    if seen.snapshot_id is not None:
        condition = "paused = :paused AND snapshot_id = :snapshot"
        values[":snapshot"] = seen.snapshot_id
    applied, _ = update_if(
        client,
        table=control_table,
        key=head_key(seen.head.collection),
        condition=condition,
        UpdateExpression="REMOVE paused",
        ExpressionAttributeValues=values,
    )
    return applied

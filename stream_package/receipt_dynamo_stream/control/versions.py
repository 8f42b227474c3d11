"""VERSION rows of the control table: the history of a collection that outlives Step Functions' own.

A row goes candidate → committed → EXPIRED and never back. The parent chain from HEAD is the truth of what is published.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from receipt_dynamo_stream.attributes import Item, decode, int_of, null_or_string, number, string, text_of
from receipt_dynamo_stream.conditions import query_all, refused_item, update_if
from receipt_dynamo_stream.control.head import head_key, parse_snapshot_id
from receipt_dynamo_stream.times import seconds_between

CANDIDATE: Final = "candidate"
COMMITTED: Final = "committed"
EXPIRED: Final = "EXPIRED"

_ROW_PREFIX = "VERSION#"


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One attempt to publish a version: what it is, who made it, and what it brought.

    created_at is when its plan was made. committed_at is when readers could see it: it is set after the swap, some
    moments after the commit itself, whose time is HEAD's. expired_at: its files may be gone since then. rollback, of a
    rollback's row: the snapshot id whose shards it publishes again.

    counts are records by what happened to them; seconds durations by step, as far as the steps told. receipts are those
    of the plan, runs those that it is the first to hold, refused those whose delta was bad, first_changed_at the oldest
    change among its receipts. A rollback brings nothing: 0 and None, as for rows that are older than these attributes.
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
    counts: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    receipts: int = 0
    runs: int = 0
    refused: int = 0
    first_changed_at: str | None = None
    rollback: str | None = None

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
    return {"PK": string(f"COLLECTION#{collection}"), "SK": string(_ROW_PREFIX + snapshot_id)}


def put_candidate(client: Any, table: str, collection: str, row: VersionRow) -> bool:
    """Write the row of a snapshot that is about to be committed; may run twice.

    False, and nothing written, when the row is committed or EXPIRED already: a late duplicate never takes that back.
    """
    from botocore.exceptions import ClientError

    item = {
        **row_key(collection, row.snapshot_id),
        "snapshot_id": string(row.snapshot_id),
        "version": number(row.version),
        "state": string(CANDIDATE),
        "parent": null_or_string(row.parent),
        "manifest_key": string(row.manifest_key),
        "manifest_sha256": string(row.manifest_sha256),
        "plan_key": string(row.plan_key),
        "execution": string(row.execution),
        "trigger": string(row.trigger),
        "created_at": string(row.created_at),
        "records": number(row.records),
        "bytes": number(row.bytes),
        "counts": _numbers(row.counts),
        "seconds": _numbers(row.seconds),
        "receipts": number(row.receipts),
        "runs": number(row.runs),
        "refused": number(row.refused),
        "first_changed_at": null_or_string(row.first_changed_at),
        "rollback": null_or_string(row.rollback),
    }
    try:
        client.put_item(
            TableName=table,
            Item=item,
            ConditionExpression="attribute_not_exists(PK) OR #state = :candidate",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={":candidate": string(CANDIDATE)},
        )
    except ClientError as error:
        refused_item(error)
        return False
    return True


def mark_committed(
    client: Any,
    table: str,
    collection: str,
    snapshot_id: str,
    *,
    committed_at: str,
    counts: Mapping[str, int] | None = None,
    seconds: Mapping[str, float] | None = None,
    receipts: int | None = None,
    runs: int | None = None,
    refused: int | None = None,
    first_changed_at: str | None = None,
) -> bool:
    """A row becomes committed, and takes what is known of it; may be called by several steps, and by each again.

    The first committed_at stays, and the first duration of each step. The other values are written over: they are made
    from plan and reports, so they are the same every time. False when the row is gone or EXPIRED.
    """
    sets = ["#state = :committed", "committed_at = if_not_exists(committed_at, :at)"]
    values: dict[str, Any] = {
        ":committed": string(COMMITTED),
        ":candidate": string(CANDIDATE),
        ":at": string(committed_at),
    }
    names = {"#state": "state"}
    found = {
        "counts": None if counts is None else _numbers(counts),
        "receipts": None if receipts is None else number(receipts),
        "runs": None if runs is None else number(runs),
        "refused": None if refused is None else number(refused),
        "first_changed_at": None if first_changed_at is None else string(first_changed_at),
    }
    for name, value in found.items():
        if value is not None:
            sets.append(f"#{name} = :{name}")
            names[f"#{name}"] = name
            values[f":{name}"] = value
    for place, (step, duration) in enumerate(sorted((seconds or {}).items())):
        path = f"#seconds.#step{place}"  # the candidate has the map
        sets.append(f"{path} = if_not_exists({path}, :step{place})")
        names |= {"#seconds": "seconds", f"#step{place}": step}
        values[f":step{place}"] = number(duration)
    applied, _ = update_if(
        client,
        table=table,
        key=row_key(collection, snapshot_id),
        condition="#state = :candidate OR #state = :committed",
        UpdateExpression="SET " + ", ".join(sets),
        ExpressionAttributeNames=names,
        ExpressionAttributeValues=values,
    )
    return applied


def mark_expired(
    client: Any, table: str, collection: str, snapshot_id: str, *, now: str | None = None, fence: int | None = None
) -> bool:
    """Mark a row EXPIRED, for ever. False when it is gone, EXPIRED already or pinned, or the fence is not HEAD's.

    With `fence` the mark and the check of HEAD's fence are one transaction, so that an execution that lost its lease
    cannot expire what a rollback is about to publish. A transaction on HEAD may give others a
    TransactionConflictException.
    """
    from botocore.exceptions import ClientError

    sets, values = "SET #state = :expired", {":expired": string(EXPIRED)}
    if now is not None:
        sets += ", expired_at = :now"
        values[":now"] = string(now)
    update = {
        "TableName": table,
        "Key": row_key(collection, snapshot_id),
        "UpdateExpression": sets,
        "ConditionExpression": "attribute_exists(PK) AND #state <> :expired AND attribute_not_exists(pinned)",
        "ExpressionAttributeNames": {"#state": "state"},
        "ExpressionAttributeValues": values,
    }
    if fence is None:
        try:
            client.update_item(**update)
        except ClientError as error:
            refused_item(error)
            return False
        return True
    check = {
        "TableName": table,
        "Key": head_key(collection),
        "ConditionExpression": "fence = :fence",
        "ExpressionAttributeValues": {":fence": number(fence)},
    }
    try:
        client.transact_write_items(TransactItems=[{"ConditionCheck": check}, {"Update": update}])
    except ClientError as error:
        reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
        if reasons and reasons <= {"None", "ConditionalCheckFailed"}:
            return False
        raise
    return True


def list_versions(client: Any, table: str, collection: str) -> list[VersionRow]:
    """Every row of the collection, oldest first, by a consistent read."""
    items = query_all(
        client,
        TableName=table,
        KeyConditionExpression="PK = :pk AND begins_with(SK, :prefix)",
        ExpressionAttributeValues={":pk": string(f"COLLECTION#{collection}"), ":prefix": string(_ROW_PREFIX)},
    )
    rows = [_row(item) for item in items]
    return sorted(rows, key=lambda row: parse_snapshot_id(row.snapshot_id))


def list_version_range(
    client: Any, table: str, collection: str, first_version: int, last_version: int
) -> list[VersionRow]:
    """The rows of these versions and of those between, oldest first, by one consistent Query between sort keys.

    A version has several rows when attempts to publish it failed. Empty when first_version is the higher one.
    """
    if first_version > last_version:
        return []
    items = query_all(
        client,
        TableName=table,
        KeyConditionExpression="PK = :pk AND SK BETWEEN :first AND :after",
        ExpressionAttributeValues={
            ":pk": string(f"COLLECTION#{collection}"),
            ":first": string(_version_prefix(first_version)),
            ":after": string(_version_prefix(last_version + 1)),  # no row has this key: ids are longer
        },
    )
    rows = [_row(item) for item in items]
    return sorted(rows, key=lambda row: parse_snapshot_id(row.snapshot_id))


def read_version(client: Any, table: str, collection: str, snapshot_id: str) -> VersionRow | None:
    """One row by a consistent read; None when there is none."""
    answer = client.get_item(TableName=table, Key=row_key(collection, snapshot_id), ConsistentRead=True)
    return _row(answer["Item"]) if answer.get("Item") else None


def _version_prefix(version: int) -> str:
    return f"{_ROW_PREFIX}{max(version, 0):010d}"


def _row(item: Item) -> VersionRow:
    counts = {name: int(value) for name, value in _mapping(item, "counts").items()}
    seconds = {name: float(value) for name, value in _mapping(item, "seconds").items()}
    return VersionRow(
        snapshot_id=(text_of(item, "SK") or "").removeprefix(_ROW_PREFIX),
        state=text_of(item, "state") or CANDIDATE,
        parent=text_of(item, "parent"),
        manifest_key=text_of(item, "manifest_key") or "",
        manifest_sha256=text_of(item, "manifest_sha256") or "",
        plan_key=text_of(item, "plan_key") or "",
        execution=text_of(item, "execution") or "",
        trigger=text_of(item, "trigger") or "",
        created_at=text_of(item, "created_at") or "",
        committed_at=text_of(item, "committed_at"),
        expired_at=text_of(item, "expired_at"),
        pinned=(text_of(item, "pinned") or "set") if "pinned" in item else None,
        records=int_of(item, "records"),
        bytes=int_of(item, "bytes"),
        counts=counts,
        seconds=seconds,
        receipts=int_of(item, "receipts"),
        runs=int_of(item, "runs"),
        refused=int_of(item, "refused"),
        first_changed_at=text_of(item, "first_changed_at"),
        rollback=text_of(item, "rollback"),
    )


def _mapping(item: Item, name: str) -> dict[str, Any]:
    return decode(item[name]) if "M" in item.get(name, {}) else {}


def _numbers(values: Mapping[str, int] | Mapping[str, float]) -> dict[str, Any]:
    return {"M": {name: number(value) for name, value in sorted(values.items())}}

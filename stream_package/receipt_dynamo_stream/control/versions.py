"""VERSION rows of the control table: the history of a collection that outlives Step Functions' own.

A row goes candidate → committed → EXPIRED and never back. The parent chain from HEAD is the truth of what is published.

What has been EXPIRED for long is moved to an archive, a partition of its own: it stays readable, by its id and by page,
while what retention, rollback and lists read is as long as what is retained, however long the history is.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from receipt_dynamo_stream.attributes import Item, number, string
from receipt_dynamo_stream.conditions import query_each, refused_item, update_if
from receipt_dynamo_stream.control.head import head_key, parse_snapshot_id
from receipt_dynamo_stream.control.part import Part
from receipt_dynamo_stream.control.version_row import (
    CANDIDATE,
    COMMITTED,
    EXPIRED,
    ROW_PREFIX,
    Brought,
    VersionRow,
    archived_key,
    brought_attributes,
    candidate_item,
    parse_version,
    row_key,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import ConditionCheckTypeDef, TransactWriteItemTypeDef, UpdateTypeDef

__all__ = ["CANDIDATE", "COMMITTED", "EXPIRED", "Archived", "Brought", "VersionRow", "Versions", "row_key"]

_MOVED_AT_ONCE: Final = 50
"""Rows a transaction moves: two of its 100 actions each."""
_PASSED: Final = 1_000
"""So many rows may lie before and between those that move: pinned ones, mostly."""


@dataclass(frozen=True, slots=True)
class Archived:
    """Snapshot ids whose rows were moved to the archive, or would be. more: the bound was reached before the end."""

    snapshot_ids: tuple[str, ...]
    more: bool


class Versions(Part):
    """The VERSION rows of one collection. Unless a method says otherwise it knows those that are not archived."""

    def put_candidate(self, row: VersionRow) -> bool:
        """Write the row of a snapshot that is about to be committed; may run twice.

        False, and nothing written, when the row is committed or EXPIRED already: a late duplicate never takes that
        back.
        """
        from botocore.exceptions import ClientError

        try:
            self.client.put_item(
                TableName=self.table,
                Item={**self._key(row.snapshot_id), **candidate_item(row)},
                ConditionExpression="attribute_not_exists(PK) OR #state = :candidate",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues={":candidate": string(CANDIDATE)},
            )
        except ClientError as error:
            refused_item(error)
            return False
        return True

    def mark_committed(
        self,
        snapshot_id: str,
        *,
        committed_at: str,
        brought: Brought | None = None,
        seconds: Mapping[str, float] | None = None,
    ) -> bool:
        """A row becomes committed, and takes what is known of it; may be called by several steps, and by each again.

        The first committed_at stays, and the first duration of each step. What it brought is written over: it is made
        from plan and reports, so it is the same every time. False when the row is gone or EXPIRED.
        """
        sets = ["#state = :committed", "committed_at = if_not_exists(committed_at, :at)"]
        names = {"#state": "state"}
        values: dict[str, Item] = {
            ":committed": string(COMMITTED),
            ":candidate": string(CANDIDATE),
            ":at": string(committed_at),
        }
        for name, value in (brought_attributes(brought) if brought else {}).items():
            sets.append(f"#{name} = :{name}")
            names[f"#{name}"] = name
            values[f":{name}"] = value
        durations = {**(brought.seconds if brought else {}), **(seconds or {})}
        for place, (step, duration) in enumerate(sorted(durations.items())):
            path = f"#seconds.#step{place}"  # the candidate has the map
            sets.append(f"{path} = if_not_exists({path}, :step{place})")
            names |= {"#seconds": "seconds", f"#step{place}": step}
            values[f":step{place}"] = number(duration)
        applied, _ = update_if(
            self.client,
            table=self.table,
            key=self._key(snapshot_id),
            condition="#state = :candidate OR #state = :committed",
            UpdateExpression="SET " + ", ".join(sets),
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
        )
        return applied

    def mark_expired(self, snapshot_id: str, *, now: str | None = None, fence: int | None = None) -> bool:
        """Mark a row EXPIRED, for ever. False when it is gone, EXPIRED already or pinned, or the fence is not HEAD's.

        With `fence` the mark and the check of HEAD's fence are one transaction, so that an execution that lost its
        lease cannot expire what a rollback is about to publish. A transaction on HEAD may give others a
        TransactionConflictException.
        """
        from botocore.exceptions import ClientError

        sets, values = "SET #state = :expired", {":expired": string(EXPIRED)}
        if now is not None:
            sets += ", expired_at = :now"
            values[":now"] = string(now)
        update: UpdateTypeDef = {
            "TableName": self.table,
            "Key": self._key(snapshot_id),
            "UpdateExpression": sets,
            "ConditionExpression": "attribute_exists(PK) AND #state <> :expired AND attribute_not_exists(pinned)",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": values,
        }
        if fence is None:
            try:
                self.client.update_item(**update)
            except ClientError as error:
                refused_item(error)
                return False
            return True
        check: ConditionCheckTypeDef = {
            "TableName": self.table,
            "Key": head_key(self.collection),
            "ConditionExpression": "fence = :fence",
            "ExpressionAttributeValues": {":fence": number(fence)},
        }
        try:
            self.client.transact_write_items(TransactItems=[{"ConditionCheck": check}, {"Update": update}])
        except ClientError as error:
            reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
            if reasons and reasons <= {"None", "ConditionalCheckFailed"}:
                return False
            raise
        return True

    def archive(self, may_go: Callable[[VersionRow], bool], *, at_most: int, dry_run: bool = False) -> Archived:
        """Move EXPIRED rows that may go to the archive, the oldest first, `at_most` of them; may run twice, and beside
        another. A row is in the one partition or the other at every moment, whatever ends this in between.

        They are looked for among the oldest rows: a table whose rows nobody marked yet is not read to its end."""
        items = islice(self._items(ROW_PREFIX), at_most + _PASSED)
        found = (item for item in items if (row := parse_version(item)).state == EXPIRED and may_go(row))
        moved: list[str] = []
        while batch := list(islice(found, min(_MOVED_AT_ONCE, at_most - len(moved)))):
            if not dry_run:
                self._move(batch)
            moved += [parse_version(item).snapshot_id for item in batch]
        return Archived(tuple(moved), more=len(moved) == at_most)

    def _move(self, items: Sequence[Item]) -> None:
        from botocore.exceptions import ClientError

        moves = [move for item in items for move in self._moving(item)]
        try:
            self.client.transact_write_items(TransactItems=moves)
        except ClientError as error:
            reasons = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
            if "ConditionalCheckFailed" not in reasons:
                raise
            # Another one moves the same rows. One by one: the first copy of a row stays, and what is left is deleted.
            for item in items:
                self._move_alone(item)

    def _move_alone(self, item: Item) -> None:
        from botocore.exceptions import ClientError

        put, delete = self._moving(item)
        try:
            self.client.put_item(**put["Put"])
        except ClientError as error:
            refused_item(error)
        try:
            self.client.delete_item(**delete["Delete"])
        except ClientError as error:
            refused_item(error)

    def _moving(self, item: Item) -> "tuple[TransactWriteItemTypeDef, TransactWriteItemTypeDef]":
        snapshot_id = parse_version(item).snapshot_id
        return {
            "Put": {
                "TableName": self.table,
                "Item": {**item, **archived_key(self.collection, snapshot_id)},
                "ConditionExpression": "attribute_not_exists(PK)",
            }
        }, {
            "Delete": {
                "TableName": self.table,
                "Key": self._key(snapshot_id),
                "ConditionExpression": "#state = :expired",  # for ever: a row that is EXPIRED is never written again
                "ExpressionAttributeNames": {"#state": "state"},
                "ExpressionAttributeValues": {":expired": string(EXPIRED)},
            }
        }

    def pin(self, snapshot_id: str, why: str) -> bool:
        """Keep a published version until it is unpinned. False when its row is gone or EXPIRED.

        Its row says from now on that it was published: those between it and HEAD may leave for the archive.
        """
        update = "SET pinned = :why, committed_at = if_not_exists(committed_at, created_at)"
        return self._unless_expired(snapshot_id, update, **{":why": string(why)})

    def unpin(self, snapshot_id: str) -> bool:
        """Leave a version to expiry again. False when its row is gone or EXPIRED."""
        return self._unless_expired(snapshot_id, "REMOVE pinned")

    def read(self, snapshot_id: str) -> VersionRow | None:
        """One row by a consistent read, an archived one too; None when there is none."""
        for key in (self._key(snapshot_id), archived_key(self.collection, snapshot_id)):
            if item := self.client.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item"):
                return parse_version(item)
        return None

    def between(self, first_version: int, last_version: int) -> list[VersionRow]:
        """The rows of these versions and of those between, archived ones too, oldest first, by consistent Queries
        between sort keys.

        A version has several rows when attempts to publish it failed. Empty when first_version is the higher one.
        """
        if first_version > last_version:
            return []
        first = _version_prefix(first_version)
        after = _version_prefix(last_version + 1)  # no row has this key: ids are longer
        found = (self._items(first, after, archived=archived) for archived in (False, True))
        rows = (parse_version(item) for items in found for item in items)
        return _in_order({row.snapshot_id: row for row in rows}.values())

    def newest_first(self) -> Iterator[VersionRow]:
        """Every row, read as far as somebody goes on: a page is in memory at a time. Ids sort as texts here."""
        return map(parse_version, self._items(ROW_PREFIX, forward=False))

    def oldest_first(self) -> Iterator[VersionRow]:
        """The other way round."""
        return map(parse_version, self._items(ROW_PREFIX))

    def archived(self, *, before: str | None = None, limit: int) -> Sequence[VersionRow]:
        """At most `limit` archived rows, the newest first, older than the snapshot id `before`, by one Query."""
        answer = self.client.query(
            TableName=self.table,
            KeyConditionExpression="PK = :pk" + (" AND SK < :before" if before else ""),
            ExpressionAttributeValues={
                ":pk": archived_key(self.collection, "")["PK"],
                **({":before": string(ROW_PREFIX + before)} if before else {}),
            },
            ScanIndexForward=False,
            Limit=limit,
        )
        return [parse_version(item) for item in answer["Items"]]

    def _items(
        self, first: str, after: str = "VERSION$", *, forward: bool = True, archived: bool = False
    ) -> Iterator[Item]:
        key = (archived_key if archived else row_key)(self.collection, "")
        return query_each(
            self.client,
            TableName=self.table,
            KeyConditionExpression="PK = :pk AND SK BETWEEN :first AND :after",
            ExpressionAttributeValues={":pk": key["PK"], ":first": string(first), ":after": string(after)},
            ScanIndexForward=forward,
        )

    def _unless_expired(self, snapshot_id: str, update: str, **values: dict[str, Any]) -> bool:
        applied, _ = update_if(
            self.client,
            table=self.table,
            key=self._key(snapshot_id),
            condition="attribute_exists(PK) AND #state <> :expired",
            UpdateExpression=update,
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={":expired": string(EXPIRED), **values},
        )
        return applied

    def _key(self, snapshot_id: str) -> Item:
        return row_key(self.collection, snapshot_id)

    def list(self) -> list[VersionRow]:
        """Every row of the collection, oldest first, by a consistent read."""
        return _in_order(self.oldest_first())


def _in_order(rows: Iterable[VersionRow]) -> list[VersionRow]:
    return sorted(rows, key=lambda row: parse_snapshot_id(row.snapshot_id))


def _version_prefix(version: int) -> str:
    return f"{ROW_PREFIX}{max(version, 0):010d}"

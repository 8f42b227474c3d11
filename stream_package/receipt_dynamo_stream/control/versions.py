"""VERSION rows of the control table: the history of a collection that outlives Step Functions' own.

A row goes candidate → committed → EXPIRED and never back. The parent chain from HEAD is the truth of what is published.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from receipt_dynamo_stream.attributes import Item, number, string
from receipt_dynamo_stream.conditions import query_all, refused_item, update_if
from receipt_dynamo_stream.control.head import head_key, parse_snapshot_id
from receipt_dynamo_stream.control.part import Part
from receipt_dynamo_stream.control.version_row import (
    CANDIDATE,
    COMMITTED,
    EXPIRED,
    ROW_PREFIX,
    Brought,
    VersionRow,
    brought_attributes,
    candidate_item,
    parse_version,
    row_key,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import ConditionCheckTypeDef, UpdateTypeDef

__all__ = ["CANDIDATE", "COMMITTED", "EXPIRED", "Brought", "VersionRow", "Versions", "row_key"]


class Versions(Part):
    """The VERSION rows of one collection."""

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

    def pin(self, snapshot_id: str, why: str) -> bool:
        """Keep a version until it is unpinned. False when its row is gone or EXPIRED."""
        return self._unless_expired(snapshot_id, "SET pinned = :why", **{":why": string(why)})

    def unpin(self, snapshot_id: str) -> bool:
        """Leave a version to expiry again. False when its row is gone or EXPIRED."""
        return self._unless_expired(snapshot_id, "REMOVE pinned")

    def read(self, snapshot_id: str) -> VersionRow | None:
        """One row by a consistent read; None when there is none."""
        answer = self.client.get_item(TableName=self.table, Key=self._key(snapshot_id), ConsistentRead=True)
        return parse_version(answer["Item"]) if answer.get("Item") else None

    def between(self, first_version: int, last_version: int) -> list[VersionRow]:
        """The rows of these versions and of those between, oldest first, by one consistent Query between sort keys.

        A version has several rows when attempts to publish it failed. Empty when first_version is the higher one.
        """
        if first_version > last_version:
            return []
        return self._query(
            "SK BETWEEN :first AND :after",
            first=_version_prefix(first_version),
            after=_version_prefix(last_version + 1),  # no row has this key: ids are longer
        )

    def _query(self, condition: str, **bounds: str) -> list[VersionRow]:
        items = query_all(
            self.client,
            TableName=self.table,
            KeyConditionExpression=f"PK = :pk AND {condition}",
            ExpressionAttributeValues={
                ":pk": string(f"COLLECTION#{self.collection}"),
                **{f":{name}": string(bound) for name, bound in bounds.items()},
            },
        )
        return sorted(map(parse_version, items), key=lambda row: parse_snapshot_id(row.snapshot_id))

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
        return self._query("begins_with(SK, :prefix)", prefix=ROW_PREFIX)


def _version_prefix(version: int) -> str:
    return f"{ROW_PREFIX}{max(version, 0):010d}"

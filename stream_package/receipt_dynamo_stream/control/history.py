"""EXECUTIONS rows of the control table: how executions began and ended, which outlives Step Functions' own 90 days.

Best effort: the protocol never reads these rows. Who writes and who reads them finds the attributes' names here.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from receipt_dynamo_stream.attributes import Item, int_of, number, string, text_of
from receipt_dynamo_stream.conditions import update_if
from receipt_dynamo_stream.control.part import Part

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

RUNNING: Final = "RUNNING"
IDLE: Final = (
    *("nothing_pending", "coalesced", "nothing_to_fold", "nothing_to_reshard"),
    *("nothing_to_switch", "not_complete"),
)
"""Outcomes of executions that had nothing to do: the schedule and bursts make many."""
IDLE_KEPT: Final = timedelta(hours=1)
"""How long an idle execution has a row of its own."""
FOLDED_AT_ONCE: Final = 90
"""A transaction takes 100 actions."""
_FOLD_EVERY: Final = timedelta(minutes=10)
_REACHED: Final = "REACHED"  # sorts behind every day
_FIRST_DAY: Final = "0"
_LAST_DAY: Final = "9999"
UNKNOWN_COLLECTION: Final = "unknown"
"""Where executions are whose input names no collection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionRow:
    """One execution, as its latest status event told it.

    status is Step Functions' own. outcome and version (of the snapshot that it published) are from its output;
    snapshot_id is what its input named, for modes verify and rollback. It has an outcome or an error, never both.
    """

    collection: str
    name: str
    arn: str
    status: str
    started_at: str
    ended_at: str | None = None
    mode: str = "compact"
    trigger: str = "operator"
    outcome: str | None = None
    version: int | None = None
    snapshot_id: str | None = None
    error: str | None = None
    cause: str | None = None

    @property
    def key(self) -> str:
        """The sort key: rows of a collection sort by their start."""
        return f"{self.started_at}#{self.name}"


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in the order that was asked for. next_key goes on from here: as `before` when the newest came first, else as
    `after`; None at the end."""

    rows: tuple[ExecutionRow, ...]
    next_key: str | None


@dataclass(frozen=True, slots=True)
class IdleDay:
    """How many executions that began on a day had nothing to do, as far as their rows are folded into this one."""

    day: str
    executions: int


class History(Part):
    """The EXECUTIONS rows of one collection."""

    def put(self, row: ExecutionRow) -> bool:
        """Write a row as it is now; attributes that it does not have any more go (a redriven execution failed first).

        False, and nothing written, for what is older than the row: events come twice and in any order, so a start never
        overwrites an end, nor an end a later one. Raises ValueError for another collection's row.
        """
        if row.collection != self.collection:
            raise ValueError(f"a row of {row.collection} in the history of {self.collection}")
        attributes = _attributes(row)
        gone = [name for name in _ATTRIBUTES if name not in attributes]
        condition = "attribute_not_exists(PK)"
        if row.status != RUNNING:
            condition = "attribute_not_exists(ended_at)" + (" OR ended_at <= :ended_at" if row.ended_at else "")
        update = "SET " + ", ".join(f"#{name} = :{name}" for name in attributes)
        if gone:
            update += " REMOVE " + ", ".join(f"#{name}" for name in gone)
        applied, _ = update_if(
            self.client,
            table=self.table,
            key={"PK": string(self._pk), "SK": string(row.key)},
            condition=condition,
            UpdateExpression=update,
            ExpressionAttributeNames={f"#{name}": name for name in _ATTRIBUTES},
            ExpressionAttributeValues={f":{name}": value for name, value in attributes.items()},
        )
        return applied

    def page(
        self, *, after: str | None = None, before: str | None = None, newest_first: bool = True, limit: int
    ) -> Page:
        """At most `limit` rows between two sort keys, both left out themselves, by one Query that reads little more.

        A time, or the beginning of one, is a bound too. A page may be shorter than `limit` where DynamoDB's own bound
        of 1 MB cuts it; only next_key tells the end. Not a consistent read: a row of this moment may be missing.
        """
        if limit < 1:
            raise ValueError(f"a page of {limit} rows")
        if after is not None and before is not None and after >= before:
            return Page((), None)
        condition, bounds = _between(after, before)
        answer = self.client.query(
            TableName=self.table,
            KeyConditionExpression="PK = :pk" + condition,
            ExpressionAttributeValues={":pk": string(self._pk), **bounds},
            ScanIndexForward=not newest_first,
            Limit=limit + 3,  # one tells whether there are more, two may be the bounds themselves
        )
        rows = [_row(self.collection, item) for item in answer["Items"] if text_of(item, "SK") not in (after, before)]
        shown = tuple(rows[:limit])
        if len(rows) > limit:
            return Page(shown, shown[-1].key)
        last = answer.get("LastEvaluatedKey")
        return Page(shown, last["SK"]["S"] if last else None)

    def fold_idle(self, now: datetime) -> int:
        """Fold older rows of executions that had nothing to do into one row a day; how many. May run twice, and beside
        another: one of them does it.

        The schedule makes thousands of them. They keep a row each for IDLE_KEPT; what is older goes from here on, the
        oldest first, FOLDED_AT_ONCE at most of the rows that are looked at, and from time to time only. One that is the
        first to come to its end after a failure keeps its row: it tells that nothing was left undone.
        """
        seen = self.folded_until()
        until = (now - IDLE_KEPT).isoformat()
        if seen is not None and seen >= (now - IDLE_KEPT - _FOLD_EVERY).isoformat():
            return 0
        answer = self.client.query(
            TableName=self.table,
            KeyConditionExpression="PK = :pk AND SK BETWEEN :after AND :until",
            ExpressionAttributeValues={
                ":pk": string(self._pk),
                ":after": string(f"{seen or ''} "),  # a blank sorts before what follows a time in a key
                ":until": string(until),
            },
            Limit=FOLDED_AT_ONCE,
        )
        rows = [(item, _row(self.collection, item)) for item in answer["Items"]]
        idle = [(item["SK"], row) for item, row in rows if row.outcome in IDLE and row.ended_at is not None]
        healing = _first_after_failures([row for _, row in rows])
        idle = [(key, row) for key, row in idle if row.name not in healing]
        last = answer.get("LastEvaluatedKey")
        days = Counter(row.started_at[:10] for _, row in idle)
        moved: list[TransactWriteItemTypeDef] = [
            {"Delete": {"TableName": self.table, "Key": {"PK": string(self._pk), "SK": key}}} for key, _ in idle
        ]
        moved += [self._add(day, count) for day, count in days.items()]
        try:
            self.client.transact_write_items(
                TransactItems=[*moved, self._reach(seen, last["SK"]["S"] if last else until)]
            )
        except self.client.exceptions.TransactionCanceledException:
            return 0  # another one folds the same rows
        return len(idle)

    def folded_until(self) -> str | None:
        """The sort key up to which rows of idle executions are folded; None before the first time."""
        item = self.client.get_item(TableName=self.table, Key=self._idle_key(_REACHED)).get("Item", {})
        return text_of(item, "until")

    def idle_days(self, limit: int, *, first: str = _FIRST_DAY, last: str = _LAST_DAY) -> list[IdleDay]:
        """The newest days, from first to last, of which idle executions are folded; none when first is after last."""
        if first > last:
            return []
        answer = self.client.query(
            TableName=self.table,
            KeyConditionExpression="PK = :pk AND SK BETWEEN :first AND :last",
            ExpressionAttributeValues={
                ":pk": self._idle_key("")["PK"],
                ":first": string(first),
                ":last": string(last),
            },
            ScanIndexForward=False,
            Limit=limit,
        )
        return [IdleDay(text_of(item, "SK") or "", int_of(item, "executions")) for item in answer["Items"]]

    def _add(self, day: str, count: int) -> "TransactWriteItemTypeDef":
        return {
            "Update": {
                "TableName": self.table,
                "Key": self._idle_key(day),
                "UpdateExpression": "ADD executions :count",
                "ExpressionAttributeValues": {":count": number(count)},
            }
        }

    def _reach(self, seen: str | None, until: str) -> "TransactWriteItemTypeDef":
        return {
            "Update": {
                "TableName": self.table,
                "Key": self._idle_key(_REACHED),
                "UpdateExpression": "SET #until = :until",
                "ConditionExpression": "attribute_not_exists(#until)" if seen is None else "#until = :seen",
                "ExpressionAttributeNames": {"#until": "until"},
                "ExpressionAttributeValues": {
                    ":until": string(until),
                    **({} if seen is None else {":seen": string(seen)}),
                },
            }
        }

    def _idle_key(self, sort_key: str) -> dict[str, Any]:
        return {"PK": string(f"EXECUTIONS_IDLE#{self.collection}"), "SK": string(sort_key)}

    @property
    def _pk(self) -> str:
        return f"EXECUTIONS#{self.collection}"


def _first_after_failures(rows: Sequence[ExecutionRow]) -> set[str]:
    """The names of those that ended well first after one that did not, the oldest row first."""
    found: set[str] = set()
    failed = False
    for row in rows:
        if row.status in _ENDED_ILL:
            failed = True
        elif failed and row.status == "SUCCEEDED" and row.outcome != "coalesced":
            found.add(row.name)
            failed = False
    return found


_ENDED_ILL: Final = ("FAILED", "TIMED_OUT", "ABORTED")
_ATTRIBUTES: Final = tuple(field.name for field in fields(ExecutionRow) if field.name != "collection")


def _attributes(row: ExecutionRow) -> dict[str, Item]:
    values = {name: getattr(row, name) for name in _ATTRIBUTES}
    return {
        name: number(value) if isinstance(value, int) else string(value)
        for name, value in values.items()
        if value not in (None, "")
    }


def _row(collection: str, item: Item) -> ExecutionRow:
    values: Mapping[str, Any] = {name: text_of(item, name) for name in _ATTRIBUTES}
    started_at, _, name = (text_of(item, "SK") or "").partition("#")
    defaults = {
        "name": name,
        "started_at": started_at,
        "arn": "",
        "status": RUNNING,
        "mode": "compact",
        "trigger": "operator",
    }
    return ExecutionRow(
        **{
            "collection": collection,
            **values,
            **{key: value for key, value in defaults.items() if values[key] is None},
            "version": int_of(item, "version") if "version" in item else None,
        }
    )


def _between(after: str | None, before: str | None) -> tuple[str, dict[str, Any]]:
    """The condition on the sort key. DynamoDB takes one only: two bounds are a BETWEEN, which includes both."""
    bounds = {name: string(value) for name, value in ((":after", after), (":before", before)) if value is not None}
    if len(bounds) == 2:
        return " AND SK BETWEEN :after AND :before", bounds
    if after is not None:
        return " AND SK > :after", bounds
    return (" AND SK < :before", bounds) if before is not None else ("", bounds)

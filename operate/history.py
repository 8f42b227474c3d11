"""The history: every execution, recorded or known to Step Functions by now, newest first, filtered and paged.

The recorded rows outlive Step Functions' own list and can be paged by time; but they are written by events, so the
newest of them may lack or lag. The first page therefore asks Step Functions too, and believes it.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from receipt_dynamo_stream.control.history import UNKNOWN_COLLECTION, IdleDay, Page
from receipt_dynamo_stream.control.versions import VersionRow
from receipt_dynamo_stream.round.report import MergeCounts

from operate.errors import ExecutionNotFound
from operate.generations import every_name
from operate.models import (
    FAILURES,
    IDLE,
    UNHEALED,
    Execution,
    Unpublished,
    described_execution,
    heals,
    name_of,
    recorded_execution,
    unpublished_of,
)
from operate.services import Services
from operate.state_machine import NEWEST, StateMachine

PAGE = 50
LOOKED_AT = 2_000
"""How many executions one page looks at before it stops looking for more that fit."""
IDLE_DAYS = 31
"""How many days of idle executions one page names at most."""
_DAY = len("2026-07-28")
_ROWS = 500
_ROUNDS = 100
"""An execution has at most that many."""
_PAGES_TO_HEALING = 5
_LEEWAY = timedelta(seconds=1)  # a row's start is written in milliseconds


@dataclass(frozen=True)
class Wanted:
    """Which executions are asked for. `result` is one of `operate.models.RESULTS` or UNHEALED; times are aware UTC;
    `text` is looked for in names, errors and causes; `idle` shows those that had nothing to do too."""

    collection: str | None = None
    result: str | None = None
    trigger: str | None = None
    mode: str | None = None
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None
    idle: bool = False

    def fits(self, one: Execution) -> bool:
        """Whether an execution is asked for, but for UNHEALED, which takes looking at later ones."""
        unhealed = self.result == UNHEALED and one.result in FAILURES
        return (
            self.collection in (None, one.collection)
            and (self.result in (None, one.result) or self.result == one.status == "succeeded" or unhealed)
            and self.trigger in (None, one.trigger)
            and self.mode in (None, one.mode)
            and (self.since is None or one.started_at >= self.since)
            and (self.until is None or one.started_at <= self.until)
            and self.text.casefold() in " ".join(filter(None, (one.name, one.error, one.cause))).casefold()
        )


@dataclass(frozen=True)
class Merged:
    """What an execution's versions brought, all of its rounds together."""

    versions: tuple[int, ...] = ()
    receipts: int = 0
    counts: MergeCounts = field(default_factory=MergeCounts)


@dataclass(frozen=True)
class Listed:
    """One line of the list. `healed_by` did later what this one failed to do."""

    execution: Execution
    merged: Merged | None = None
    healed_by: Execution | None = None

    def to_json(self) -> dict[str, Any]:
        """The execution as plain values, and the name of the one that healed it."""
        return {**self.execution.to_json(), "healed_by": self.healed_by.name if self.healed_by else None}


@dataclass(frozen=True)
class HistoryPage:
    """`folded` executions had nothing to do and are not shown. `older` begins the next page, None at the end."""

    rows: tuple[Listed, ...]
    folded: int
    looked_at: int
    older: str | None


class _Asked(dict[str, tuple[Unpublished, ...]]):
    """What is unpublished by collection, asked when it is needed and once a page."""

    def __init__(self, ask: Callable[[str], tuple[Unpublished, ...]]) -> None:
        super().__init__()
        self._ask = ask

    def __missing__(self, collection: str) -> tuple[Unpublished, ...]:
        self[collection] = self._ask(collection)
        return self[collection]


class History:
    """Pages of executions, and what is asked of the recorded ones besides."""

    def __init__(self, services: Services, machine: StateMachine) -> None:
        self._services = services
        self._machine = machine

    def page(self, wanted: Wanted, before: str | None = None, limit: int = PAGE) -> HistoryPage:
        """At most `limit` executions that fit, older than the sort key `before`; the first page asks Step Functions."""
        shown: list[Listed] = []
        folded = looked_at = 0
        older = None
        began_below = None if before is None and wanted.until is None else _upper_bound(wanted, before)
        later = _Later(self, _Asked(self._unpublished), began_below)
        for one in self._newest_first(wanted, before, live=before is None):
            looked_at += 1
            if wanted.fits(one):
                if one.result in IDLE and not wanted.idle and wanted.result is None:
                    folded += 1
                elif (healed_by := later.healing(one)) is None or wanted.result != UNHEALED:
                    shown.append(Listed(one, healed_by=healed_by))
            later.saw(one)
            if len(shown) == limit or looked_at == LOOKED_AT:
                older = sort_key(one)
                break
        return HistoryPage(self._with_merged(shown), folded, looked_at, older)

    def idle_days(self, wanted: Wanted, before: str | None, older: str | None) -> tuple[IdleDay, ...]:
        """How many executions had nothing to do and are but counted by now, by day, the newest first: those of the days
        that a page, from `before` to `older`, comes to the end of. A filter that such a count cannot answer has none.
        """
        if wanted.result or wanted.trigger or wanted.mode or wanted.text:
            return ()
        upper = _upper_bound(wanted, before)
        lower = f"{older[:_DAY]}~" if older else wanted.since and wanted.since.isoformat()[:_DAY]
        bounds = {**({"first": lower} if lower else {}), **({"last": upper[:_DAY]} if upper else {})}
        counted: Counter[str] = Counter()
        for partition in self._partitions(wanted):
            days = self._services.control.history(partition).idle_days(IDLE_DAYS, **bounds)
            counted.update({one.day: one.executions for one in days})
        return tuple(IdleDay(day, counted[day]) for day in sorted(counted, reverse=True)[:IDLE_DAYS])

    def healed_by(self, failed: Execution) -> Execution | None:
        """The first later execution that did what this one failed to do."""
        if failed.result not in FAILURES or failed.collection is None:
            return None
        left, later = self._unpublished(failed.collection), self.after(failed.collection, sort_key(failed))
        return next((one for one in later if heals(one, failed, left)), None)

    def after(self, collection: str, after: str | None) -> Iterator[Execution]:
        """The recorded executions after a sort key, the oldest first, as far as healing is looked for."""
        for _ in range(_PAGES_TO_HEALING):
            page = self._rows(collection, None, after, newest_first=False)
            yield from map(recorded_execution, page.rows)
            if (after := page.next_key) is None:
                return

    def _unpublished(self, collection: str) -> tuple[Unpublished, ...]:
        control, now = self._services.control, self._services.now()
        oldest = control.pending(collection).backlog(now.isoformat()).oldest_seconds
        return unpublished_of(oldest, control.quarantine(collection).list(), now)

    def recent(self, collection: str, count: int) -> list[Execution]:
        """The newest executions of a collection, idle ones too."""
        wanted = Wanted(collection=collection, idle=True)
        fitting = (one for one in self._newest_first(wanted, None, live=True) if wanted.fits(one))
        return [one for one, _ in zip(fitting, range(count), strict=False)]

    def find(self, name: str) -> Execution | None:
        """The execution of this whole name as it was recorded; of the LOOKED_AT newest, whether Step Functions still
        knows it or not."""
        recorded = self._newest_first(Wanted(), None, live=False)
        return next((one for one in islice(recorded, LOOKED_AT) if one.name == name), None)

    def _newest_first(self, wanted: Wanted, before: str | None, *, live: bool) -> Iterator[Execution]:
        listed = self._live(wanted.collection) if live else {}
        before = _upper_bound(wanted, before)
        after = wanted.since.isoformat() if wanted.since is not None else None
        partitions = self._partitions(wanted)
        streams = [self._recorded(partition, before, after) for partition in partitions]
        unrecorded = self._unrecorded(listed, partitions)
        for one in heapq.merge(*streams, unrecorded, key=sort_key, reverse=True):
            yield self._believe(one, listed)

    def _partitions(self, wanted: Wanted) -> Sequence[str]:
        """Where the rows are that are asked for."""
        return [wanted.collection] if wanted.collection else [*every_name(self._services.control), UNKNOWN_COLLECTION]

    def _recorded(self, collection: str, before: str | None, after: str | None) -> Iterator[Execution]:
        while True:
            page = self._rows(collection, before, after)
            yield from map(recorded_execution, page.rows)
            if (before := page.next_key) is None:
                return

    def _rows(self, collection: str, before: str | None, after: str | None, *, newest_first: bool = True) -> Page:
        """One page of a collection's EXECUTIONS rows, between two sort keys, both left out."""
        history = self._services.control.history(collection)
        return history.page(after=after, before=before, newest_first=newest_first, limit=_ROWS)

    def _live(self, collection: str | None) -> dict[str, Execution]:
        """By name: what Step Functions lists last, and all that runs, but what its name says to be of another
        collection."""
        listed = self._machine.newest_and_running()
        return {one.name: one for one in listed if collection is None or one.collection in (None, collection)}

    def _unrecorded(self, live: dict[str, Execution], partitions: Sequence[str]) -> Iterator[Execution]:
        """What Step Functions lists last and no row tells yet, newest first; each is described when it is reached.

        Not what succeeded so long ago that its row would be folded by now, had it nothing to do: it had.
        """
        newest = sorted(live.values(), key=sort_key, reverse=True)[:NEWEST]
        if not newest:
            return
        oldest = newest[-1].started_at - _LEEWAY
        recorded = {one.name for partition in partitions for one in self._recorded(partition, None, oldest.isoformat())}
        missing = [one for one in newest if one.name not in recorded]
        if any(one.status == "succeeded" for one in missing):
            control = self._services.control
            folded = {partition: control.history(partition).folded_until() or "" for partition in partitions}
            missing = [one for one in missing if one.status != "succeeded" or sort_key(one) > folded.get(_of(one), "")]
        for one in sorted(missing, key=sort_key, reverse=True):
            with suppress(ExecutionNotFound):
                yield described_execution(self._machine.describe(one.arn))

    def _believe(self, one: Execution, live: dict[str, Execution]) -> Execution:
        """The execution as Step Functions knows it, if its row lags: the event of its end may never have come."""
        now = live.get(one.name)
        if (now.status if now else "not running") != one.status and (now is not None or one.status == "running"):
            with suppress(ExecutionNotFound):
                return described_execution(self._machine.describe(one.arn))
        return one

    def _with_merged(self, rows: list[Listed]) -> tuple[Listed, ...]:
        """Add what each merged, by one query per collection for all of them together."""
        merged: dict[str, Merged] = {}
        for collection in sorted({row.execution.collection for row in rows if row.execution.collection}):
            numbers = [
                row.execution.version
                for row in rows
                if (row.execution.collection, row.execution.outcome) == (collection, "published")
                and row.execution.version is not None
            ]
            if numbers:
                for first, last in _spans(numbers):
                    merged |= merged_by(self._services.control.versions(collection).between(first, last))
        return tuple(replace(row, merged=merged.get(row.execution.name)) for row in rows)


class _Later:
    """Which later executions made failures good: of those that were seen on the way from the newest, and of those that
    are newer than where it began, if there are any. One look for all failures of a page."""

    def __init__(
        self, history: History, unpublished: Mapping[str, Sequence[Unpublished]], began_below: str | None
    ) -> None:
        self._history = history
        self._unpublished = unpublished
        self._began_below = began_below
        self._seen: dict[str, list[Execution]] = {}
        self._newer: dict[str, list[Execution]] = {}

    def saw(self, one: Execution) -> None:
        """Take in an execution, the newest first."""
        if one.status == "succeeded" and one.collection is not None:
            self._seen.setdefault(one.collection, []).append(one)

    def healing(self, failed: Execution) -> Execution | None:
        """The first later one that did what this one failed to do."""
        if failed.result not in FAILURES or failed.collection is None:
            return None
        seen, left = self._seen.get(failed.collection, []), self._unpublished[failed.collection]
        found = next((later for later in reversed(seen) if heals(later, failed, left)), None)
        if found is not None or self._began_below is None:
            return found
        if failed.collection not in self._newer:
            at_it = self._began_below[:-1]  # the last one of the page before is newer, too
            self._newer[failed.collection] = list(self._history.after(failed.collection, at_it))
        return next((later for later in self._newer[failed.collection] if heals(later, failed, left)), None)


def _upper_bound(wanted: Wanted, before: str | None) -> str | None:
    """The sort key below which a page begins; None for the newest."""
    if before is None and wanted.until is not None:
        return f"{wanted.until.isoformat()}~"
    return before


def _of(one: Execution) -> str:
    return one.collection or UNKNOWN_COLLECTION


def merged_by(rows: list[VersionRow]) -> dict[str, Merged]:
    """What each execution, by its name, brought with the versions of these rows."""
    merged: dict[str, Merged] = {}
    for row in sorted(rows, key=lambda row: row.snapshot_id):
        if row.committed_at is None:
            continue
        name = name_of(row.execution)
        known = merged.get(name, Merged())
        merged[name] = Merged(
            (*known.versions, row.version), known.receipts + (row.receipts or 0), known.counts + counts_of(row)
        )
    return merged


def _spans(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The version numbers to ask for, with those before that may be of the same executions, from first to last."""
    first = last = None
    for number in sorted(numbers):
        if first is None or last is None or number - _ROUNDS > last:
            if first is not None and last is not None:
                yield first, last
            first = max(1, number - _ROUNDS)
        last = number
    if first is not None and last is not None:
        yield first, last


def counts_of(row: VersionRow) -> MergeCounts:
    """The counts of a row as numbers by name; a rollback has none."""
    names = MergeCounts.__dataclass_fields__
    return MergeCounts(**{name: count for name, count in row.counts.items() if name in names})


def sort_key(one: Execution) -> str:
    """The execution's key among the recorded rows."""
    return f"{one.started_at.isoformat()}#{one.name}"

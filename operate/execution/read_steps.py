"""From the events of an execution's history to its steps. AWS's events and moto's, which differ: no boto3, no printing.

Every event names the one before it. Following those names, and not the order of the list, tells the iterations of a
Map apart that run at the same time. What moto 5.2.5 does otherwise: an aborted execution has no ExecutionAborted, and
goes on to write events after its end; a MapStateFailed follows the failed task and not its iteration.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from operate.execution.definition import State, states
from operate.execution.step_builder import StepBuilder, as_object, attempt_resource
from operate.execution.steps import Attempt, StateSummary, Step, Trace, summary

__all__ = ["Attempt", "StateSummary", "Step", "Trace", "summary", "trace"]

_ENTERED = re.compile(r"([A-Z][a-z]+)StateEntered")
_WORK = re.compile(
    r"(?:Task|LambdaFunction|Activity)"
    r"(Scheduled|Started|Submitted|Succeeded|Failed|TimedOut|StartFailed|SubmitFailed|ScheduleFailed)"
)
_GROUP = re.compile(r"(Map|Parallel)State(Started|Succeeded|Failed|Aborted)")
_ENDINGS = {
    "ExecutionSucceeded": "succeeded",
    "ExecutionFailed": "failed",
    "ExecutionTimedOut": "timed_out",
    "ExecutionAborted": "aborted",
}
_PASSED_ON = ("MapIterationFailed", "MapIterationAborted", "MapStateFailed", "ParallelStateFailed")
"""A failure on its way out: the step to blame is before it."""


def trace(
    definition: Mapping[str, Any],
    events: Sequence[Mapping[str, Any]],
    *,
    now: datetime,
    status: str | None = None,
    ended_at: datetime | None = None,
) -> Trace:
    """What happened. `events` is GetExecutionHistory's list, oldest first; its beginning alone reads as still running.

    `status` (a word of `operate.models.STATUSES`) and `ended_at` are what DescribeExecution says. They are needed for
    an aborted execution of the local stack, whose history does not say so. Unknown events are ignored.
    """
    reader = _Reader(states(definition))
    aborted_at = ended_at if status == "aborted" else None
    for event in events:
        if aborted_at is None or event["timestamp"] <= aborted_at:
            reader.read(event)
    if aborted_at is not None and not reader.ended:
        reader.finish("aborted", aborted_at, None)
    failed = _told_by(reader.failed, reader.drafts)
    return Trace(
        steps=tuple(draft.step() for draft in reader.drafts),
        status=reader.status,
        started_at=reader.started_at or now,
        ended_at=reader.at if reader.ended else None,
        now=now,
        error=reader.error,
        cause=reader.cause,
        failed=failed.id if failed else None,
    )


def _told_by(failed: StepBuilder | None, drafts: Sequence[StepBuilder]) -> StepBuilder | None:
    """What a Fail state is about: the last task before it that ended with its error, where that one was caught."""
    if failed is None or failed.type != "Fail":
        return failed
    same = (draft for draft in reversed(drafts) if draft.type == "Task" and draft.error == failed.error)
    return next((draft for draft in same if draft.status in ("failed", "caught")), failed)


class _Reader:
    """The steps as far as the events were read."""

    def __init__(self, known: Mapping[str, State]) -> None:
        self.drafts: list[StepBuilder] = []
        self.status = "running"
        self.started_at: datetime | None = None
        self.at: datetime | None = None
        self.error: str | None = None
        self.cause: str | None = None
        self.failed: StepBuilder | None = None
        self._known = known
        self._running: list[StepBuilder] = []
        self._drives = 0
        self._round = 0
        self._owner: dict[int, StepBuilder | None] = {}
        self._iteration: dict[int, tuple[StepBuilder, int]] = {}
        self._passed_on: dict[int, int] = {}

    @property
    def ended(self) -> bool:
        return self.status != "running"

    def read(self, event: Mapping[str, Any]) -> None:
        """Take one event in."""
        number, kind, before = event["id"], event["type"], event.get("previousEventId", 0)
        if self.ended and kind != "ExecutionRedriven":
            return  # moto's threads go on a little after the end
        self.at = event["timestamp"]
        self.started_at = self.started_at or self.at
        if kind in _PASSED_ON:
            self._passed_on[number] = before
        self._owner[number] = self._take(event, kind, self._owner.get(before))

    def _take(self, event: Mapping[str, Any], kind: str, owner: StepBuilder | None) -> StepBuilder | None:
        """Apply an event; the step that it belongs to."""
        details = event.get(f"{kind[0].lower()}{kind[1:]}EventDetails") or {}
        if entered := _ENTERED.fullmatch(kind):
            return self._enter(event, entered[1])
        if kind.endswith("StateExited"):
            return self._exit(event, owner)
        if kind in _ENDINGS:
            self.error, self.cause = details.get("error"), details.get("cause")
            blamed = self._blamed(event.get("previousEventId", 0)) or self.last_open()
            self.finish(_ENDINGS[kind], event["timestamp"], blamed)
            return owner
        if kind == "ExecutionRedriven":
            return self._redrive()
        if kind.startswith("MapIteration"):
            return self._iterate(event, kind.removeprefix("MapIteration"), details, owner)
        if group := _GROUP.fullmatch(kind):
            return self._group(event, group[2], details, owner)
        if owner is None:
            return None
        if work := _WORK.fullmatch(kind):
            owner = self._again(owner, event)
            if work[1] == "Scheduled":
                owner.resource = attempt_resource(details) or owner.resource
            owner.work(work[1], event["timestamp"], details)
        elif kind == "EvaluationFailed":
            owner.error, owner.cause = details.get("error"), details.get("cause")
        elif kind.endswith("StateAborted"):
            owner.end("aborted", event["timestamp"])
        return owner

    # Entering and leaving

    def _enter(self, event: Mapping[str, Any], type_: str) -> StepBuilder:
        details = event["stateEnteredEventDetails"]
        known = self._known.get(details["name"])
        before = event.get("previousEventId", 0)
        after = self._owner.get(before)
        parent, index = self._iteration.get(before) or ((after.parent, after.index) if after else (None, None))
        if known and known.parent and (parent is None or parent.state != known.parent):
            # The events before are not there, or do not lead back to its Map: the definition knows better.
            parent = next((each for each in reversed(self._still_running()) if each.state == known.parent), None)
            index = None
        if parent is not None and parent.type == "Parallel":
            index = known.branch if known else None
        beside = after if after is not None and after.parent is parent else None
        draft = StepBuilder(
            id=event["id"],
            state=details["name"],
            type=type_,
            parent=parent,
            index=index,
            after=beside.id if beside else None,
            entered_at=event["timestamp"],
            input=details.get("input"),
            round=self._round_of(details.get("input"), parent),
            resource=known.resource if known else None,
            drive=self._drives,
        )
        if known and type_ == "Fail":
            draft.error, draft.cause = known.error, known.cause
        self._add(draft)
        return draft

    def _add(self, draft: StepBuilder) -> None:
        self.drafts.append(draft)
        self._running.append(draft)

    def _round_of(self, given: str | None, parent: StepBuilder | None) -> int:
        count = as_object(given).get("count")
        found = count.get("round") if isinstance(count, dict) else None
        if isinstance(found, int):
            self._round = found
            return found
        return parent.round if parent else self._round

    def _exit(self, event: Mapping[str, Any], owner: StepBuilder | None) -> StepBuilder | None:
        details = event["stateExitedEventDetails"]
        named = (draft for draft in self._outwards(owner) if draft.state == details["name"])
        latest = (draft for draft in reversed(self.drafts) if draft.state == details["name"] and draft.open)
        draft = next(named, None) or next(latest, None)
        if draft is None:
            return owner
        self._end_inside(draft, event["timestamp"], None)
        draft.output = details.get("output")
        known = self._known.get(draft.state)
        expected = known is not None and draft.error in known.answers
        status = ("refused" if expected else "caught") if draft.in_error else "succeeded"
        draft.end(status, event["timestamp"])
        return draft

    # Maps and Parallels

    def _iterate(
        self, event: Mapping[str, Any], what: str, details: Mapping[str, Any], owner: StepBuilder | None
    ) -> StepBuilder | None:
        name, index = details.get("name"), details.get("index", 0)
        named = (draft for draft in self._outwards(owner) if draft.type == "Map" and draft.state == name)
        latest = (draft for draft in reversed(self.drafts) if draft.type == "Map" and draft.state == name)
        group = next(named, None) or next(latest, None)
        if group is None:
            return owner
        if what == "Started":
            self._reopen(group)
            self._iteration[event["id"]] = (group, index)
        elif what == "Succeeded":
            group.done.add(index)
        else:
            blamed = self._blamed(event["id"]) if what == "Failed" else None
            self._end_inside(group, event["timestamp"], blamed, index)
        return group

    def _group(
        self, event: Mapping[str, Any], what: str, details: Mapping[str, Any], owner: StepBuilder | None
    ) -> StepBuilder | None:
        groups = [draft for draft in self._outwards(owner) if draft.type in ("Map", "Parallel")]
        group = next((draft for draft in groups if draft.open), groups[0] if groups else None)
        if group is None:
            return owner
        if what == "Started":
            if not group.open and group.drive == self._drives:
                group.done.clear()  # its own Retry begins it anew
            self._reopen(group, also_failed=True)
            group.length = details.get("length", group.length)
            self._iteration[event["id"]] = (group, 0)
        elif what != "Succeeded":
            blamed = self._blamed(event["id"]) if what == "Failed" else None
            self._end_inside(group, event["timestamp"], blamed)
            if blamed is not None:
                group.error, group.cause = group.error or blamed.error, group.cause or blamed.cause
            group.end("failed" if what == "Failed" else "aborted", event["timestamp"])
        return group

    def _end_inside(
        self, group: StepBuilder, at: datetime, blamed: StepBuilder | None, index: int | None = None
    ) -> None:
        """End what still runs in a group, or in one iteration of it: failed on the way to the blamed step."""
        guilty = list(self._outwards(blamed))
        for draft in self._still_running():
            way = list(self._outwards(draft))
            if group in way[1:]:
                top = way[way.index(group) - 1]
                if index is None or top.index == index:
                    draft.end("failed" if draft in guilty else "aborted", at)

    # Ends and new beginnings

    def finish(self, status: str, at: datetime, blamed: StepBuilder | None) -> None:
        """The execution ended so: whatever is open ends with it."""
        guilty = list(self._outwards(blamed)) if status == "failed" else []
        if status == "failed" and blamed is not None:
            blamed.error, blamed.cause = blamed.error or self.error, blamed.cause or self.cause
        for draft in self._still_running():
            draft.end("failed" if draft in guilty else "succeeded" if status == "succeeded" else "aborted", at)
        self.status, self.at = status, at
        self.failed = blamed if status in ("failed", "timed_out") else None

    def last_open(self) -> StepBuilder | None:
        """The newest step that still runs: it has no other inside."""
        return max(self._still_running(), key=lambda draft: draft.id, default=None)

    def _still_running(self) -> list[StepBuilder]:
        self._running = [draft for draft in self._running if draft.open]
        return list(self._running)

    def _redrive(self) -> StepBuilder | None:
        stopped = self.failed or (self.drafts[-1] if self.drafts else None)
        self.status, self.error, self.cause, self.failed = "running", None, None, None
        self._drives += 1
        return stopped

    def _again(self, draft: StepBuilder, event: Mapping[str, Any]) -> StepBuilder:
        """The step that work belongs to: after a redrive it is a new one, in the same place."""
        if draft.open or draft.drive == self._drives:
            return draft
        for group in list(self._outwards(draft))[1:]:
            self._reopen(group)
        again = draft.again(event["id"], event["timestamp"], self._drives)
        self._add(again)
        return again

    def _reopen(self, group: StepBuilder, *, also_failed: bool = False) -> None:
        """A group goes on in a redrive, or (`also_failed`) begins anew by its own Retry."""
        if not group.open and (also_failed or group.drive < self._drives):
            group.reopen(self._drives)
            self._running.append(group)

    def _blamed(self, event: int) -> StepBuilder | None:
        """The step that a failure came from. An event follows an older one; what says otherwise leads nowhere."""
        while (older := self._passed_on.get(event, event)) < event:
            event = older
        return self._owner.get(event)

    @staticmethod
    def _outwards(draft: StepBuilder | None) -> Iterator[StepBuilder]:
        """A step, its Map, the Map around that, …"""
        while draft is not None:
            yield draft
            draft = draft.parent

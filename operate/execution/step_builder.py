"""A step while its history is still being read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from operate.execution.steps import Attempt, Step

_LET_GO = ("Failed", "TimedOut", "StartFailed", "SubmitFailed", "ScheduleFailed")


@dataclass(eq=False)
class StepBuilder:
    """A Step to be, by the same names. `drive` counts the redrives before it was last taken up."""

    id: int
    state: str
    type: str
    parent: "StepBuilder | None"
    index: int | None
    after: int | None
    entered_at: datetime
    input: str | None
    round: int
    resource: str | None
    drive: int
    status: str = "running"
    ended_at: datetime | None = None
    output: str | None = None
    error: str | None = None
    cause: str | None = None
    length: int | None = None
    done: set[int] = field(default_factory=set)
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether it still runs."""
        return self.ended_at is None

    @property
    def in_error(self) -> bool:
        """Whether the last thing that happened to it was a failure."""
        return self.status == "failed" or self.error is not None

    def end(self, status: str, at: datetime) -> None:
        """It ended so: as a group, it may have failed before, and be caught now."""
        self.status, self.ended_at = status, at
        if self.attempts and self.attempts[-1].ended_at is None:
            self._end_attempt(at, None, None)

    def reopen(self, drive: int) -> None:
        """A group goes on."""
        self.status, self.ended_at, self.error, self.cause, self.drive = "running", None, None, None, drive

    def again(self, event: int, at: datetime, drive: int) -> "StepBuilder":
        """A new step in the place of this one."""
        return StepBuilder(
            id=event,
            state=self.state,
            type=self.type,
            parent=self.parent,
            index=self.index,
            after=self.after,
            entered_at=at,
            input=self.input,
            round=self.round,
            resource=self.resource,
            drive=drive,
        )

    def work(self, what: str, at: datetime, details: Mapping[str, Any]) -> None:
        """Something happened to the task at work: `what` is the end of the event's type."""
        if not self.open:
            return
        if what == "Scheduled" or not self.attempts:
            self.attempts.append(Attempt(at, None, None, None))
            self.error = self.cause = None
        if what in _LET_GO:
            self.error, self.cause = (
                details.get("error") or ("States.Timeout" if what == "TimedOut" else "States.TaskFailed"),
                details.get("cause"),
            )
            self._end_attempt(at, self.error, self.cause)
        elif what == "Succeeded":
            self.error = self.cause = None
            self._end_attempt(at, None, None)

    def _end_attempt(self, at: datetime, error: str | None, cause: str | None) -> None:
        self.attempts[-1] = Attempt(self.attempts[-1].started_at, at, error, cause)

    def step(self) -> Step:
        """As it is now."""
        return Step(
            id=self.id,
            state=self.state,
            type=self.type,
            parent=self.parent.id if self.parent else None,
            index=self.index,
            after=self.after,
            entered_at=self.entered_at,
            ended_at=self.ended_at,
            status=self.status,
            attempts=tuple(self.attempts),
            input=self.input,
            output=self.output,
            error=self.error,
            cause=self.cause,
            resource=self.resource,
            round=self.round,
            done=len(self.done),
            length=self.length,
        )


def as_object(text: str | None) -> dict[str, Any]:
    """A JSON object, or an empty one for anything else: a history may leave data out, or cut it."""
    try:
        value = json.loads(text or "{}")
    except json.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def attempt_resource(details: Mapping[str, Any]) -> str | None:
    """What a Scheduled event calls: the function's ARN or name, else the service's action."""
    kind, action = details.get("resourceType"), details.get("resource")
    if kind == "lambda":
        function = as_object(details.get("parameters")).get("FunctionName")
        return function if isinstance(function, str) else f"{kind}:{action}"
    return f"{kind}:{action}" if kind else action

"""What an execution did, as values: its steps, with every attempt at them. No boto3; times are aware datetimes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from operate.prices import TRANSITION_DOLLARS

STEP_STATUSES = ("running", "succeeded", "refused", "caught", "failed", "aborted")
"""`refused` got an answer that its Catch takes by name: the machine reckons with it, and nothing is wrong. `caught`
failed of something else, and its Catch took over. `aborted` was at work when something else ended it."""
_MOST_TELLING = ("failed", "running", "aborted", "caught", "refused", "succeeded")


@dataclass(frozen=True)
class Attempt:
    """One try at a task. `ended_at` is None while it runs; `error` and `cause` are None unless it failed."""

    started_at: datetime
    ended_at: datetime | None
    error: str | None
    cause: str | None


@dataclass(frozen=True)
class Step:
    """One pass through a state.

    `id` is the event that entered it, or the first event of a redrive that took it up again. `parent` is the step of
    the Map or Parallel around it, `index` its iteration or branch there, `after` the step that it was entered from.
    `round` counts from 0, as the paths of plans and reports do. `input` and `output` are JSON texts, None when there
    is none (yet) or the history leaves them out. `done` of `length` iterations of a Map have succeeded.
    """

    id: int
    state: str
    type: str
    parent: int | None
    index: int | None
    after: int | None
    entered_at: datetime
    ended_at: datetime | None
    status: str
    attempts: tuple[Attempt, ...]
    input: str | None
    output: str | None
    error: str | None
    cause: str | None
    resource: str | None
    round: int
    done: int = 0
    length: int | None = None

    def seconds(self, now: datetime) -> float:
        """How long it took, or has been running until now."""
        return max(0.0, ((self.ended_at or now) - self.entered_at).total_seconds())

    @property
    def retries(self) -> int:
        """The attempts beyond the first."""
        return max(0, len(self.attempts) - 1)

    @property
    def waits(self) -> tuple[tuple[datetime, datetime], ...]:
        """From when to when it waited for another attempt."""
        pairs = zip(self.attempts, self.attempts[1:], strict=False)
        return tuple((before.ended_at or after.started_at, after.started_at) for before, after in pairs)


@dataclass(frozen=True)
class Trace:
    """Everything an execution did so far, in order of entering. `status` is one of `operate.models.STATUSES`.

    `failed` is the id of the innermost step that the execution failed or timed out in; `error` and `cause` are what
    the execution itself ended with.
    """

    steps: tuple[Step, ...]
    status: str
    started_at: datetime
    ended_at: datetime | None
    now: datetime
    error: str | None = None
    cause: str | None = None
    failed: int | None = None

    @property
    def failed_step(self) -> Step | None:
        """The innermost step that the execution failed of, None when it did not fail."""
        return next((step for step in self.steps if step.id == self.failed), None)

    @property
    def retries(self) -> int:
        """Of all steps together."""
        return sum(step.retries for step in self.steps)

    @property
    def transitions(self) -> int:
        """What AWS bills: every state that was entered, and every retry."""
        return len(self.steps) + self.retries

    @property
    def transition_dollars(self) -> float:
        """What these cost on AWS; the functions' seconds come on top."""
        return self.transitions * TRANSITION_DOLLARS

    @property
    def function_seconds(self) -> float:
        """How long functions were at work, all attempts together, waiting for Lambda included."""
        tries = [one for step in self.steps if ":function:" in (step.resource or "") for one in step.attempts]
        return sum(((one.ended_at or self.ended_at or self.now) - one.started_at).total_seconds() for one in tries)

    @property
    def rounds(self) -> int:
        """How many rounds were begun."""
        return max((step.round + 1 for step in self.steps), default=0)

    @property
    def seconds(self) -> float:
        """How long the execution took, or has been running."""
        return max(0.0, ((self.ended_at or self.now) - self.started_at).total_seconds())

    def inside(self, parent: int | None) -> tuple[Step, ...]:
        """The steps directly inside a Map's step; those of the execution itself for None."""
        return tuple(step for step in self.steps if step.parent == parent)


@dataclass(frozen=True)
class StateSummary:
    """All passes through one state. `status` is that of the newest, the most telling one of a Map's iterations.

    `failed` counts failed and caught steps. `seconds` adds up, also what ran in parallel. `last` is the id of the step
    that `status` is of. `done` of `total` iterations is about a Map's newest step; `total` is None for other states.
    """

    status: str
    count: int
    retries: int
    failed: int
    running: int
    seconds: float
    last: int
    done: int = 0
    total: int | None = None


def summary(trace: Trace) -> dict[str, StateSummary]:
    """By state name, in order of the first entering; what was never entered is not in it."""
    by_state: dict[str, list[Step]] = {}
    for step in trace.steps:
        by_state.setdefault(step.state, []).append(step)
    return {state: _summary(steps, trace.now) for state, steps in by_state.items()}


def _summary(steps: list[Step], now: datetime) -> StateSummary:
    newest = steps[-1]
    return StateSummary(
        status=_most_telling(_beside(newest, steps)).status,
        count=len(steps),
        retries=sum(step.retries for step in steps),
        failed=sum(step.status in ("failed", "caught") for step in steps),
        running=sum(step.status == "running" for step in steps),
        seconds=sum(step.seconds(now) for step in steps),
        last=_most_telling(_beside(newest, steps)).id,
        done=newest.done,
        total=newest.length,
    )


def _beside(newest: Step, steps: list[Step]) -> list[Step]:
    """The newest pass of each iteration of the newest step's Map, or the newest step alone."""
    if newest.parent is None:
        return [newest]
    return list({step.index: step for step in steps if step.parent == newest.parent}.values())


def _most_telling(steps: Iterable[Step]) -> Step:
    return min(steps, key=lambda step: (_MOST_TELLING.index(step.status), -step.id))

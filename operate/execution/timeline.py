"""When each step was at work, as rows of bars. Values only: everything is a percentage of the execution's span."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from operate.execution.definition import BOOKKEEPING
from operate.execution.steps import Step, Trace
from operate.wording import exact_duration

_THINNEST = 0.3  # per cent: a step of a few milliseconds is still seen
_NICE = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
_TICKS = 6
_WORST_FIRST = ("failed", "running", "aborted")


@dataclass(frozen=True)
class Bar:
    """A stretch of a row, from `left` on, `width` wide. `kind` is one of `steps.STEP_STATUSES`, or `wait`."""

    kind: str
    left: float
    width: float
    title: str


@dataclass(frozen=True)
class Row:
    """One step, or (`step` None) the heading of one iteration of a Map. `depth` says how far to indent it.

    `bars` are its attempts with the waits between them, or one bar for a state that has none. `starts_round` is set
    in the first row of a round after the first.
    """

    label: str
    step: Step | None
    depth: int
    status: str
    duration: str
    bars: tuple[Bar, ...]
    starts_round: bool = False


@dataclass(frozen=True)
class Tick:
    """A mark of the time axis."""

    left: float
    label: str


class _Scale:
    """Times as percentages of the execution's span. What lies outside (a clock that is off) is drawn at its edge."""

    def __init__(self, trace: Trace, now: datetime) -> None:
        self.start = trace.started_at
        self.end = max(trace.ended_at or now, self.start)
        self.seconds = (self.end - self.start).total_seconds()

    def bar(self, kind: str, start: datetime, end: datetime | None, title: str) -> Bar:
        left, right = self._at(start), self._at(end or self.end)
        width = min(100.0, max(right - left, _THINNEST))
        return Bar(kind, round(min(left, 100.0 - width), 3), round(width, 3), title)

    def _at(self, moment: datetime) -> float:
        if not self.seconds:
            return 0.0
        return min(100.0, max(0.0, (moment - self.start).total_seconds() / self.seconds * 100))


def bars(trace: Trace, now: datetime | None = None, *, bookkeeping: bool = False) -> tuple[Row, ...]:
    """A row for each step in order of entering, those of a Map iteration by iteration below it.

    Choice and Pass take no time to speak of: they are left out unless `bookkeeping`, or unless one did not succeed.
    """
    now = now or trace.now
    scale = _Scale(trace, now)
    inside: dict[int | None, list[Step]] = {}
    for step in trace.steps:
        if bookkeeping or step.type.lower() not in BOOKKEEPING or step.status != "succeeded":
            inside.setdefault(step.parent, []).append(step)
    return tuple(_rows(inside, None, 0, scale, now))


def _rows(
    inside: dict[int | None, list[Step]], parent: Step | None, depth: int, scale: _Scale, now: datetime
) -> Iterator[Row]:
    if parent is None:
        newest_round = 0
        for step in inside.get(None, []):
            yield _row(step, depth, scale, now, starts_round=step.round > newest_round)
            newest_round = max(newest_round, step.round)
            yield from _rows(inside, step, depth + 1, scale, now)
        return
    iterations: dict[int, list[Step]] = {}
    for step in inside.get(parent.id, []):
        iterations.setdefault(step.index or 0, []).append(step)
    headings = len(iterations) > 1
    for index, steps in sorted(iterations.items()):
        if headings:
            label = f"{'branch' if parent.type == 'Parallel' else 'iteration'} {index}"
            yield _heading(label, steps, depth, scale, now)
        for step in steps:
            yield _row(step, depth + headings, scale, now)
            yield from _rows(inside, step, depth + headings + 1, scale, now)


def _heading(label: str, steps: list[Step], depth: int, scale: _Scale, now: datetime) -> Row:
    start = min(step.entered_at for step in steps)
    end = None if any(step.ended_at is None for step in steps) else max(step.ended_at or now for step in steps)
    status = next((word for word in _WORST_FIRST if any(step.status == word for step in steps)), "succeeded")
    took = exact_duration(((end or now) - start).total_seconds())
    return Row(label, None, depth, status, took, (scale.bar(status, start, end, f"{label}: {status}, {took}"),))


def _row(step: Step, depth: int, scale: _Scale, now: datetime, starts_round: bool = False) -> Row:
    took = exact_duration(step.seconds(now))
    return Row(step.state, step, depth, step.status, took, tuple(_bars(step, scale, now, took)), starts_round)


def _bars(step: Step, scale: _Scale, now: datetime, took: str) -> Iterator[Bar]:
    """The attempts and the waits between them; the last attempt has the step's own status."""
    if not step.attempts:
        yield scale.bar(step.status, step.entered_at, step.ended_at, f"{step.state}: {step.status}, {took}")
        return
    for number, attempt in enumerate(step.attempts, 1):
        last = number == len(step.attempts)
        kind = (
            "failed"
            if attempt.error and not (last and step.status in ("caught", "refused"))
            else step.status
            if last
            else "succeeded"
        )
        seconds = exact_duration(((attempt.ended_at or now) - attempt.started_at).total_seconds())
        said = f"refused ({attempt.error})" if kind == "refused" else attempt.error or kind
        words = f"attempt {number}: {said}, {seconds}"
        yield scale.bar(kind, attempt.started_at, attempt.ended_at, f"{step.state}, {words}")
    waits = list(step.waits)
    if step.attempts[-1].ended_at and step.ended_at is None:
        waits.append((step.attempts[-1].ended_at, now))  # between two attempts, and the second is yet to come
    for start, end in waits:
        yield scale.bar("wait", start, end, f"{step.state}, waiting {exact_duration((end - start).total_seconds())}")


def ticks(trace: Trace, now: datetime | None = None) -> tuple[Tick, ...]:
    """Marks for the time axis, at most seven, at round numbers of seconds from the start."""
    seconds = _Scale(trace, now or trace.now).seconds
    if not seconds:
        return (Tick(0.0, "0 s"),)
    apart = next((nice for nice in _NICE if seconds / nice <= _TICKS), seconds / _TICKS)
    count = int(seconds / apart) + 1
    return tuple(
        Tick(round(number * apart / seconds * 100, 3), exact_duration(number * apart)) for number in range(count)
    )

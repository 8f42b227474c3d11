"""The gate that every effect passes. There a simulated process may die before or after it, its answer may be lost, it
may be done twice or answered with an error, its caller may be told that it timed out while it goes on much later, or
somebody else may act first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from .tasks import Crash, Task, current, give_way

T = TypeVar("T")

_CHANGING = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"[0-9a-f]{32}"), "<token>"),
    (re.compile(r"\.aside-[0-9a-f]{12}"), ".aside"),
)


class Kind(StrEnum):
    """What may go wrong at a gate."""

    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    LOSE_ANSWER = "lose the answer of"
    REPEAT = "do twice"
    REFUSE = "refuse"
    LATE = "time out and go on late at"
    STOP = "stop the execution, not its function, at"
    OVERTAKE = "stop the execution at, and go on when another one has done its work"


class AnswerLost(Exception):
    """It was done, and nobody hears of it."""


class Refused(Exception):
    """It was not done: the service is overloaded or away."""


@dataclass(frozen=True)
class Effect:
    """One effect: who (an execution's or function's name), what, and on which thing; the text is the same each run."""

    who: str
    what: str
    on: str
    reads: bool = False

    def __str__(self) -> str:
        return f"{self.who}: {self.what} {self.on}"


def stable(text: str) -> str:
    """A text without what chance made."""
    for pattern, name in _CHANGING:
        text = pattern.sub(name, text)
    return text


@dataclass
class Gate:
    """`act(number, effect)` says what happens at an effect, None for nothing; `seen` has all effects in order; `around`
    gives what is done in place of `do`, for whoever records."""

    act: Callable[[int, Effect], Kind | None] = lambda _number, _effect: None
    around: Callable[[Effect, Kind | None, Callable[[], Any]], Callable[[], Any]] = lambda _effect, _kind, do: do
    seen: list[Effect] = field(default_factory=list)
    before: Callable[[int, Effect], None] = lambda _number, _effect: None
    after: Callable[[Effect], None] = lambda _effect: None
    tick: Callable[[], None] = lambda: None
    stop: Callable[[Task, Kind], None] = lambda _task, _kind: None
    picks: int | None = None
    story: list[str] = field(default_factory=list)

    def passing(self, effect: Effect, do: Callable[[], T]) -> T:
        """Do it, with whatever goes wrong. Code outside of all tasks passes at once."""
        task = current()
        if task is None:
            return do()
        if task.crashed:
            raise Crash
        self.tick()
        number = len(self.seen)
        self.seen.append(effect)
        self.before(number, effect)
        if task.crashed:
            raise Crash
        kind = self.act(number, effect)
        if kind is Kind.LATE and effect.what == "invoke":
            kind = Kind.LOSE_ANSWER  # an execution has no sandbox that could time out; its function has
        self.story.append(f"{number:4} {effect}" + (f"   ← {kind}" if kind else ""))
        result = self._do(kind, task, self.around(effect, kind, do))
        self.after(effect)
        if kind is Kind.CRASH_AFTER:
            self._crash(task)
        if kind is Kind.LOSE_ANSWER:
            raise AnswerLost(str(effect))
        return result

    def _do(self, kind: Kind | None, task: Task, do: Callable[[], T]) -> T:
        if kind is Kind.CRASH_BEFORE:
            self._crash(task)
        if kind is Kind.REFUSE:
            raise Refused
        if kind in (Kind.STOP, Kind.OVERTAKE):
            self.stop(task, kind)
        if kind in (Kind.LATE, Kind.OVERTAKE):
            task.late = True
            give_way()
        if kind is Kind.REPEAT:
            do()
        return do()

    def pick(self, options: Sequence[T]) -> T:
        """One of them, by the number of the effect at hand unless `picks` says which."""
        return options[(len(self.seen) if self.picks is None else self.picks) % len(options)]

    @staticmethod
    def _crash(task: Task) -> None:
        task.crashed = True
        raise Crash

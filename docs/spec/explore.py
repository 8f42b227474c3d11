"""A breadth-first search of every state of a model, and the shortest schedule that breaks a law.

A model is small: a first state, the steps that may come next, what no step may do (`broken`), and what must be so
after everything was stopped and one scheduled execution ran alone (`unhealed`). States are values that can be hashed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar


class Law(StrEnum):
    """The invariants of docs/architecture.md, by their names there, and the one that is a pause's."""

    VERSIONS_ONLY_GROW = "VersionsOnlyGrow"
    ROWS_CONSERVED = "RowsConserved"
    ONE_LINEAGE = "OneLineage"
    FENCED_NEVER_PUBLISHES = "FencedNeverPublishes"
    READERS_NEVER_MIX = "ReadersNeverMix"
    NO_CHANGE_LOST = "NoChangeLost"
    CRASH_LEAVES_GARBAGE_ONLY = "CrashLeavesGarbageOnly"
    RETAINED_IS_READABLE = "RetainedIsReadable"
    PAUSED_PUBLISHES_NOTHING = "PausedPublishesNothing"


S = TypeVar("S", bound=Hashable)


class Model(Protocol[S]):
    """What can be searched. A step's label begins with the state of the machine that it is of, if it is of one."""

    def first(self) -> S:
        """The state that everything begins in."""

    def steps(self, state: S) -> Iterable[tuple[str, S]]:
        """What may happen next, each with its label."""

    def broken(self, before: S, after: S) -> Law | None:
        """The law that a step from `before` to `after` breaks."""

    def unhealed(self, state: S) -> Law | None:
        """The law that is broken when everything stops here and one scheduled execution runs undisturbed."""


@dataclass(frozen=True)
class Searched:
    """How many states there are, what was broken first and by which schedule, and the first words of all labels."""

    states: int
    law: Law | None
    story: tuple[str, ...]
    taken: frozenset[str]


def search(model: Model[S]) -> Searched:
    """Look at every state, the nearest first; stop at the first that breaks a law."""
    first = model.first()
    came_from: dict[S, tuple[S, str] | None] = {first: None}
    waiting = deque([first])
    taken: set[str] = set()

    def found(law: Law | None, at: S | None = None, *more: str) -> Searched:
        story = list(reversed(more))
        step = came_from[at] if at is not None else None
        while step is not None:
            story.append(step[1])
            step = came_from[step[0]]
        return Searched(len(came_from), law, tuple(reversed(story)), frozenset(taken))

    while waiting:
        state = waiting.popleft()
        if law := model.unhealed(state):
            return found(law, state, "everything stops, and one scheduled execution runs")
        for label, after in model.steps(state):
            taken.add(label.split(" ", 1)[0])
            if law := model.broken(state, after):
                return found(law, state, label)
            if after not in came_from:
                came_from[after] = (state, label)
                waiting.append(after)
    return found(None)


@dataclass(frozen=True)
class Bounds:
    """A model within bounds: what may happen in it, in words. Small ones are searched with every test run."""

    title: str
    model: Model[Hashable]
    is_small: bool = False


@dataclass(frozen=True)
class Without:
    """A model with a guard left out, and the law that it then breaks."""

    guard: StrEnum
    model: Model[Hashable]
    law: Law
    is_small: bool = True

"""What chance chooses in a history: drawn and written down act by act, or taken from what was written down.

A script without some of its acts, faults or turns is a script too. What it says no more is as it is when nobody
disturbs: nothing goes wrong, and of those who could go on the last one does.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TypeVar

from .effects import Effect, Kind

T = TypeVar("T")

AFTER_AN_ACT = (0, 5, 30, 1000)
"""So many effects may happen before the next one."""


@dataclass
class Step:
    """An act. drawn: what it drew itself, as places in what it had to choose from; effects: how many may happen before
    the next act; faults, turns: at which of the effects since it began; order: which of several went on, by how often
    that was asked since it began, where it was not the last of them.
    """

    act: str
    drawn: list[int] = field(default_factory=list)
    effects: int = 0
    faults: dict[int, Kind] = field(default_factory=dict)
    turns: list[int] = field(default_factory=list)
    order: dict[int, int] = field(default_factory=dict)


@dataclass
class Script:
    """A whole history. seed: what names and ids are made from; late_first: whether late writers are the first to go on
    when the faults have stopped."""

    seed: int
    steps: list[Step] = field(default_factory=list)
    late_first: bool = True

    @property
    def faults(self) -> int:
        return sum(len(one.faults) for one in self.steps)

    def encode(self) -> str:
        """One line of JSON without a single quote."""
        steps = [{name: value for name, value in asdict(one).items() if value} for one in self.steps]
        return json.dumps({**vars(self), "steps": steps}, separators=(",", ":"))

    @classmethod
    def decode(cls, text: str) -> Script:
        """What encode gave. Raises ValueError."""
        try:
            given = json.loads(text)
            return cls(**{**given, "steps": [_step(one) for one in given["steps"]]})
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"this is no script of a history: {error!r}") from error


def _step(given: dict[str, object]) -> Step:
    step = Step(**given)  # type: ignore[arg-type]
    step.faults = {int(at): Kind(kind) for at, kind in step.faults.items()}
    step.order = {int(at): place for at, place in step.order.items()}
    return step


class Drawn:
    """By chance, the same for the same seed. `script`: what was drawn so far."""

    def __init__(self, seed: int) -> None:
        self.script = Script(seed)
        self._chance = random.Random(seed)
        self._rate = self._chance.choice((0.0, 0.01, 0.03, 0.06))
        self._turns = self._chance.choice((0.0, 0.05, 0.3))
        self._asked = 0

    @property
    def _step(self) -> Step:
        return self.script.steps[-1]

    def acts(self, names: Sequence[str]) -> Iterator[str]:
        """One after the other, each once the one before is over."""
        for _ in range(self._chance.randint(6, 24)):
            self.script.steps.append(Step(self._chance.choice(names)))
            self._asked = 0
            yield self._step.act

    def pick(self, options: Sequence[T]) -> T:
        """For an act: one of these."""
        self._step.drawn.append(self._chance.randrange(len(options)))
        return options[self._step.drawn[-1]]

    def sample(self, options: Sequence[T], most: int) -> list[T]:
        """For an act: some of these, as many as there are at most."""
        places = self._chance.sample(range(len(options)), min(most, len(options)))
        self._step.drawn += places
        return [options[place] for place in places]

    def effects(self) -> int:
        """How many may happen before the next act."""
        self._step.effects = self._chance.choice(AFTER_AN_ACT)
        return self._step.effects

    def fault(self, at: int, effect: Effect) -> Kind | None:
        """What goes wrong at this one."""
        if (effect.reads and self._chance.random() < 0.7) or self._chance.random() >= self._rate:
            return None
        self._step.faults[at] = self._chance.choice(tuple(Kind))
        return self._step.faults[at]

    def gives_way(self, at: int) -> bool:
        """Whether others go on before this one."""
        if self._chance.random() < self._turns:
            self._step.turns.append(at)
            return True
        return False

    def first_of(self, ready: Sequence[T]) -> T:
        """Who goes on."""
        place = self._chance.randrange(len(ready))
        if len(ready) > 1:
            self._asked += 1
            if place != len(ready) - 1:
                self._step.order[self._asked] = place
        return ready[place]

    def late_first(self) -> bool:
        """Whether late writers go on before the schedule comes."""
        self.script.late_first = self._chance.random() < 0.5
        return self.script.late_first


class Replayed:
    """By a script. `script`: the same."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self._step = Step("")
        self._drawn: Iterator[int] = iter(())
        self._asked = 0

    def acts(self, _names: Sequence[str]) -> Iterator[str]:
        for step in self.script.steps:
            self._step, self._drawn, self._asked = step, iter(step.drawn), 0
            yield step.act

    def pick(self, options: Sequence[T]) -> T:
        return options[next(self._drawn, 0) % len(options)]

    def sample(self, options: Sequence[T], most: int) -> list[T]:
        places = dict.fromkeys(place for place in self._drawn if place < len(options))
        return [options[place] for place in places][:most]

    def effects(self) -> int:
        return self._step.effects

    def fault(self, at: int, _effect: Effect) -> Kind | None:
        return self._step.faults.get(at)

    def gives_way(self, at: int) -> bool:
        return at in self._step.turns

    def first_of(self, ready: Sequence[T]) -> T:
        if len(ready) == 1:
            return ready[0]
        self._asked += 1
        place = self._step.order.get(self._asked, -1)
        return ready[place] if place < len(ready) else ready[-1]

    def late_first(self) -> bool:
        return self.script.late_first

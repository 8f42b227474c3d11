"""What an operator asks for during a soak: folds, re-shards, switches of generations; and how each of that ended."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable

from local.aws.executions import Execution
from local.demo.tally import ending

from .renewal import BESIDE, WORDS
from .stage import Stage

ASKED = {"fold": "folded", "reshard": "resharded", "switch": "switched"}
"""Modes, and the outcome of what was published."""
CALM_SECONDS = 400.0
"""How long re-shards and a switch may take that nothing but the load disturbs."""
_MOST_SHARDS = 3
_PAUSE_SECONDS = (0.05, 0.6)


class Operator:
    """`ends`: how every execution ended, by its ARN; `asked`: mode and end of those that were asked for."""

    def __init__(self, stage: Stage, rng: random.Random) -> None:
        self._stage, self._rng = stage, rng
        self._turn = 0
        self.ends: dict[str, str] = {}
        self.asked: dict[str, tuple[str, str]] = {}

    def act(self) -> None:
        """One of them, of any generation."""
        kind, name = self._rng.choice(("fold", "fold", "reshard", "reshard", "switch")), self._any()
        if kind == "switch":
            self._switch(when_complete=True)
        elif kind == "reshard":
            self._reshard(name)
        else:
            self._stage.stack.executions.start(name, mode="fold")

    def reorganise(self, change: Callable[[], None]) -> list[str]:
        """Re-shard a generation, each in its turn, and switch, while receipts change and nothing fails; what did not
        end in time."""
        names = self._stage.kept_up
        waited = {self._reshard(names[self._turn % len(names)]), self._switch()}
        self._turn += 1
        deadline = time.monotonic() + CALM_SECONDS
        while running := waited & self._stage.stack.executions.running:
            if time.monotonic() > deadline:
                return [f"{one} still runs after {CALM_SECONDS:g} seconds without a fault" for one in sorted(running)]
            change()
            time.sleep(self._rng.uniform(*_PAUSE_SECONDS))
        return []

    def count(self) -> None:
        """Look at how executions ended."""
        for one in self._stage.stack.executions.find():
            self.ends[one.arn] = outcome_of(one)
            mode = one.input["mode"]
            if mode in ASKED:
                self.asked[one.arn] = mode, self.ends[one.arn]

    def by_mode(self) -> dict[str, Counter[str]]:
        """How those ended that were asked for."""
        return {mode: Counter(end for of, end in self.asked.values() if of == mode) for mode in ASKED}

    def published(self) -> dict[str, int]:
        """How often each mode published something."""
        return {mode: self.by_mode()[mode][outcome] for mode, outcome in ASKED.items()}

    def _any(self) -> str:
        return self._rng.choice(self._stage.kept_up)

    def _reshard(self, name: str) -> str:
        """Into another number of shards than there are."""
        head = self._stage.head(name)
        others = [one for one in range(1, _MOST_SHARDS + 1) if head is None or one != head.shards]
        return self._stage.stack.executions.start(name, mode="reshard", shards=self._rng.choice(others))

    def _switch(self, *, when_complete: bool = False) -> str:
        """To the generation that does not serve."""
        beside = self._stage.control.generations(WORDS).read().beside or BESIDE
        return self._stage.stack.executions.start(WORDS, mode="switch", generation=beside, when_complete=when_complete)


def outcome_of(execution: Execution) -> str:
    """How it ended, with the error where it failed."""
    end = ending(execution)
    if end == "failed":
        return f"failed: {execution.error}"
    return execution.outcome if end == "nothing_pending" and execution.outcome else end

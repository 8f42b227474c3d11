"""A random history: edits, duplicates, stops, faults, and an operator at any point; the same for the same seed."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from datetime import timedelta

from .effects import Effect, Kind
from .scenarios import rollback
from .tasks import current, give_way
from .trial import WORDS, Start, Trial
from .world import Machine

NAMES = ("aaaa", "bbbb", "cccc")
LABELS = ("TOTAL", "DATE")


class History:
    """What one seed does in a trial."""

    def __init__(self, trial: Trial, seed: int) -> None:
        self.trial, self.chance = trial, random.Random(seed)
        self.machine = trial.machine
        self.rate = self.chance.choice((0.0, 0.01, 0.03, 0.06))
        self.turns = self.chance.choice((0.0, 0.05, 0.3))
        self.notes: list[str] = []

    def run(self) -> None:
        """Acts, with some effects between them; then the end."""
        self.machine.scheduler.choose = self.chance.choice
        self.trial.go_wrong(self._fault)
        self.machine.gate.before = self._take_turns
        for _ in range(self.chance.randint(6, 24)):
            act = self.chance.choice(self._acts())
            self.machine.gate.story.append(f"     — {act.__name__.strip('_')}")
            act()
            self._go_on(self.chance.choice((0, 5, 30, 1000)))
        self.machine.gate.story.append("     — all faults stop")
        self.trial.heal(late_first=self.chance.random() < 0.5)

    def _fault(self, _number: int, effect: Effect) -> Kind | None:
        if effect.reads and self.chance.random() < 0.7:
            return None
        return self.chance.choice(tuple(Kind)) if self.chance.random() < self.rate else None

    def _take_turns(self, _number: int, _effect: Effect) -> None:
        if current() is not None and self.chance.random() < self.turns:
            give_way()

    def _go_on(self, effects: int) -> None:
        gate = self.machine.gate
        until = len(gate.seen) + effects
        self.machine.scheduler.run(until=lambda: len(gate.seen) >= until)

    def _acts(self) -> list[Callable[[], object]]:
        edits = [self._edit, self._edit, self._announce, self._place, self._remove_word, self._delete, self._create]
        rare = [
            self._expire,
            self._restore,
            self._verify,
            self._rollback,
            self._reshard,
            self._lose_efs,
            self._hours_pass,
            self._pause,
            self._resume,
        ]
        often = [*[self._deliver] * 5, self._again, self._tick, self._tick, self._fold, self._stop, self._redrive]
        return [*edits, *often, *rare]

    # -- producers and people

    def _edit(self) -> None:
        status = self.chance.choice(("VALID", "INVALID", None))
        self.trial.producer.label(self._name(), self.chance.randint(1, 3), self.chance.choice(LABELS), status)

    def _announce(self) -> None:
        self.trial.producer.announce(self._name())

    def _place(self) -> None:
        self.trial.producer.place(self._name(), f"merchant {self.chance.randint(1, 9)}")

    def _remove_word(self) -> None:
        self.trial.producer.remove_word(self._name(), self.chance.randint(1, 3))

    def _delete(self) -> None:
        self.trial.producer.delete(self._name())

    def _create(self) -> None:
        self.trial.producer.create(self.chance.choice(NAMES), self.chance.randint(1, 3))

    def _name(self) -> str:
        return self.chance.choice(sorted(self.trial.receipts))

    # -- the stream and the schedule

    def _deliver(self) -> None:
        self.trial.deliver(self.chance.choice((1, 3, 100)))

    def _again(self) -> None:
        """Some records come once more, late."""
        told = self.trial.producer.told
        self.trial.producer.stream += self.chance.sample(told, min(3, len(told)))

    def _tick(self) -> None:
        self.trial.tick()

    # -- an operator, and what befalls

    def _fold(self) -> None:
        self.trial.start("fold", all=True)

    def _reshard(self) -> None:
        self.trial.start("reshard", shards=self.chance.randint(1, 3))

    def _rollback(self) -> None:
        kept = [row for row in self.machine.rows("COLLECTION#words") if row.get("state") == "committed"]
        if len(kept) > 1:
            rollback(self.trial)

    def _expire(self) -> None:
        self.trial.start("expire", apply=True)

    def _restore(self) -> None:
        self.trial.start("restore")

    def _verify(self) -> None:
        self.trial.start("verify")

    def _pause(self) -> None:
        self.trial.operator("pause", lambda stack: stack.collections.pause(WORDS, "a person wants it so"))

    def _resume(self) -> None:
        if "paused" in self.machine.item():
            self.trial.operator("resume", lambda stack: stack.collections.resume(WORDS))

    def _stop(self) -> None:
        running = [one for one in self.trial.executions if one.status == "RUNNING"]
        if running:
            self.machine.stepfunctions.stop(self.chance.choice(running))

    def _redrive(self) -> None:
        ended = [one for one in self.trial.executions if one.status in ("ABORTED", "FAILED") and one.at]
        if ended:
            self.machine.stepfunctions.redrive(self.chance.choice(ended))

    def _lose_efs(self) -> None:
        shutil.rmtree(self.machine.efs / "words", ignore_errors=True)
        self.trial.watch.efs_is_lost()

    def _hours_pass(self) -> None:
        self.machine.scheduler.now += timedelta(minutes=self.chance.choice((1, 40, 300)))


def run_seed(machine: Machine, start: Start, seed: int) -> Trial:
    """A whole history. Raises Broken with its story."""
    trial = Trial(machine, start, seed=seed)
    try:
        History(trial, seed).run()
    except Exception as error:
        error.add_note(f"seed {seed}:\n{trial.story}")
        raise
    return trial

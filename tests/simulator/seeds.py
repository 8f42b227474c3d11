"""A random history: edits, duplicates, stops, faults, and an operator at any point; the same for the same seed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta

from .broken import Broken
from .choices import Drawn, Replayed
from .effects import Effect
from .scenarios import rollback
from .tasks import current, give_way
from .trial import WORDS, Start, Trial
from .world import Machine

NAMES = ("aaaa", "bbbb", "cccc")
LABELS = ("TOTAL", "DATE")


class History:
    """What one script or seed does in a trial."""

    def __init__(self, trial: Trial, choices: Drawn | Replayed) -> None:
        self.trial, self.choices = trial, choices
        self.machine = trial.machine
        self._first = 0

    def run(self) -> None:
        """Acts, with some effects between them; then the end."""
        gate = self.machine.gate
        self.machine.scheduler.choose = self.choices.first_of
        gate.act = lambda number, effect: self.choices.fault(number - self._first, effect)
        gate.before = self._take_turns
        acts = {act.__name__: act for act in self._acts()}
        for name in self.choices.acts([act.__name__ for act in self._acts()]):
            gate.story.append(f"     — {name.strip('_')}")
            self._first = len(gate.seen)
            acts[name]()
            self._go_on(self.choices.effects())
        gate.story.append("     — all faults stop")
        self.trial.heal(late_first=self.choices.late_first())

    def _take_turns(self, number: int, _effect: Effect) -> None:
        if current() is not None and self.choices.gives_way(number - self._first):
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
        status = self.choices.pick(("VALID", "INVALID", None))
        self.trial.producer.label(self._name(), self.choices.pick(range(1, 4)), self.choices.pick(LABELS), status)

    def _announce(self) -> None:
        self.trial.producer.announce(self._name())

    def _place(self) -> None:
        self.trial.producer.place(self._name(), f"merchant {self.choices.pick(range(1, 10))}")

    def _remove_word(self) -> None:
        self.trial.producer.remove_word(self._name(), self.choices.pick(range(1, 4)))

    def _delete(self) -> None:
        self.trial.producer.delete(self._name())

    def _create(self) -> None:
        self.trial.producer.create(self.choices.pick(NAMES), self.choices.pick(range(1, 4)))

    def _name(self) -> str:
        return self.choices.pick(sorted(self.trial.receipts))

    # -- the stream and the schedule

    def _deliver(self) -> None:
        self.trial.deliver(self.choices.pick((1, 3, 100)))

    def _again(self) -> None:
        """Some records come once more, late."""
        told = self.trial.producer.told
        self.trial.producer.stream += self.choices.sample(told, 3)

    def _tick(self) -> None:
        self.trial.tick()

    # -- an operator, and what befalls

    def _fold(self) -> None:
        self.trial.start("fold", all=True)

    def _reshard(self) -> None:
        self.trial.start("reshard", shards=self.choices.pick(range(1, 4)))

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
            self.machine.stepfunctions.stop(self.choices.pick(running))

    def _redrive(self) -> None:
        ended = [one for one in self.trial.executions if one.status in ("ABORTED", "FAILED") and one.at]
        if ended:
            self.machine.stepfunctions.redrive(self.choices.pick(ended))

    def _lose_efs(self) -> None:
        shutil.rmtree(self.machine.efs / "words", ignore_errors=True)
        self.trial.watch.efs_is_lost()

    def _hours_pass(self) -> None:
        self.machine.scheduler.now += timedelta(minutes=self.choices.pick((1, 40, 300)))


def run_seed(machine: Machine, start: Start, seed: int) -> Trial:
    """A whole history. Raises Broken with its story."""
    return run_choices(machine, start, Drawn(seed))


def run_choices(machine: Machine, start: Start, choices: Drawn | Replayed) -> Trial:
    """A whole history, drawn or by a script. Raises Broken with its story."""
    trial = Trial(machine, start, seed=choices.script.seed)
    try:
        History(trial, choices).run()
    except Exception as error:
        error.add_note(f"seed {choices.script.seed}:\n{trial.story}")
        raise
    return trial


def law_of(error: BaseException) -> str:
    """What an error says is broken: the law, else what was raised."""
    return str(error).partition(":")[0] if isinstance(error, Broken) else type(error).__name__

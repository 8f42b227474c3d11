"""The soak: a load, random faults and readers at once, for minutes; in between and at the end all is looked at."""

from __future__ import annotations

import builtins
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from operate.stack import Stack

from .faults import FAULTS, NEEDS_CLOCK
from .growing import Heads
from .load import Load
from .measures import PARTS, Holding, holding, largest
from .operating import Operator
from .orphans import orphans, rows_of_control, versions_kept
from .processes import left_behind
from .readers import Readers
from .reading import Seen
from .renewal import LaterProducer, begin
from .stage import NotHealed, Stage

HEAL_SECONDS = 600.0
GRACE_SECONDS = 100
"""Longer than a re-shard takes from its plan to its commit, also while others hold the lease: else it has lost."""
LINE_SECONDS = 30.0
RECEIPTS = 20
MORE_HANDLES, MORE_MB = 24, 200.0
_FAULT_SECONDS, _REST_SECONDS = (3.0, 10.0), (1.0, 5.0)
_OF_MEMORY = ("MemoryError", "RuntimeError")
"""What Python itself raises without memory: the second where no thread can be started."""


@dataclass
class Result:
    """What a soak saw. `asked`: by mode, how the executions of an operator ended; `problems` is empty where everything
    held."""

    seconds: float = 0.0
    changes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    executions: Counter[str] = field(default_factory=Counter)
    asked: dict[str, Counter[str]] = field(default_factory=dict)
    healed: list[float] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)
    control: Counter[str] = field(default_factory=Counter)
    seen: Seen = field(default_factory=Seen)
    holdings: list[Holding] = field(default_factory=list)
    peak_mb: float = 0.0
    problems: list[str] = field(default_factory=list)


class Soak:
    """One soak of a stage. `say` gets a line of progress every half a minute."""

    def __init__(
        self, stage: Stage, *, minutes: float, seed: int, faults: list[str], say: Callable[[str], None]
    ) -> None:
        self.stage, self.faults, self.say = stage, faults, say
        self.rng = random.Random(seed)
        self.load = Load(stage.producer, seed, about=RECEIPTS)
        self.readers = Readers(stage)
        self.operator = Operator(stage, self.rng)
        self.heads = Heads(stage)
        self.result = Result()
        self.last = "none yet"
        self._minutes = minutes

    def run(self) -> Result:
        """Raises nothing of what did not hold: that is in the result."""
        result, stop = self.result, threading.Event()
        began = time.monotonic()
        self.load.begin()
        try:
            self._check("the first receipts")
            self.result.holdings.clear()  # what is held is compared once there are readers
            self.readers.start()
            begin(Stack(self.stage.stack.connection))
            self.load.renew(LaterProducer(**vars(self.stage.producer)))
            beside = [threading.Thread(target=one, args=(stop,)) for one in (self.heads.loop, self._tell_often)]
            try:
                for thread in beside:
                    thread.start()
                self._disturb(time.monotonic() + self._minutes * 60)
                self._check("the last fault")
                if not all(self.operator.published().values()):
                    self._reorganise()
                self._expire()
            finally:
                stop.set()
                for thread in beside:
                    thread.join()
                result.seen = self.readers.stop()
        except NotHealed as problem:
            result.problems.append(str(problem))
        result.seconds = time.monotonic() - began
        self._conclude()
        return result

    def _disturb(self, end: float) -> None:
        check_every = max(150.0, self._minutes * 7.5)
        checked = time.monotonic()
        kinds: list[str] = []
        while time.monotonic() < end:
            if not kinds:  # each kind once, in an order of its own, and again
                kinds = self.rng.sample(self.faults, len(self.faults))
            kind, seconds = kinds.pop(), self.rng.uniform(*_FAULT_SECONDS)
            self._strike(kind, seconds)
            if time.monotonic() - checked > check_every:
                self._check(kind)
                self._reorganise()
                checked = time.monotonic()

    def _strike(self, kind: str, seconds: float) -> None:
        """A fault, and the load beside it."""
        struck: list[int] = []
        chance = random.Random(self.rng.random())

        def strike() -> None:
            try:
                struck.append(FAULTS[kind](self.stage, chance, seconds))
            except Exception as error:  # noqa: BLE001 -- of the fault itself: told, and the soak goes on
                self.result.problems.append(f"{kind} could not be brought about: {type(error).__name__}: {error}")

        self.last = kind
        fault = threading.Thread(target=strike, name=f"fault-{kind}")
        fault.start()
        rest = time.monotonic() + seconds + self.rng.uniform(*_REST_SECONDS)
        while fault.is_alive() or time.monotonic() < rest:
            self.load.change()
            if self.rng.random() < 0.12:
                self.operator.act()
            time.sleep(self.rng.uniform(0.05, 0.6))
        fault.join()
        self.operator.count()
        self.result.faults[kind] += 1
        self.result.struck[kind] += sum(struck)

    def _reorganise(self) -> None:
        """Time in which nothing fails: under faults, few re-shards come to their end."""
        self.result.problems += self.operator.reorganise(self.load.change)
        self.operator.count()

    def _check(self, after: str) -> None:
        """Everything is as it should be, by the schedule alone; then what is held."""
        took = self.stage.heal(HEAL_SECONDS, self.load.corrupt)
        self.result.healed.append(took)
        with self.stage.resting():
            self.operator.count()
            self.result.holdings.append(holding(self.stage.workers, self.readers.pids))
            if left := left_behind(self.stage):
                self.result.problems.append(f"after {after}: processes without a parent: {left}")
        now = self.result.holdings[-1]
        self.say(
            f"healed {took:.1f} s after {after}: equal to the model;"
            f" {now.stack.resident_mb:.0f} MB and {now.stack.handles} handles at rest"
        )

    def _expire(self) -> None:
        """Let the times of expiry pass; a change makes a round that marks, another one that deletes."""
        for _ in range(2):
            time.sleep(self.stage.stack.settings.expire_grace_seconds + 2)
            for name in self.stage.kept_up:
                self.stage.stack.executions.start(name, mode="fold")
            self.load.change("merchant")
            self._check("the time of expiry")
        with self.stage.resting():
            self.result.problems += [f"orphan: {one}" for one in orphans(self.stage)]
            self.result.control = rows_of_control(self.stage)
            self.result.kept = {name: versions_kept(self.stage, name) for name in self.stage.kept_up}
        most = self.stage.stack.settings.keep_snapshots + 3
        self.result.problems += [
            f"{name} keeps {count} rows, {most} at most" for name, count in self.result.kept.items() if count > most
        ]

    def _tell_often(self, stop: threading.Event) -> None:
        began = time.monotonic()
        while not stop.wait(LINE_SECONDS):
            now = holding(self.stage.workers, self.readers.pids)
            self.result.peak_mb = max(self.result.peak_mb, now.total_mb)
            versions = self._versions()
            self.say(
                f"{time.monotonic() - began:4.0f} s  {self.load.done.total()} changes,"
                f" {self.result.faults.total()} faults (last: {self.last}), versions {versions},"
                f" {self.readers.answers} answers, {now.total_mb:.0f} MB in {now.workers} workers and all"
            )

    def _versions(self) -> dict[str, int]:
        return {name: head.version for name in self.stage.kept_up if (head := self.stage.head(name))}

    def _conclude(self) -> None:
        result = self.result
        result.changes = self.load.done
        result.executions = Counter(self.operator.ends.values())
        result.asked = self.operator.by_mode()
        result.versions = self._versions()
        result.problems += [
            f"no {mode} was published" for mode, times in self.operator.published().items() if not times
        ]
        result.problems += self.heads.problems
        result.problems += [f"a reader: {one}" for one in result.seen.wrong]
        result.problems += [f"a reader raised {one}, {times} times" for one, times in result.seen.errors.items()]
        result.problems += [f"{one}: no named failure" for one in result.executions if is_unnamed(one)]
        if len(result.holdings) > 1:
            result.problems += not_flat(result.holdings)


def is_unnamed(end: str) -> bool:
    """Whether an execution failed with an error that says nothing to anybody."""
    name = end.removeprefix("failed: ")
    return end != name and name not in _OF_MEMORY and (name in vars(builtins) or name == "None")


def not_flat(holdings: list[Holding]) -> list[str]:
    """What grew from the first half of the looks, in which everything warms up, to the last one."""
    *half, last = [*holdings[: (len(holdings) + 1) // 2], holdings[-1]]
    problems = []
    for part in PARTS:
        now, before = getattr(last, part), largest(getattr(one, part) for one in half)
        if now.resident_mb > before.resident_mb + MORE_MB:
            problems.append(f"memory of the {part} grew from {before.resident_mb:.0f} to {now.resident_mb:.0f} MB")
        if now.handles > before.handles + MORE_HANDLES:
            problems.append(f"handles of the {part} grew from {before.handles} to {now.handles}")
    return problems


def kinds_for(stage: Stage, *, clock: bool) -> list[str]:
    """The faults that this machine allows."""
    on_disks = {"EFS full": "efs", "EFS read-only": "efs", "/tmp full": "tmp"}
    return [
        name
        for name in FAULTS
        if (name not in on_disks or on_disks[name] in stage.disks) and (clock or name not in NEEDS_CLOCK)
    ]


def to_json(result: Result) -> str:
    """For machines."""
    return json.dumps({**vars(result), "seen": vars(result.seen), "holdings": [str(one) for one in result.holdings]})

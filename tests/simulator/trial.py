"""One run: something is done, something goes wrong on the way, then all faults stop, the schedule comes twice, and the
invariants are checked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from receipt_dynamo_stream.invariants import no_change_lost, readers_never_mix

from operate.connection import Connection
from operate.stack import Stack

from .broken import Broken, breaking
from .checks import Watch, check_at_rest, published
from .effects import Effect, Gate, Kind
from .executions import MACHINE_ARN, Execution
from .model import Receipt, expected
from .producing import Producer
from .tasks import Scheduler, Task, let_others_rest, sleep_until, wait
from .world import Machine, Saved

WORDS = "words"
Plan = Callable[[int, Effect], Kind | None]
Act = Callable[["Trial"], None]


@dataclass(frozen=True)
class Start:
    """What a trial begins with."""

    saved: Saved
    producer: Producer


class Trial:
    """Begins a run of the machine."""

    def __init__(self, machine: Machine, start: Start | None = None, *, seed: int = 0) -> None:
        self.machine = machine
        machine.begin(start.saved if start else None, seed=seed)
        self.producer = Producer(machine)
        if start:
            known = {name: value for name, value in vars(start.producer).items() if name != "machine"}
            vars(self.producer).update(deepcopy(known))
        self.scratch = machine.folder / "scratch"
        self.watch = Watch(machine)
        machine.gate.after = self.watch.look

    # -- acting

    def start(self, mode: str = "compact", **more: object) -> Execution:
        """Start an execution of `words`."""
        return self.machine.stepfunctions.start({"collection": WORDS, "mode": mode, **more})

    def tick(self) -> Execution:
        """The schedule's."""
        return self.machine.stepfunctions.start({"collection": WORDS, "trigger": "schedule"})

    def run(self, *, late: bool = True) -> None:
        """Until all rest."""
        self.machine.scheduler.run(late=late)

    def deliver(self, size: int = 100) -> None:
        """The mapping brings what the stream has to its function until it was taken: in order in each of two shards."""
        for shard in (0, 1):
            self.machine.scheduler.start(f"mapping {shard}", lambda shard=shard: self._deliver(shard, size))

    def _deliver(self, shard: int, size: int) -> None:
        stream = self.producer.stream
        while batch := [one for one in stream if shard_of(one) == shard][:size]:
            functions = self.machine.stepfunctions
            task = functions.function("StreamHandler", "StreamHandler", json.dumps({"Records": batch}))
            wait(lambda task=task: task.done or task.late)  # type: ignore[misc]
            if task.late or task.error is not None:
                sleep_until(self.machine.scheduler.now + timedelta(seconds=1))
                continue
            failed = {one["itemIdentifier"] for one in task.result["batchItemFailures"]}
            taken = next((n for n, one in enumerate(batch) if one["dynamodb"]["SequenceNumber"] in failed), len(batch))
            for one in batch[:taken]:
                if one in stream:  # else another delivery of the same took it
                    stream.remove(one)

    def operator(self, name: str, work: Callable[[Stack], object]) -> Task:
        """One of an operator's commands, as an activity among others."""
        connection = Connection(
            region="us-east-1",
            endpoint_url=None,
            state_machine_arn=MACHINE_ARN,
            receipts_table="receipts",
            control_table="control",
            bucket="bucket",
            efs_root=None,
            failure_queue_url=None,
        )
        stack = Stack(connection, now=lambda: self.machine.scheduler.now)
        return self.machine.scheduler.start(name, lambda: work(stack))

    def resume(self) -> None:
        """`compaction resume`, if the collection is paused."""
        if "paused" in self.machine.item():
            task = self.operator("resume", lambda stack: stack.collections.resume(WORDS))
            self.run()
            if task.error is not None:
                raise task.error

    def retry_quarantined(self) -> None:
        """`compaction quarantine retry --all`."""
        if self.machine.rows(f"QUARANTINE#{WORDS}"):
            task = self.operator("retry", lambda stack: stack.quarantine.retry_all(stack.quarantine.runs([WORDS])))
            self.run()
            if task.error is not None:
                raise task.error

    def meanwhile(self, where: str | int, act: Act) -> None:
        """At the first effect that says this, or the one of this number, something else is done first, and all others
        do what they can."""
        done: list[Effect] = []

        def before(number: int, effect: Effect) -> None:
            if not done and (where == number if isinstance(where, int) else where in str(effect)):
                done.append(effect)
                act(self)
                let_others_rest()

        self.machine.gate.before = before

    # -- ending

    def go_wrong(self, plan: Plan | Mapping[int, Kind]) -> None:
        """From now on, at these effects; the number counts from here."""
        first = len(self.machine.gate.seen)
        asked = plan if callable(plan) else lambda number, _effect: plan.get(number)
        self.machine.gate.act = lambda number, effect: asked(number - first, effect)

    def heal(self, *, late_first: bool = True) -> None:
        """The faults stop; what is left of the stream arrives; a paused collection is resumed; the schedule comes
        twice, before or after late writers. Then the invariants hold."""
        gate, scheduler = self.machine.gate, self.machine.scheduler
        gate.act, gate.before = Gate.act, Gate.before
        scheduler.choose = Scheduler().choose
        self.deliver()
        self.run(late=late_first)
        self.retry_quarantined()
        self.resume()
        for _ in range(2):
            scheduler.now += timedelta(minutes=10)
            self.tick()
            self.run(late=late_first)
        if not late_first:
            return self.heal()
        self.watch.look()
        return check_at_rest(self.machine, self.receipts, self.scratch, efs_was_lost=not self.watch.has_efs)

    def is_prompt(self) -> None:
        """Where nothing was stopped, nothing waits for the schedule."""
        self.run()
        wanted, found = expected(self.receipts), published(self.machine, self.scratch)
        waiting = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        head = self.machine.item()
        with breaking():
            no_change_lost("until the schedule comes", waiting)
            readers_never_mix("projected_version", shown=head.get("projected_version"), named=head.get("version"))

    @property
    def story(self) -> str:
        """Every effect in order, and what went wrong."""
        ends = [
            f"{one.label} ({one.input.get('mode', 'compact')}): {one.status} {one.outcome or ''}"
            for one in self.executions
        ]
        return "\n".join([*self.machine.gate.story, *ends])

    @property
    def executions(self) -> list[Execution]:
        return list(self.machine.stepfunctions.executions.values())

    @property
    def receipts(self) -> dict[str, Receipt]:
        return self.producer.receipts


def at(text: str, kind: Kind) -> Plan:
    """At the first effect that says this."""
    done: list[Effect] = []

    def plan(_number: int, effect: Effect) -> Kind | None:
        if text not in str(effect) or done:
            return None
        done.append(effect)
        return kind

    return plan


def shard_of(record: Mapping[str, Any]) -> int:
    """Of the stream: all records of an item are in one."""
    return sum(record["dynamodb"]["Keys"]["PK"]["S"].encode()) % 2


def run_act(machine: Machine, start: Start, act: Act, plan: Plan | Mapping[int, Kind], *, seed: int = 0) -> Trial:
    """A whole trial. Raises Broken with its story."""
    trial = Trial(machine, start, seed=seed)
    try:
        trial.go_wrong(plan)
        act(trial)
        trial.run()
        trial.heal()
    except Broken as broken:
        raise Broken(f"{broken}\n{trial.story}") from None
    return trial


def published_start(machine: Machine, *names: str, act: Act | None = None) -> Start:
    """These receipts, published; then whatever else is done."""
    trial = Trial(machine)
    for name in names:
        trial.producer.create(name)
        trial.producer.announce(name)
    trial.deliver()
    trial.run()
    if act is not None:
        act(trial)
        trial.run()
    trial.heal()
    return Start(machine.save(), deepcopy_producer(trial.producer))


def deepcopy_producer(producer: Producer) -> Producer:
    """As it is now, for trials that begin here."""
    kept = Producer(producer.machine)
    vars(kept).update(deepcopy({name: value for name, value in vars(producer).items() if name != "machine"}))
    return kept

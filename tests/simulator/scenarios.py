"""What is done in a trial while something goes wrong: each act that writes, once."""

from __future__ import annotations

from receipt_dynamo_stream.control.table import ControlTable

from operate.stack import Stack

from .effects import Effect
from .model import ADDED
from .trial import Act, Start, Trial, deepcopy_producer, published_start
from .world import Machine


def publish(trial: Trial) -> None:
    """A label and a new run arrive, of two receipts."""
    trial.producer.label("aaaa", 1, "TOTAL", "VALID")
    trial.producer.announce("bbbb")
    trial.deliver()


def change(trial: Trial) -> None:
    """Of a receipt that is published just now."""
    trial.producer.label("aaaa", 1, "TOTAL", "INVALID")
    trial.deliver()


def fold(trial: Trial) -> None:
    """All segments become a base."""
    trial.start("fold", all=True)


def reshard(trial: Trial) -> None:
    """One shard becomes two."""
    trial.start("reshard", shards=2)


def rollback(trial: Trial) -> None:
    """To the version before."""
    rows = trial.machine.rows("COLLECTION#words")
    kept = sorted(row["SK"].partition("#")[2] for row in rows if row.get("state") == "committed")
    trial.start("rollback", snapshot_id=kept[-2])


def switch(trial: Trial) -> None:
    """Readers go to the second generation."""
    trial.start("switch", generation=BESIDE)


ACTS: dict[str, Act] = {act.__name__: act for act in (publish, fold, reshard, rollback, switch)}
MODEL, BESIDE = "another model", "words-2"


def two_versions(machine: Machine) -> Start:
    """Two receipts in two versions."""

    def second(trial: Trial) -> None:
        trial.producer.label("bbbb", 2, "DATE", "VALID")
        trial.deliver()

    return published_start(machine, "aaaa", "bbbb", act=second)


def renewed(machine: Machine, start: Start) -> Start:
    """A second generation beside, published."""
    trial = Trial(machine, start)
    trial.operator("renew", lambda stack: begin(stack, machine))
    trial.run()
    for name in trial.receipts:
        trial.producer.announce(name, model=MODEL)
    trial.deliver()
    trial.run()
    trial.heal()
    assert "snapshot_id" in machine.item(partition=f"COLLECTION#{BESIDE}")
    return Start(machine.save(), deepcopy_producer(trial.producer))


def begin(stack: Stack, machine: Machine) -> None:
    """The second generation is made, and every receipt is marked in it."""
    control = ControlTable(machine.dynamodb, "control")
    control.generations("words").begin(model=MODEL, dimension=None, shards=1, now=ADDED)
    stack.collections.reconcile([BESIDE])


def effects_of(machine: Machine, start: Start, act: Act) -> list[Effect]:
    """Every effect of an act that nothing disturbs, in order."""
    trial = Trial(machine, start)
    act(trial)
    trial.run()
    return list(machine.gate.seen)


def writes_of(machine: Machine, start: Start, act: Act) -> list[tuple[int, Effect]]:
    """Those that change something, with their numbers. Folders that are made on the way are left out: nobody looks for
    an empty one."""
    seen = enumerate(effects_of(machine, start, act))
    return [(number, effect) for number, effect in seen if not effect.reads and effect.what != "efs.mkdir"]

"""What is done in a trial while something goes wrong: each act that writes, once."""

from __future__ import annotations

from .effects import Effect, Kind
from .trial import Act, Start, Trial, published_start
from .world import Machine


def publish(trial: Trial) -> None:
    """A label and a new run arrive, of two receipts."""
    trial.producer.label("aaaa", 1, "TOTAL", "VALID")
    trial.producer.announce("bbbb")
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


ACTS: dict[str, Act] = {act.__name__: act for act in (publish, fold, reshard, rollback)}


def two_versions(machine: Machine) -> Start:
    """Two receipts in two versions."""

    def second(trial: Trial) -> None:
        trial.producer.label("bbbb", 2, "DATE", "VALID")
        trial.deliver()

    return published_start(machine, "aaaa", "bbbb", act=second)


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


KINDS = tuple(Kind)

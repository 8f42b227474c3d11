"""The strip of the last executions: those that did something one by one, runs of those that did not as one."""

from collections.abc import Iterable
from dataclasses import dataclass

from operate.models import IDLE, Execution


@dataclass(frozen=True)
class Folded:
    """Executions one after the other that had nothing to do; the schedule and bursts make many."""

    count: int
    newest: Execution
    oldest: Execution


def strip(recent: Iterable[Execution], most: int) -> list[Execution | Folded]:
    """At most so many ticks of the newest executions, in their order."""
    ticks: list[Execution | Folded] = []
    for one in recent:
        before = ticks[-1] if ticks else None
        if one.result not in IDLE:
            ticks.append(one)
        elif isinstance(before, Folded):
            ticks[-1] = Folded(before.count + 1, before.newest, one)
        else:
            ticks.append(Folded(1, one, one))
        if len(ticks) > most:
            return ticks[:most]
    return ticks

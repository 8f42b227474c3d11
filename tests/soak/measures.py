"""What processes hold, by /proc: resident memory and open handles."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PARTS = ("stack", "worker", "reader")


@dataclass(frozen=True)
class Held:
    """Of one process; resident memory in megabytes."""

    resident_mb: float
    handles: int


@dataclass(frozen=True)
class Holding:
    """Of a stack and who reads: its own process, its workers and the reading processes, the largest of each;
    `total_mb` is of all of them."""

    stack: Held
    workers: int
    worker: Held
    reader: Held
    total_mb: float


def held(pid: int) -> Held:
    """Zeros once it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        handles = len([*Path(f"/proc/{pid}/fd").iterdir()])
    except (OSError, IndexError):
        return Held(0.0, 0)
    return Held(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, handles)


def largest(found: Iterable[Held]) -> Held:
    """The most that one of them holds of each."""
    known = [*found, Held(0.0, 0)]
    return Held(max(one.resident_mb for one in known), max(one.handles for one in known))


def holding(workers: Iterable[int], readers: Iterable[int]) -> Holding:
    """Now."""
    stack, of_workers, of_readers = held(os.getpid()), [*map(held, workers)], [*map(held, readers)]
    total = sum(one.resident_mb for one in (stack, *of_workers, *of_readers))
    return Holding(stack, len(of_workers), largest(of_workers), largest(of_readers), total)

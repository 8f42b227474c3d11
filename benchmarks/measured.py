"""What a block of code takes: seconds, and the bytes that pass through read() and write() of this process."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Cost:
    """Seconds of wall and CPU, bytes given to write() and taken from read(), and the process's peak memory after it."""

    wall: float = 0.0
    cpu: float = 0.0
    written: int = 0
    read: int = 0
    peak: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.wall + other.wall,
            self.cpu + other.cpu,
            self.written + other.written,
            self.read + other.read,
            max(self.peak, other.peak),
        )


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure a block: all threads of the process, whatever the page cache has."""
    cost, (written, read) = Cost(), _passed()
    wall, cpu = time.perf_counter(), time.process_time()
    yield cost
    cost.wall, cost.cpu = time.perf_counter() - wall, time.process_time() - cpu
    now_written, now_read = _passed()
    cost.written, cost.read = now_written - written, now_read - read
    cost.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _passed() -> tuple[int, int]:
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(lines["wchar"]), int(lines["rchar"])

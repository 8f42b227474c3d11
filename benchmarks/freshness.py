"""From a change to a reader that answers with it, on the local stack: `make bench-freshness`.

One shard, a base of 70,000 words, everything warm. A change is the announcement of a new receipt of 87 words (its
items and deltas are written before); it is visible when a reader that looks every 20 ms answers with its last word.
First one receipt at a time, then one a second for some minutes with the folds that this brings. Beside it: an execution
that has nothing to do, which is what the interpreter of the state machine, moto's, takes by itself.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from freshness_stack import Producer, plant
from merge_data import COLLECTION
from publish import Bench
from publish_data import Ground
from receipt_chroma import SnapshotReader
from receipt_chroma.snapshot.pointer import read_current
from receipt_dynamo_stream.control.table import ControlTable

from local.settings import StackSettings
from local.stack import LocalStack

RECEIPTS, QUICK_RECEIPTS = 805, 12
ONE_AT_A_TIME, IDLE_RUNS = 20, 5
LOOK_SECONDS: Final = 0.02
PATIENCE: Final = 120.0
SETTLED_SECONDS: Final = 2.0
P50, P99 = 1.5, 5.0


class Watcher:
    """A reader in a thread of its own; `seen` is when it first answered with a record, by id."""

    def __init__(self, efs: Path, cache: Path) -> None:
        self.seen: dict[str, float] = {}
        self._awaited: set[str] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._reader = SnapshotReader(efs, COLLECTION, cache_dir=cache)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def expect(self, record_id: str) -> None:
        """Look for this record from now on."""
        with self._lock:
            self._awaited.add(record_id)

    def wait(self, count: int) -> None:
        """Until so many were seen. Raises TimeoutError."""
        deadline = time.monotonic() + PATIENCE
        while len(self.seen) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{count - len(self.seen)} changes did not become visible in {PATIENCE:g} s")
            time.sleep(LOOK_SECONDS)

    def close(self) -> None:
        """End the thread and the reader."""
        self._ended.set()
        self._thread.join()
        self._reader.close()

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            self._reader.refresh()
            with self._lock:
                awaited = sorted(self._awaited)
            found = self._reader.get(awaited, include=[])["ids"] if awaited else []
            now = time.monotonic()
            with self._lock:
                self._awaited -= set(found)
            self.seen |= dict.fromkeys(found, now)


def one_at_a_time(stack: LocalStack, producer: Producer, watcher: Watcher, times: int) -> list[float]:
    """Seconds of one receipt after the other, each announced when nothing runs; the first three warm up."""
    seconds = []
    for _ in range(times + 3):
        seen = len(watcher.seen)
        last = producer.prepare()
        time.sleep(SETTLED_SECONDS)  # its items start an execution, too
        stack.executions.wait_until_quiet(PATIENCE)
        watcher.expect(last)
        since = producer.announce()
        watcher.wait(seen + 1)
        seconds.append(watcher.seen[last] - since)
    return seconds[3:]


def one_a_second(producer: Producer, watcher: Watcher, minutes: float) -> list[float]:
    """Seconds of each of many receipts, announced a second apart whatever the pipeline does."""
    begun, since, before = time.monotonic(), {}, len(watcher.seen)
    for number in range(max(2, round(minutes * 60))):
        last = producer.prepare()
        time.sleep(max(0.0, begun + number - time.monotonic()))
        watcher.expect(last)
        since[last] = producer.announce()
    watcher.wait(before + len(since))
    return [watcher.seen[last] - at for last, at in since.items()]


def idle(stack: LocalStack, times: int) -> list[float]:
    """Seconds of an execution that finds nothing to do."""
    seconds = []
    for _ in range(times):
        stack.executions.wait_until_quiet(PATIENCE)
        begun = time.monotonic()
        stack.wait_for_execution(stack.executions.start(COLLECTION))
        seconds.append(time.monotonic() - begun)
    return seconds


def _row(what: str, seconds: Sequence[float], p50: float | None, p99: float | None) -> tuple[str, bool]:
    middle = statistics.median(seconds)
    last = statistics.quantiles(seconds, n=100, method="inclusive")[-1]
    bounds = [(middle, p50, "p50"), (last, p99, "p99")]
    missed = [name for value, most, name in bounds if most is not None and value > most]
    asked = ", ".join(f"{name} <= {most:g}" for _, most, name in bounds if most is not None)
    verdict = f"{', '.join(missed)} **MISSED**" if missed else "ok" if asked else ""
    return f"| {what} ({len(seconds)}) | {middle:.2f} | {last:.2f} | {asked} | {verdict} |", not missed


def main() -> int:
    """Print the table; the exit code says whether every bound holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0, help="how long one receipt a second comes (5)")
    parser.add_argument("--quick", action="store_true", help="a small base, printed and not judged")
    parser.add_argument("--folder", type=Path, help="where the base is built and kept; that of bench-publish will do")
    parser.add_argument("--window", type=float, help="seconds that the stream mapping waits for more (its default)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-freshness-", dir=options.folder) as name:
        folder = Path(name)
        base = Bench(options.folder or folder).base(QUICK_RECEIPTS if options.quick else RECEIPTS)
        settings = StackSettings(schedule_seconds=None)
        if options.window is not None:
            settings = StackSettings(schedule_seconds=None, batch_window_seconds=options.window)
        with LocalStack(folder / "stack", settings) as stack:
            plant(stack, Ground(base))
            producer, watcher = Producer(stack), Watcher(stack.efs, folder / "cache")
            try:
                single = one_at_a_time(stack, producer, watcher, 3 if options.quick else ONE_AT_A_TIME)
                nothing = idle(stack, IDLE_RUNS)
                load = os.getloadavg()[0]
                many = one_a_second(producer, watcher, options.minutes)
            finally:
                watcher.close()
            control = ControlTable(stack.client("dynamodb"), stack.connection.control_table)
            folds = sum(row.folded > 0 and row.committed_at is not None for row in control.versions(COLLECTION).list())
            version = read_current(stack.efs, COLLECTION).version
    rows = [
        _row("one receipt at a time", single, P50, None),
        _row(f"one receipt a second, {folds} folds", many, None, P99),
        _row("an execution that does nothing", nothing, None, None),
    ]
    print("| seconds from the change to the reader (how many) | p50 | p99 | bound | |\n|---|--:|--:|---|---|")
    print("\n".join(row for row, _ in rows))
    waits = settings.batch_window_seconds, settings.poll_seconds
    print(f"{version} versions; the stream mapping waits up to {waits[0]:g} s for more and looks every {waits[1]:g} s")
    print(f"load of this machine {load:.1f} on {os.cpu_count()} cores")
    return int(not options.quick and not all(holds for _, holds in rows))


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.simulator 100`: seeds 0 to 99, a line each. `… 7..8 --story`: seed 7, told whole.

A seed that breaks a law is told as the shortest history that was found to break the same one, with the script that
replays it: `… --replay SCRIPT`, as text or as a file.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from .choices import Drawn, Replayed, Script
from .scenarios import two_versions
from .seeds import run_choices
from .shrinking import shrunk_failure
from .trial import Start, Trial
from .world import Machine


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("seeds", nargs="?", help="how many, from 0; or FIRST..END")
    parser.add_argument("--replay", metavar="SCRIPT", help="what a seed that failed was shrunk to, or a file of it")
    parser.add_argument("--story", action="store_true", help="every effect, also of what holds")
    given = parser.parse_args()
    if (given.seeds is None) == (given.replay is None):
        parser.error("say either seeds or what to replay")
    if os.environ.get("PYTHONHASHSEED") != "0":  # else sets have another order each time
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.simulator", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    try:
        histories = [Replayed(script_of(given.replay))] if given.replay else map(Drawn, numbers(given.seeds))
    except (ValueError, OSError) as error:
        parser.error(str(error))
    with tempfile.TemporaryDirectory() as folder, Machine(Path(folder)).running() as machine:
        return run(machine, two_versions(machine), histories, with_story=given.story)


def run(machine: Machine, start: Start, histories: Iterable[Drawn | Replayed], *, with_story: bool) -> int:
    """One after the other, each told when it is over; the exit code."""
    failed: list[int] = []
    virtual, began = timedelta(), time.process_time()
    for choices in histories:
        seed = choices.script.seed
        try:
            trial = run_choices(machine, start, choices)
        except Exception as error:  # noqa: BLE001 -- told, and the next seed runs
            failed.append(seed)
            print(f"seed {seed}: {type(error).__name__}: {error}", flush=True)
            print(shrunk_failure(machine, start, choices, error), flush=True)
            continue
        virtual += machine.scheduler.now - start.saved.now
        print(f"seed {seed}: holds; {told(trial)}", flush=True)
        if with_story:
            print(trial.story)
    minutes = (time.process_time() - began) / 60
    days = virtual / timedelta(days=1)
    print(f"{days:.1f} virtual days in {minutes:.1f} minutes of one core: {days / minutes:.1f} a minute")
    print(f"failed: {failed}" if failed else "all hold")
    return int(bool(failed))


def numbers(seeds: str) -> range:
    """Of `100` or `7..8`. Raises ValueError."""
    first, _, end = seeds.rpartition("..")
    return range(int(first or 0), int(end))


def script_of(given: str) -> Script:
    """A script, or one in a file. Raises ValueError, OSError."""
    return Script.decode(given if given.lstrip().startswith("{") else Path(given).read_text())


def told(trial: Trial) -> str:
    """A history in one line."""
    gate, head = trial.machine.gate, trial.machine.item()
    wrong = sum("←" in line for line in gate.story)
    ends = Counter(one.outcome or one.status for one in trial.executions if one.task is not None)
    outcomes = ", ".join(f"{count} {name}" for name, count in sorted(ends.items()))
    return f"{len(gate.seen)} effects, {wrong} went wrong, version {head['version']}; {outcomes}"


if __name__ == "__main__":
    sys.exit(main())

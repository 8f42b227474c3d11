"""`python -m tests.simulator 100`: seeds 0 to 99, a line each. `… 7..8 --story`: seed 7, told whole."""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

from .scenarios import two_versions
from .seeds import run_seed
from .trial import Trial
from .world import Machine


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("seeds", help="how many, from 0; or FIRST..END")
    parser.add_argument("--story", action="store_true", help="every effect, also of seeds that hold")
    given = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":  # else sets have another order each time
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.simulator", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    first, _, end = given.seeds.rpartition("..")
    failed: list[int] = []
    virtual, began = timedelta(), 0.0
    with tempfile.TemporaryDirectory() as folder, Machine(Path(folder)).running() as machine:
        start = two_versions(machine)
        began = time.process_time()
        for seed in range(int(first or 0), int(end)):
            try:
                trial = run_seed(machine, start, seed)
            except Exception as error:  # noqa: BLE001 -- told, and the next seed runs
                failed.append(seed)
                print(
                    f"seed {seed}: {type(error).__name__}: {error}",
                    *getattr(error, "__notes__", ()),
                    sep="\n",
                    flush=True,
                )
                continue
            virtual += machine.scheduler.now - start.saved.now
            print(f"seed {seed}: holds; {told(trial)}", flush=True)
            if given.story:
                print(trial.story)
    minutes = (time.process_time() - began) / 60
    days = virtual / timedelta(days=1)
    print(f"{days:.1f} virtual days in {minutes:.1f} minutes of one core: {days / minutes:.1f} a minute")
    print(f"failed: {failed}" if failed else "all hold")
    return bool(failed)


def told(trial: Trial) -> str:
    """A history in one line."""
    gate, head = trial.machine.gate, trial.machine.item()
    wrong = sum("←" in line for line in gate.story)
    ends = Counter(one.outcome or one.status for one in trial.executions if one.task is not None)
    outcomes = ", ".join(f"{count} {name}" for name, count in sorted(ends.items()))
    return f"{len(gate.seen)} effects, {wrong} went wrong, version {head['version']}; {outcomes}"


if __name__ == "__main__":
    sys.exit(main())

"""Our merge beside a naive one, on the same seeded data: `make bench`. Exits 1 when a number misses its bound.

Each measurement runs in a process of its own; the base is built once. A row takes the fastest of `--repeat` runs of
each side, which alternate. Bounds are those of 20,000 records: with another `--records` they are printed, not judged.
Bytes are those given to write(), temporary files included. Ours uploads to a folder in place of S3: those bytes are
shown apart, as no file is written when S3 is one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

MEASURE = Path(__file__).resolve().parent / "merge_measure.py"
RECORDS: Final = 20_000
QUICK_RECORDS: Final = 2_000
TITLES: Final = {
    "added": "{added:,} new records in 100 deltas",
    "replaced": "{changed:,} replaced vectors",
    "metadata": "{changed:,} metadata-only changes",
}
FASTER: Final = {"added": 1.2, "replaced": 1.8, "metadata": 5.0}
JUDGED_BY_CPU: Final = frozenset({"added"})
"""Both sides put the same vectors into the same graph: wall time shows mostly how many cores were free for that."""


@dataclass(frozen=True)
class Bound:
    """One promise: what was measured, in words, and whether it holds."""

    what: str
    measured: str
    promised: str
    holds: bool


class Bench:
    """Runs measurements in processes of their own, on one prepared folder."""

    def __init__(self, folder: str, records: int, vectors: str, repeat: int) -> None:
        self._arguments = [folder, str(records), vectors]
        self._repeat = repeat

    def run(self, command: str, case: str = "") -> Any:
        """What one process printed."""
        arguments = [sys.executable, str(MEASURE), command, *self._arguments, *([case] if case else [])]
        answer = subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True).stdout
        return json.loads(answer) if answer.strip() else None

    def best(self, case: str, *sides: str) -> list[dict[str, Any]]:
        """The run of each side with the least wall time. Raises AssertionError when the sides differ in content."""
        runs = [[self.run(side, case) for side in sides] for _ in range(self._repeat)]
        digests = {one["digest"] for row in runs for one in row}
        assert len(digests) == 1, f"{case}: the records differ: {digests}"
        return [min(column, key=lambda one: float(one["cost"]["wall"])) for column in zip(*runs, strict=True)]


def row(title: str, cost: dict[str, float], uploaded: int = 0) -> str:
    """One line of the table."""
    return (
        f"{title:42} {cost['wall']:8.2f} {cost['cpu']:8.2f} {cost['peak'] / 1e6:9.0f}"
        f" {(cost['written'] - uploaded) / 1e6:9.0f} {uploaded / 1e6:9.0f}"
    )


def compare(bench: Bench, case: str, title: str) -> list[Bound]:
    """Print one case and its ratios; returns what was promised of it."""
    ours, naive = bench.best(case, "ours", "naive")
    print(f"\n{title:42} {'wall s':>8} {'CPU s':>8} {'peak MB':>9} {'wrote MB':>9} {'S3 MB':>9}")
    print(row("  ours: merge_deltas", ours["cost"], ours["files"]))
    print(row("  naive", naive["cost"]))
    print(row("  ours: validate_shard", ours["validation"]))
    print("  " + ", ".join(f"{step} {seconds:.2f}" for step, seconds in ours["steps"].items()))
    wall, cpu = (naive["cost"][name] / ours["cost"][name] for name in ("wall", "cpu"))
    by_cpu, least = case in JUDGED_BY_CPU, FASTER[case]
    promised = f"at least {least}" + (" by CPU" if by_cpu else "")
    speed = Bound(title, f"{wall:.2f} times faster ({cpu:.2f} by CPU)", promised, (cpu if by_cpu else wall) >= least)
    if case != "added":
        return [speed]
    written = (ours["cost"]["written"] - ours["files"]) / naive["cost"]["written"]
    proving = (ours["validation"]["wall"] + ours["hashing"]["wall"]) / ours["cost"]["wall"]
    return [
        speed,
        Bound("  bytes written", f"{written:.2f} of naive's", "at most 1", written <= 1),
        Bound("  validation and hashing", f"{proving:.0%} of the merge's time", "at most 40%", proving <= 0.4),
    ]


def memory(bench: Bench) -> Bound:
    """Peak memory for ten deltas and for a hundred with as many records."""
    (few,), (many,) = bench.best("added-in-10", "ours"), bench.best("added", "ours")
    low, high = sorted(one["cost"]["peak"] / 1e6 for one in (few, many))
    return Bound("peak memory, 10 deltas and 100", f"{low:.0f} and {high:.0f} MB", "within 10%", high <= 1.1 * low)


def main() -> int:
    """Print the table; the exit code says whether every bound holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=RECORDS, help="size of the base (20,000)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_RECORDS:,} records, one run of each")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each side, of which the fastest counts (3)")
    parser.add_argument("--unstructured", action="store_true", help="vectors that are all noise")
    parser.add_argument("--folder", type=Path, help="where to work; at least 2 GB, on a disk like the real one")
    options = parser.parse_args()
    records, repeat = (QUICK_RECORDS, 1) if options.quick else (options.records, options.repeat)
    sizes = {"added": records // 4, "changed": records // 40}
    with tempfile.TemporaryDirectory(prefix="bench-merge-", dir=options.folder) as folder:
        bench = Bench(folder, records, "unstructured" if options.unstructured else "structured", repeat)
        print(f"building a base of {records:,} records", flush=True)
        bench.run("prepare")
        bounds = [bound for case, title in TITLES.items() for bound in compare(bench, case, title.format(**sizes))]
        bounds.append(memory(bench))
    print()
    judged = records == RECORDS
    for bound in bounds:
        verdict = "" if not judged else "ok" if bound.holds else "MISSED"
        print(f"{bound.what:42} {bound.measured:38} {bound.promised:19} {verdict}")
    return int(judged and not all(bound.holds for bound in bounds))


if __name__ == "__main__":
    sys.exit(main())

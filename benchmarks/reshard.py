"""What a re-shard costs, beside a fold of the same records: `make bench-reshard`.

From 1 shard to 4 and back, 805 receipts of 87 words and what is fresh over them. Each function is a process of its own,
one after another, as on one core of AWS each; a folder stands for S3 and another for EFS. Bytes are those given to
write() and taken from read(), memory is a process's peak. Exits 1 when a process needs more than 1.5 times the memory
of a fold's same step, or when the records are others afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from publish import Bench
from publish_data import QUICK, Ground, Scale, copy_of

INTO: Final = 4
FRESH_RECEIPTS: Final = 23
MOST_MEMORY: Final = 1.5
"""Times the peak of the same step of a fold."""


@dataclass(frozen=True)
class Part:
    """What the processes of a part took: seconds and bytes of all together, and the most of one."""

    what: str
    processes: int
    wall: float
    longest: float
    cpu: float
    written: int
    read: int
    peak: int

    @classmethod
    def of(cls, what: str, costs: list[dict[str, Any]]) -> Part:
        wall = [cost["wall"] for cost in costs]
        sums = (sum(cost[name] for cost in costs) for name in ("cpu", "written", "read"))
        return cls(what, len(costs), sum(wall), max(wall), *sums, peak=max(cost["peak"] for cost in costs))

    @property
    def step(self) -> str:
        """stage, prove or commit."""
        return self.what.rpartition(": ")[2]

    def row(self, fold: Part) -> str:
        """Of the table, memory also as a ratio to the same step of a fold."""
        return (
            f"| {self.what} | {self.processes} | {self.wall:.1f} | {self.longest:.1f} | {self.cpu:.1f}"
            f" | {self.written / 1e6:,.0f} | {self.read / 1e6:,.0f} | {self.peak / 1e6:,.0f}"
            f" | {self.peak / fold.peak:.2f} |"
        )


def fold(bench: Bench, folder: Path) -> list[Part]:
    """FoldShard and ValidateFold of all records in one shard; nothing is committed."""
    staged = bench.run("stage", folder, shard=0, into=0)
    proved = bench.run("prove", folder, report_key=staged["report_key"])
    return [Part.of("a fold: stage", [staged]), Part.of("a fold: prove", [proved])]


def reshard(bench: Bench, folder: Path, into: int, title: str) -> list[Part]:
    """Stage and prove each new shard, then commit."""
    staged = [bench.run("stage", folder, shard=shard, into=into) for shard in range(into)]
    keys = [one["report_key"] for one in staged]
    proved = [bench.run("prove", folder, report_key=key) for key in keys]
    committed = bench.run("commit", folder, report_keys=keys)
    print(title, flush=True)
    return [
        Part.of(f"{title}: stage", staged),
        Part.of(f"{title}: prove", proved),
        Part.of(f"{title}: commit", [committed]),
    ]


def main() -> int:
    """Print the tables; the exit code says whether the bound holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few receipts, printed and not judged")
    parser.add_argument("--folder", type=Path, help="where the base of bench-publish is built and kept: 5 GB of disk")
    options = parser.parse_args()
    scale = QUICK if options.quick else Scale()
    print(f"load of this machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-reshard-") as private:
        folder = options.folder or Path(private)
        folder.mkdir(parents=True, exist_ok=True)
        bench = Bench(folder)
        with copy_of(Ground(bench.base(scale.receipts))) as work:
            was = bench.run("publish_fresh", work.folder, receipts=FRESH_RECEIPTS)
            folded = fold(bench, work.folder)
            with copy_of(work) as before:
                parts = reshard(bench, work.folder, INTO, f"1 to {INTO} shards")
                with copy_of(work) as many:
                    parts += reshard(bench, work.folder, 1, f"{INTO} shards to 1")
                    beside = {f"{INTO} shards": str(many.folder), "1 again": str(work.folder)}
                    asked = bench.run(
                        "asked",
                        before.folder,
                        beside=beside,
                        queries=scale.queries,
                        receipts=scale.receipts,
                        fresh=FRESH_RECEIPTS,
                    )
                    now = bench.run("of_version", work.folder)
    print(f"\n{was['records']:,} records\n")
    print("| | processes | wall s | longest s | CPU s | wrote MB | read MB | peak MB | of the fold's |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    of_fold = {part.step: part for part in folded} | {"commit": folded[0]}
    for part in (*folded, *parts):
        print(part.row(of_fold[part.step]))
    print("\n| | query p50 ms | recall@10 |\n|---|--:|--:|")
    for name, times in asked.items():
        print(f"| {name} | {1e3 * times['p50']:.2f} | {times['recall']:.4f} |")
    most = max(part.peak / of_fold[part.step].peak for part in parts)
    same = was == now
    print(f"\nmemory: {most:.2f} times a fold's, bound {MOST_MEMORY}; the same records: {json.dumps(same)}")
    print(f"load of this machine after: {os.getloadavg()[0]:.1f}")
    return int(not same or (most > MOST_MEMORY and not options.quick))


if __name__ == "__main__":
    sys.exit(main())

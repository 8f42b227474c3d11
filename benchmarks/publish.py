"""What one publication costs, beside a new base each time and LanceDB: `make bench-publish`.

Exits 1 when a row falls short.

Each measurement runs in a process of its own, with everything imported and called once before it. Bases are built once
and stay in `--folder`. Bounds are those of 805 receipts with 87 words: with `--quick` they are printed, not judged.
Bytes are those given to write() and taken from read(), all copies; S3 is a folder. Seconds that are judged are CPU
seconds, and ratios of what ran in turns, but for the refresh and the folds: those are wall time, and want a quiet
machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from publish_data import QUICK, Scale
from publish_rows import Row, many_rows, publication_rows, query_rows, refresh_rows, size_rows, table

ROOT: Final = Path(__file__).resolve().parents[1]
MEASURE: Final = Path(__file__).resolve().parent / "publish_measure.py"
TIMES: Final = 7
"""Runs of one of our publications, of which the fastest counts: it takes some milliseconds of CPU."""
LANCE: Final = ROOT / ".venv/lancedb/bin/python"


class Bench:
    """Runs measurements in processes of their own, on bases in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def base(self, receipts: int, shards: int = 1) -> Path:
        """A published base; built when it is not there yet."""
        place = self._folder / f"base-{receipts}-{shards}"
        if not place.exists():
            print(f"building a base of {receipts:,} receipts in {shards} shards", flush=True)
            partial = place.with_name(f"{place.name}.partial")
            subprocess.run(["rm", "-rf", str(partial)], check=True)
            self.run("build", partial, receipts=receipts, shards=shards)
            partial.rename(place)
        return place

    def run(self, command: str, place: Path, **arguments: Any) -> Any:
        """What one process printed."""
        call = [sys.executable, str(MEASURE), command, str(place), json.dumps(arguments)]
        answer = subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout
        return json.loads(answer) if answer.strip() else None


def measure(bench: Bench, scale: Scale, lance: Path | None) -> list[Row]:
    """All rows of the table."""
    base = bench.base(scale.receipts)
    if lance is not None and not (base / "lance").exists():
        bench.run("export_base", base, receipts=scale.receipts)
    found: dict[str, Any] = {}
    for which in ("new", "edited", "deleted", "embedded again"):
        found[which] = {
            "before": bench.run("publication", base, which=which, always=True, times=1),
            "ours": bench.run("publication", base, which=which, always=False, times=TIMES),
        }
        print(f"published: {which}", flush=True)
    found["lance"] = bench.run("lance", base, python=str(lance)) if lance else None
    found["refresh"] = {
        side: bench.run("refreshes", base, times=3 if side == "before" else 9, always=side == "before")
        for side in ("before", "ours")
    }
    sizes = {
        receipts: bench.run("publication", bench.base(receipts), which="new", always=False, times=TIMES)
        for receipts in (scale.small, scale.large)
    }
    print("published over a small and a large base", flush=True)
    queries = bench.run(
        "queries",
        base,
        fresh=scale.fresh,
        queries=scale.queries,
        receipts=scale.receipts,
        lance=str(lance) if lance else None,
    )
    many_shards = bench.base(scale.receipts, scale.shards)
    shards = bench.run("shards", base, many=str(many_shards), queries=scale.queries)
    print("queried", flush=True)
    many = bench.run("many", base, **asdict(scale))
    return [
        *publication_rows(found),
        *size_rows(sizes),
        *refresh_rows(found),
        *query_rows(queries, shards, scale),
        *many_rows(many, scale),
    ]


def main() -> int:
    """Print the table; the exit code says whether every bound holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few receipts, printed and not judged")
    parser.add_argument(
        "--folder", type=Path, help="where bases are built and kept: 12 GB, on a disk like the real one"
    )
    parser.add_argument("--lance", type=Path, default=LANCE, help="the Python that has lancedb")
    parser.add_argument("--json", type=Path, help="also write the rows there")
    options = parser.parse_args()
    lance = options.lance if options.lance.exists() else None
    print(f"load of this machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-publish-") as private:
        folder = options.folder or Path(private)
        folder.mkdir(parents=True, exist_ok=True)
        rows = measure(Bench(folder), QUICK if options.quick else Scale(), lance)
    judged = not options.quick
    print(table(rows, judged=judged))
    print(f"load of this machine after: {os.getloadavg()[0]:.1f}")
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    if lance is None:
        print(f"LanceDB is not at {options.lance}: `make bench-publish` installs it")
    return int(judged and (lance is None or not all(row.holds is not False for row in rows)))


if __name__ == "__main__":
    sys.exit(main())

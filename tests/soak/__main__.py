"""`python -m tests.soak 30`: half an hour of load, faults and readers on the local stack; exit code 1 with what broke.

`--seed` chooses samples, changes and faults; when they strike is up to the machine. `--only kill` takes the faults
whose names have that in them.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from console.cli.signals import interruptible

from .disks import why_no_disk
from .faults import FAULTS
from .report import table
from .soak import GRACE_SECONDS, Soak, kinds_for
from .stage import FAKETIME, running

MEGABYTES = {"efs": 512, "tmp": 512}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("minutes", type=float)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", default="", help="faults whose names have this in them")
    parser.add_argument("--clock", action="store_true", help="turn clocks too: libfaketime makes workers slower")
    given = parser.parse_args()
    if not any(given.only in name for name in FAULTS):
        parser.error(f"no fault has {given.only!r} in its name")
    why = why_no_disk()
    if why:
        say(f"left out, full and read-only disks: {why}")
    if given.clock and FAKETIME is None:
        parser.error("--clock needs libfaketime: apt-get install libfaketime")
    with (
        interruptible(),
        tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as folder,
        running(
            Path(folder) / "stack",
            seed=given.seed,
            disks={} if why else MEGABYTES,
            clock=given.clock,
            expire_grace_seconds=GRACE_SECONDS,
            expired_for_seconds=GRACE_SECONDS,
        ) as stage,
    ):
        kinds = [name for name in kinds_for(stage, clock=given.clock) if given.only in name]
        if not kinds:
            parser.error(f"{given.only}: this machine lets nobody do that, or it needs --clock")
        result = Soak(stage, minutes=given.minutes, seed=given.seed, faults=kinds, say=say).run()
    print(table(result), flush=True)
    return int(bool(result.problems))


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.simulator.watched TRIAL`: records a trial, and writes a page that plays it.

TRIAL is a seed, the name of a recording (`--list`), or of a deliberate fault; `--all` writes those that come with the
console and `docs/watch`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console.web.recordings import FOLDER

from .choices import Drawn
from .effects import Kind
from .faults import COMMIT, FAULTS, goes_wrong, overtaken
from .lone_page import lone_page
from .recording import Recorder, recording
from .scenarios import change, fold, publish, two_versions
from .seeds import History
from .trial import Start, Trial
from .world import Machine

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs/watch"


@dataclass(frozen=True)
class Watched:
    """A trial to be recorded; `within` breaks the machine meanwhile."""

    name: str
    title: str
    told: str
    run: Callable[[Trial], None]
    within: Callable[[Machine], AbstractContextManager[object]] = lambda _machine: nullcontext()


def _publication(trial: Trial) -> None:
    publish(trial)
    trial.run()


def _fold(trial: Trial) -> None:
    trial.meanwhile("invoke ValidateFold", change)
    fold(trial)
    trial.run()


_BROKEN = "a commit needs neither lease nor base"
WATCHED = (
    Watched(
        "publication",
        "A change becomes a version",
        "A label and a run arrive, of two receipts, and nothing goes wrong. Read this one first.",
        _publication,
    ),
    Watched(
        "stopped",
        "Stopped before the commit",
        "The execution is stopped when all is written but the commit. Nothing was published and nothing is lost: the "
        "next one finds the lease of an execution that no longer runs, takes it over and does the work again.",
        goes_wrong("WriteManifest: dynamodb.PutItem", Kind.STOP),
    ),
    Watched(
        "late-commit",
        "A commit that comes too late",
        "An execution hangs at its commit, another one takes over and publishes; then the first commit arrives. The "
        "fence and the base in its condition refuse it.",
        overtaken(COMMIT),
    ),
    Watched(
        "late-commit-unguarded",
        "The same, with the condition taken out",
        "A deliberate fault: the commit asks for neither lease nor base. The late commit replaces what was published, "
        "and the check after that step finds it.",
        overtaken(COMMIT),
        FAULTS[_BROKEN].breaks,
    ),
    Watched(
        "fold",
        "A fold, and a change meanwhile",
        "All segments become a new base, without the lease. A change is published meanwhile, and its segment is laid "
        "over the new base.",
        _fold,
    ),
)


class NoSuchTrial(Exception):
    """The message names those that there are."""


def find(name: str) -> Watched:
    """A seed, a recording's name, or a deliberate fault's. Raises NoSuchTrial."""
    name = name.removeprefix("seed-")
    for one in WATCHED:
        if name in (one.name, one.title):
            return one
    if name.isdecimal():
        told = "What a seed does: edits, faults and an operator at any point. It is the same history each time."
        return Watched(f"seed-{name}", f"Seed {name}", told, lambda trial: History(trial, Drawn(int(name))).run())
    found = [fault for fault in FAULTS if name and name.lower() in fault.lower()]
    if len(found) == 1:
        fault = FAULTS[found[0]]
        told = f"A deliberate fault, which {fault.law} finds."
        slug = re.sub(r"\W+", "-", found[0].lower())
        return Watched(slug, found[0].capitalize(), told, fault.find, fault.breaks)
    known = "\n  ".join([*(one.name for one in WATCHED), *(found or FAULTS)])
    raise NoSuchTrial(
        f"{'several trials are' if found else 'no trial is'} called {name!r}. Say a seed, or one of:\n  {known}"
    )


def record(machine: Machine, start: Start, watched: Watched) -> dict[str, Any]:
    """The recording of a trial, to its end: all faults stop, the schedule comes twice, the invariants are checked."""
    seed = int(watched.name.removeprefix("seed-")) if watched.name.startswith("seed-") else 0
    trial = Trial(machine, start, seed=seed)
    recorder = Recorder(trial)
    recorder.add("check", "This is how it begins: two receipts are published, and nobody works.")
    with watched.within(machine), recorder.until_broken():
        watched.run(trial)
        trial.run()
        if not watched.name.startswith("seed-"):  # a seed's history has its own end
            trial.heal()
    return recording(recorder, name=watched.name, title=watched.title, told=watched.told, trial=watched.name)


def written(found: dict[str, Any]) -> str:
    """A recording's file: a line for each frame, so that a change of it can be read."""
    head = json.dumps({name: value for name, value in found.items() if name != "frames"}, ensure_ascii=False, indent=1)
    frames = ",\n".join(json.dumps(frame, ensure_ascii=False, separators=(",", ":")) for frame in found["frames"])
    return f'{head.removesuffix("}").rstrip()},\n "frames": [\n{frames}\n]}}\n'


@contextmanager
def stage() -> Iterator[tuple[Machine, Start]]:
    with tempfile.TemporaryDirectory() as folder, Machine(Path(folder)).running() as machine:
        yield machine, two_versions(machine)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator.watched", description=__doc__)
    parser.add_argument("trial", nargs="?", default="publication")
    parser.add_argument("--out", type=Path, help="where the page goes; .compaction/watch without it")
    parser.add_argument("--all", action="store_true", help="write those that are committed")
    parser.add_argument("--list", action="store_true", help="the names")
    given = parser.parse_args()
    if given.list:
        print(*(f"{one.name}: {one.title}" for one in WATCHED), *FAULTS, sep="\n")
        return 0
    if os.environ.get("PYTHONHASHSEED") != "0":  # else sets have another order each time
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.simulator.watched", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    try:
        chosen = WATCHED if given.all else (find(given.trial),)
    except NoSuchTrial as error:
        print(error, file=sys.stderr)
        return 2
    pages = PAGES if given.all else given.out or ROOT / ".compaction/watch"
    pages.mkdir(parents=True, exist_ok=True)
    with stage() as (machine, start):
        for watched in chosen:
            found = record(machine, start, watched)
            if given.all:
                (FOLDER / f"{watched.name}.json").write_text(written(found))
            page = pages / f"{watched.name}.html"
            page.write_text(lone_page(found, os.path.relpath(ROOT, pages)))
            print(f"{page}: {len(found['frames'])} steps, {page.stat().st_size // 1000} kB; open it in a browser")
    return 0


if __name__ == "__main__":
    sys.exit(main())

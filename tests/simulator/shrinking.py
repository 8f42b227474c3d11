"""A script that breaks a law, made as short as it can be while it breaks the same one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from .choices import Drawn, Replayed, Script, Step
from .seeds import law_of, run_choices
from .trial import Start
from .world import Machine

T = TypeVar("T")

MOST_RUNS = 100
MOST_SECONDS = 120.0


@dataclass(frozen=True)
class Shrunk:
    """runs: how many scripts were tried."""

    script: Script
    runs: int


def shrunk(
    script: Script, breaks: Callable[[Script], bool], *, most_runs: int = MOST_RUNS, seconds: float = MOST_SECONDS
) -> Shrunk:
    """Leave out whose turn it is, acts, and faults, in pieces that get smaller, until nothing can be left out or the
    runs or seconds are used up. breaks: whether a script still does what this one does.
    """
    runs, end = 0, time.monotonic() + seconds

    def still(shorter: Script) -> bool:
        nonlocal runs
        if runs >= most_runs or time.monotonic() > end:
            return False
        runs += 1
        return breaks(shorter)

    size = 0
    while size != (size := _size(script)):
        for part in (_ORDER, _STEPS, _FAULTS):
            script = part(script, still)
    return Shrunk(script, runs)


def shrunk_failure(machine: Machine, start: Start, choices: Drawn | Replayed, error: Exception) -> str:
    """The shortest history that was found to break what this one just did, with its script and its story."""
    law, was = law_of(error), _told(machine, choices.script)

    def found(script: Script) -> Exception | None:
        try:
            run_choices(machine, start, Replayed(script))
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is compared
            return error
        return None

    short = shrunk(choices.script, lambda script: (of := found(script)) is not None and law_of(of) == law)
    if (again := found(short.script)) is None or law_of(again) != law:
        return "\n".join(["it cannot be replayed, as its seed can:", *getattr(error, "__notes__", ())])
    return "\n".join(
        [
            f"shrunk in {short.runs} runs from {was} to {_told(machine, short.script)}, which are:",
            f"make simulate REPLAY='{short.script.encode()}'",
            str(again),
            *getattr(again, "__notes__", ()),
        ]
    )


def _told(machine: Machine, script: Script) -> str:
    return f"{len(machine.gate.seen)} effects, {len(script.steps)} acts, {script.faults} faults"


def fewest(items: Sequence[T], still: Callable[[list[T]], bool]) -> list[T]:
    """Those items, in order, none of which can be left out alone; `still` says whether some are enough."""
    kept = list(items)
    if not kept or still([]):
        return []
    size = max(1, len(kept) // 2)
    while True:
        before, at = len(kept), 0
        while at < len(kept):
            fewer = kept[:at] + kept[at + size :]
            if fewer and still(fewer):
                kept = fewer
            else:
                at += size
        if size == 1 and len(kept) == before:
            return kept
        size = max(1, size // 2)


_Still = Callable[[Script], bool]
_Place = tuple[int, str, int]


def _without_steps(script: Script, still: _Still) -> Script:
    steps = fewest(script.steps, lambda few: still(replace(script, steps=few)))
    return replace(script, steps=steps)


def _without(*names: str) -> Callable[[Script, _Still], Script]:
    """Leave out some of what these fields of steps say."""

    def shorter(script: Script, still: _Still) -> Script:
        places = [(n, name, at) for n, one in enumerate(script.steps) for name in names for at in getattr(one, name)]
        kept = fewest(places, lambda few: still(_with(script, names, few)))
        return _with(script, names, kept)

    return shorter


def _with(script: Script, names: Sequence[str], places: Sequence[_Place]) -> Script:
    wanted = set(places)

    def of(number: int, step: Step, name: str) -> object:
        said = getattr(step, name)
        if isinstance(said, dict):
            return {at: value for at, value in said.items() if (number, name, at) in wanted}
        return [at for at in said if (number, name, at) in wanted]

    steps = [replace(one, **{name: of(n, one, name) for name in names}) for n, one in enumerate(script.steps)]  # type: ignore[arg-type]
    return replace(script, steps=steps)


_STEPS, _ORDER, _FAULTS = _without_steps, _without("turns", "order"), _without("faults")


def _size(script: Script) -> int:
    return sum(1 + len(one.faults) + len(one.turns) + len(one.order) for one in script.steps)

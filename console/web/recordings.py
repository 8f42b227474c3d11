"""Trials of the machine, recorded: those that come with the console.

They are JSON, made by `make recordings`; the module that records says what is in them.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "recorded"
_ORDER = ("publication", "stopped", "late-commit", "late-commit-unguarded", "fold")


@dataclass(frozen=True)
class Listed:
    """A recording that comes with the console."""

    name: str
    title: str
    told: str
    sentences: tuple[str, ...]

    @property
    def steps(self) -> int:
        return len(self.sentences)


@cache
def listed() -> tuple[Listed, ...]:
    """All of them, the one to read first first."""
    found = (json.loads((FOLDER / f"{name}.json").read_text("utf-8")) for name in _ORDER)
    return tuple(
        Listed(one["name"], one["title"], one["told"], tuple(frame["says"] for frame in one["frames"])) for one in found
    )


def read(name: str) -> bytes | None:
    """The JSON of one that is listed; None where there is none of that name."""
    return (FOLDER / f"{name}.json").read_bytes() if name in _ORDER else None

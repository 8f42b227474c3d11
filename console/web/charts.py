"""The numbers behind the small pictures of the overview; templates only print them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Final

from receipt_dynamo_stream.control.versions import VersionRow

from operate.models import parse_time
from operate.wording import clock, duration

WIDTH, HEIGHT = 480, 72
_BAR = 5.0
_SMALLEST = 2.0
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_TOPS: Final = (
    *(1, 2, 5, 10, 20, 30),
    *(_MINUTE * count for count in (1, 2, 5, 10, 20, 30)),
    *(_HOUR * count for count in (1, 2, 5, 12)),
    *(_DAY * count for count in (1, 2, 7, 30, 90, 365)),
)
"""Where an axis of seconds may end: whole numbers of a unit."""


@dataclass(frozen=True)
class Wait:
    """How long the oldest change of a version waited for its readers, in seconds, and when it was over."""

    version: int
    seconds: float
    at: datetime


@dataclass(frozen=True)
class Bar:
    """A bar in a picture of WIDTH × HEIGHT; `says` is what it stands for."""

    x: float
    y: float
    width: float
    height: float
    says: str
    version: int


@dataclass(frozen=True)
class Freshness:
    """The waits of versions, oldest first."""

    waits: tuple[Wait, ...]

    @property
    def usual(self) -> float | None:
        """The median wait in seconds; None without versions."""
        return median(wait.seconds for wait in self.waits) if self.waits else None

    @property
    def longest(self) -> float | None:
        """The longest wait in seconds; None without versions."""
        return max((wait.seconds for wait in self.waits), default=None)

    @property
    def top(self) -> float:
        """Where the axis of waits ends, in seconds: at a whole number of seconds, minutes, hours or days."""
        longest = self.longest or 0.0
        return next((top for top in _TOPS if top >= longest), longest)

    @property
    def top_says(self) -> str:
        """The end of the axis with its unit: `30 s`, `5 min`."""
        return duration(self.top).replace(".0 ", " ")

    def height_of(self, seconds: float) -> float:
        """How high a wait stands in the picture."""
        return round(HEIGHT * seconds / self.top, 2)

    def bars(self) -> tuple[Bar, ...]:
        """A bar per version: from left to right by time, as high as its wait beside the axis' end."""
        return bars_over_time(
            [
                (
                    *(wait.at, wait.seconds / self.top, wait.version),
                    f"{clock(wait.at)}: its oldest change waited {duration(wait.seconds)}",
                )
                for wait in self.waits
            ]
        )


def bars_over_time(versions: Sequence[tuple[datetime, float, int, str]]) -> tuple[Bar, ...]:
    """A bar per version, oldest first, from left to right by time: when, its part of the axis, its number, a text."""
    if not versions:
        return ()
    first, last = versions[0][0], max(at for at, *_ in versions)
    span = (last - first).total_seconds() or 1.0
    return tuple(
        Bar(
            x=round((WIDTH - _BAR) * max(0.0, (at - first).total_seconds()) / span, 2),
            y=round(HEIGHT - (height := max(_SMALLEST, round(HEIGHT * part, 2))), 2),
            width=_BAR,
            height=height,
            says=f"version {version}, {says}",
            version=version,
        )
        for at, part, version, says in versions
    )


def freshness(rows: Sequence[VersionRow]) -> Freshness:
    """From VERSION rows, in any order; those that were never committed, or merged no change, say nothing."""
    waits: dict[int, Wait] = {}
    for row in rows:
        changed, committed = parse_time(row.first_changed_at), parse_time(row.committed_at)
        if changed is not None and committed is not None:
            waits[row.version] = Wait(row.version, max(0.0, (committed - changed).total_seconds()), committed)
    return Freshness(tuple(wait for _, wait in sorted(waits.items())))

"""The numbers behind the small pictures of the overview; templates only print them."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from receipt_dynamo_stream.control.versions import VersionRow

from operate.models import parse_time
from operate.wording import duration

WIDTH, HEIGHT = 480, 72
_SMALLEST = 2.0


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
    """How long the oldest change of each version waited for its readers: (version, seconds), oldest first."""

    waits: tuple[tuple[int, float], ...]

    @property
    def usual(self) -> float | None:
        """The median wait in seconds; None without versions."""
        return median(seconds for _, seconds in self.waits) if self.waits else None

    @property
    def longest(self) -> float | None:
        """The longest wait in seconds; None without versions."""
        return max((seconds for _, seconds in self.waits), default=None)

    def bars(self) -> tuple[Bar, ...]:
        """A bar per version, as high as its wait beside the longest."""
        if not self.waits:
            return ()
        step = WIDTH / max(len(self.waits), 12)
        longest = max(self.longest or 0.0, 0.001)
        return tuple(
            Bar(
                x=round(place * step, 2),
                y=round(HEIGHT - (height := max(_SMALLEST, HEIGHT * seconds / longest)), 2),
                width=round(step * 0.8, 2),
                height=round(height, 2),
                says=f"version {version}: its oldest change waited {duration(seconds)}",
                version=version,
            )
            for place, (version, seconds) in enumerate(self.waits)
        )


def freshness(rows: Sequence[VersionRow]) -> Freshness:
    """From VERSION rows, in any order; those that were never committed, or merged no change, say nothing."""
    waits: dict[int, float] = {}
    for row in rows:
        changed, committed = parse_time(row.first_changed_at), parse_time(row.committed_at)
        if changed is not None and committed is not None:
            waits[row.version] = max(0.0, (committed - changed).total_seconds())
    return Freshness(tuple(sorted(waits.items())))

"""How many records and bytes the versions had, over time: the numbers behind two more pictures of the overview."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from receipt_dynamo_stream.control.versions import VersionRow

from console.web.charts import Bar, bars_over_time
from operate.models import parse_time
from operate.wording import clock, number, size

_STEPS: Final = (1, 2, 5)


@dataclass(frozen=True)
class Level:
    """What a version had, from this moment on."""

    version: int
    value: int
    at: datetime


@dataclass(frozen=True)
class Growth:
    """One measure of versions, oldest first, and how its values read, with their unit."""

    name: str
    levels: tuple[Level, ...]
    says: Callable[[int], str]

    @property
    def top(self) -> int:
        """Where the axis ends: 1, 2 or 5 times a power of ten, not below any value."""
        most = max((level.value for level in self.levels), default=0)
        power: int = 10 ** (len(str(most)) - 1)
        return next((step * power for step in _STEPS if step * power >= most), 10 * power)

    @property
    def top_says(self) -> str:
        """The end of the axis with its unit."""
        return self.says(self.top).replace(".0 ", " ")

    def bars(self) -> tuple[Bar, ...]:
        """A bar per version: from left to right by time, as high as its value beside the axis' end."""
        return bars_over_time(
            [
                (level.at, level.value / self.top, level.version, f"{clock(level.at)}: {self.says(level.value)}")
                for level in self.levels
            ]
        )


def growth(rows: Sequence[VersionRow]) -> tuple[Growth, ...]:
    """Records and bytes from VERSION rows, in any order; none of rows of which none was ever committed."""
    committed = {row.version: (row, at) for row in rows if (at := parse_time(row.committed_at)) is not None}
    in_order = [one for _, one in sorted(committed.items())]
    if not in_order:
        return ()
    return (
        Growth(
            "Records",
            tuple(Level(row.version, row.records, at) for row, at in in_order),
            lambda value: f"{number(value)} records",
        ),
        Growth("Bytes", tuple(Level(row.version, row.bytes, at) for row, at in in_order), size),
    )

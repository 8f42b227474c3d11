"""The table at the end of a soak."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .measures import PARTS, Holding
from .soak import Result


def table(result: Result) -> str:
    """What was done, what came of it, and what did not hold."""
    return "\n".join([*(f"  {name:<22} {value}" for name, value in _rows(result)), *_verdict(result)])


def _rows(result: Result) -> Iterator[tuple[str, str]]:
    minutes = result.seconds / 60
    yield "time", f"{minutes:.1f} minutes"
    yield "load", f"{result.changes.total()} changes: {_counted(result.changes)}"
    yield "faults", f"{result.faults.total()}: {_counted(result.faults)}"
    yield "struck", _counted(result.struck)
    yield "executions", f"{result.executions.total()}: {_counted(result.executions)}"
    for mode, ends in result.asked.items():
        yield mode, _counted(ends)
    yield "versions", f"{_counted(result.versions)}; rows kept: {_counted(result.kept)}"
    if result.control:
        yield "control table", _counted(result.control)
    if result.healed:
        yield "healed", f"{len(result.healed)} times, {max(result.healed):.1f} s at most"
    seen = result.seen
    yield (
        "readers",
        f"{seen.answers} answers of up to {seen.versions} versions, {seen.switches} switches seen, {seen.mixed} mixed",
    )
    if result.holdings:
        looks = [result.holdings[0], result.holdings[len(result.holdings) // 2], result.holdings[-1]]
        yield (
            "memory",
            f"{result.peak_mb:.0f} MB at most in all; at rest {_through(looks, 'resident_mb')} MB",
        )
        yield "handles", f"at rest {_through(looks, 'handles')}"


def _through(looks: Sequence[Holding], what: str) -> str:
    """First, in the middle, last."""
    values = ((part, [getattr(getattr(one, part), what) for one in looks]) for part in PARTS)
    return ", ".join(f"{part} {' to '.join(f'{one:.0f}' for one in found)}" for part, found in values)


def _verdict(result: Result) -> Iterator[str]:
    if not result.problems:
        yield "everything held"
        return
    yield f"{len(result.problems)} did not hold:"
    yield from (f"  {one}" for one in result.problems)


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items(), key=lambda one: (-one[1], one[0])))

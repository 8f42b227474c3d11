"""The table at the end of a soak."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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
    yield "versions", f"{_counted(result.versions)}; rows kept: {_counted(result.kept)}"
    if result.control:
        yield "control table", _counted(result.control)
    if result.healed:
        yield "healed", f"{len(result.healed)} times, {max(result.healed):.1f} s at most"
    seen = result.seen
    yield "readers", f"{seen.answers} answers of up to {seen.versions} versions, {seen.mixed} mixed"
    if result.holdings:
        first, last = result.holdings[0], result.holdings[-1]
        yield (
            "memory",
            f"{result.peak_mb:.0f} MB at most in all; at rest {_both(first, last, 'resident_mb')} MB",
        )
        yield "handles", f"at rest {_both(first, last, 'handles')}"


def _both(first: Holding, last: Holding, what: str) -> str:
    values = ((part, getattr(getattr(first, part), what), getattr(getattr(last, part), what)) for part in PARTS)
    return ", ".join(f"{part} {begin:.0f} to {end:.0f}" for part, begin, end in values)


def _verdict(result: Result) -> Iterator[str]:
    if not result.problems:
        yield "everything held"
        return
    yield f"{len(result.problems)} did not hold:"
    yield from (f"  {one}" for one in result.problems)


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items(), key=lambda one: (-one[1], one[0])))

"""The invariants: each has its name, its law in a sentence, and its check, here and nowhere else.

Four use them. The simulator and the property tests gather the facts by code of their own, that shares nothing with the
implementation; `compaction verify` and `doctor` take them from what is published; the steps take them from what they
have in their hands anyway, before they hand it on. A check is a pure function of such plain facts: numbers, ids, sets.
So nobody has to believe what the implementation says of itself, and yet all mean the same by a name.

A check that fails raises InvariantViolated. Whoever wants to count what is checked looks on with `observed`.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from typing import Final, TypeVar

from receipt_dynamo_stream.errors import InvariantViolated


class Invariant(StrEnum):
    """What always holds. The value is the name that tests, metrics and documents use."""

    law: str
    """In a sentence."""

    def __new__(cls, name: str, law: str) -> "Invariant":
        """A member is its name, a text."""
        member = str.__new__(cls, name)
        member._value_, member.law = name, law
        return member

    VERSIONS_ONLY_GROW = (
        "VersionsOnlyGrow",
        "`HEAD.version` never goes back by anything of ours; nor does `CURRENT`'s (version, fence), whatever happens to"
        " `HEAD`",
    )
    ROWS_CONSERVED = (
        "RowsConserved",
        "a published snapshot's records are the `wanted_records` of every receipt: nothing lost, nothing twice",
    )
    ONE_LINEAGE = "OneLineage", "every version's parent is the version its commit replaced"
    FENCED_NEVER_PUBLISHES = "FencedNeverPublishes", "no commit with a fence below `HEAD`'s"
    READERS_NEVER_MIX = "ReadersNeverMix", "what a reader answers comes from one manifest"
    NO_CHANGE_LOST = (
        "NoChangeLost",
        "a change is in the pointer's snapshot, or pending, or quarantined with a reason",
    )
    CRASH_LEAVES_GARBAGE_ONLY = (
        "CrashLeavesGarbageOnly",
        "from any crash point the next execution succeeds with no one's help",
    )
    RETAINED_IS_READABLE = "RetainedIsReadable", "every version within retention opens and validates"
    PAUSED_PUBLISHES_NOTHING = (
        "PausedPublishesNothing",
        "while a collection is paused, nothing is committed but a rollback or a restore",
    )


Place = TypeVar("Place", int, tuple[int, int])
"""A version, or (version, fence)."""
Facts = TypeVar("Facts")

_WAYS_BACK: Final = ("rollback", "restore")
_NAMED: Final = 5


def versions_only_grow(what: str, before: Place, after: Place, *, strictly: bool = False) -> None:
    """`what` was `before`, and is `after`. strictly: it has to be another one."""
    grows = after > before or (after == before and not strictly)
    _require(Invariant.VERSIONS_ONLY_GROW, grows, f"{what} went from {before} to {after}")


def rows_conserved(
    what: str, *, wanted: Facts, found: Facts, difference: Callable[[Facts, Facts], str] | None = None
) -> None:
    """`wanted` and `found` are the records, or their number and content digest. difference says how they differ."""
    holds = wanted == found
    said = "" if holds or difference is None else difference(wanted, found)
    _require(Invariant.ROWS_CONSERVED, holds, f"{what}: {said}" if said else f"{what} has {found}, not {wanted}")


def one_lineage(snapshot: str, *, parent: str | None, replaced: str | None) -> None:
    """`parent` is the snapshot that it names as its parent, `replaced` the one that `HEAD` named before it."""
    _require(Invariant.ONE_LINEAGE, parent == replaced, f"{snapshot} is a child of {parent}, and replaces {replaced}")


def fenced_never_publishes(snapshot: str, *, fence: int, newest: int) -> None:
    """`fence` is that of the snapshot's own lease, `newest` the newest that was out when it was committed."""
    _require(Invariant.FENCED_NEVER_PUBLISHES, fence >= newest, f"{snapshot} has the fence {fence}, {newest} is out")


def readers_never_mix(where: str, *, shown: object, named: object) -> None:
    """What readers are shown there, or what they answered, is what the one manifest, or `HEAD`, says."""
    _require(Invariant.READERS_NEVER_MIX, shown == named, f"{where} has {shown}, not {named}")


def no_change_lost(
    where: str,
    changed: Collection[str],
    *,
    published: Collection[str] = (),
    pending: Collection[str] = (),
    quarantined: Collection[str] = (),
) -> None:
    """Each of the receipts that changed is among those whose change is published, or pending, or quarantined."""
    lost = set(changed).difference(published, pending, quarantined)
    _require(Invariant.NO_CHANGE_LOST, not lost, f"{where}: nothing is left of the change of {_some(lost)}")


def crash_leaves_garbage_only(collection: str, *, holder: str | None) -> None:
    """When all has come to its end, the schedule's executions too, nobody holds the lease."""
    _require(Invariant.CRASH_LEAVES_GARBAGE_ONLY, holder is None, f"{holder} holds the lease of {collection}")


def retained_is_readable(what: str, broken: Collection[str]) -> None:
    """`broken` are the parts of a retained version, or the versions, that are not there or not what they must be."""
    _require(Invariant.RETAINED_IS_READABLE, not broken, f"{what} lacks {_some(broken)}")


def paused_publishes_nothing(snapshot: str, *, paused: str | None, kind: str | None) -> None:
    """`paused` is what `HEAD` said when the snapshot was committed, `kind` what made it."""
    holds = paused is None or kind in _WAYS_BACK
    _require(Invariant.PAUSED_PUBLISHES_NOTHING, holds, f"{snapshot}, a {kind}, was committed while {paused!r}")


Observer = Callable[[Invariant, bool], None]
"""Is told of each check which invariant it was of, and whether it held; before a violation is raised."""

_observers: ContextVar[tuple[Observer, ...]] = ContextVar("observers", default=())


@contextmanager
def observed(observer: Observer) -> Iterator[None]:
    """Tell the observer of every check that this thread makes in the block."""
    before = _observers.set((*_observers.get(), observer))
    try:
        yield
    finally:
        _observers.reset(before)


@contextmanager
def violation_as(error: Callable[[str], Exception]) -> Iterator[None]:
    """What is violated in the block leaves as an error that has a name of its own, with the same message."""
    try:
        yield
    except InvariantViolated as violated:
        raise error(str(violated)) from violated


def _require(invariant: Invariant, holds: bool, otherwise: str) -> None:
    for tell in _observers.get():
        tell(invariant, holds)
    if not holds:
        raise InvariantViolated(invariant, otherwise)


def _some(names: Collection[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(sorted(names)[:_NAMED]) + more

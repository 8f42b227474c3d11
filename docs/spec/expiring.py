"""Expiry beside publications, a rollback and a fold: what may be deleted, and when.

A version names one file. An execution of expiry marks versions first and deletes files later; both only while its fence
is HEAD's. Time passes in ticks: a tick is the grace of a new file, and longer than any function runs between two of its
calls... but for one that was stopped, whose requests may come at any time. A rollback chooses a version and takes its
time; a fold stages a file long before anything names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from explore import Bounds, Law
from explore import Without as LeftOut

CHROMA = "chroma_package/receipt_chroma"


class Guard(StrEnum):
    """Where each one stands: a state or a file, and the text there."""

    KEEP_HEAD = f"{CHROMA}/snapshot/retention.py | return {{head_snapshot,"
    FENCE = f"{CHROMA}/expire.py | if _head_if_mine(control.head(collection), fence) is None"
    MARKED_FOR_AN_HOUR = f"{CHROMA}/snapshot/retention.py | self.now - marked >= self.expired_for"
    ORPHANS_GRACE = f"{CHROMA}/expire.py | path not in named and retention.is_old(entry.changed)"
    NOT_EXPIRED = f"{CHROMA}/rollback.py | row.state == EXPIRED"
    FOLD_IN_TIME = "handlers/write_fold.py | if not fold.is_late("


class File(NamedTuple):
    made: int  # the tick
    there: bool = True


class Version(NamedTuple):
    file: int
    marked: int = -1  # the tick in which it became EXPIRED


class Own(NamedTuple):
    """An execution, and what it has in its head."""

    mode: str
    at: str
    fence: int = 0
    base: int = 0
    file: int = -1
    since: int = 0
    todo: tuple[int, ...] = ()
    stopped: bool = False


class State(NamedTuple):
    now: int = 0
    fence: int = 0
    holder: int = -1
    head: int = 1  # the newest version: it is its place in the history
    versions: tuple[Version, ...] = (Version(0), Version(1))
    files: tuple[File, ...] = (File(-2), File(-2))
    executions: tuple[Own, ...] = ()
    late: tuple[int, ...] = ()
    ticks: int = 0
    stops: int = 0
    reader: int = 1  # the version that it has open

    def put(self, index: int, own: Own) -> State:
        return self._replace(executions=(*self.executions[:index], own, *self.executions[index + 1 :]))

    def file(self, index: int, file: File) -> State:
        return self._replace(files=(*self.files[:index], file, *self.files[index + 1 :]))

    def mark(self, index: int) -> State:
        marked = self.versions[index]._replace(marked=self.now)
        return self._replace(versions=(*self.versions[:index], marked, *self.versions[index + 1 :]))


@dataclass(frozen=True)
class Expiring:
    """modes: of the executions that there are: publish, rollback, fold, expire. ticks, stops: how many there may be."""

    modes: tuple[str, ...]
    ticks: int = 2
    stops: int = 0
    without: frozenset[StrEnum] = field(default=frozenset())

    def first(self) -> State:
        begins = {"fold": "FoldShard"}
        executions = tuple(Own(mode, begins.get(mode, "AcquireLease")) for mode in self.modes)
        return State(executions=executions, ticks=self.ticks, stops=self.stops)

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        if state.ticks:
            yield (
                "the grace passes, and readers refresh",
                state._replace(now=state.now + 1, ticks=state.ticks - 1, reader=state.head),
            )
        if state.reader < state.head:
            yield "a reader refreshes", state._replace(reader=state.head)
        for index, own in enumerate(state.executions):
            name = f"{own.mode} [{index + 1}]"
            if own.at == "Finished" or (own.stopped and index not in state.late):
                continue
            for what, after in self.step(state, index, own):
                yield f"{own.at} of {name}{', late' if own.stopped else ''}{what}", after
            if state.stops and not own.stopped:
                gone = state.put(index, own._replace(stopped=True))._replace(stops=state.stops - 1)
                yield f"stop of {name} before {own.at}", gone
                if own.at == "ExpireSnapshots":
                    late = gone._replace(late=(*state.late, index))
                    yield f"stop of {name} in {own.at}, which goes on late", late

    def step(self, state: State, index: int, own: Own) -> Iterator[tuple[str, State]]:
        if own.at == "FoldShard":
            staged = state._replace(files=(*state.files, File(state.now)))
            yield "", staged.put(index, own._replace(at="AcquireLease", file=len(state.files), since=state.now))
        elif own.at == "AcquireLease":
            if state.holder == -1 or state.executions[state.holder].stopped:
                then = {"publish": "MergeDeltas", "fold": "WriteFold", "rollback": "PrepareRollback"}
                leased = own._replace(at=then.get(own.mode, "ExpireSnapshots"), fence=state.fence + 1)
                yield "", state._replace(holder=index, fence=state.fence + 1).put(index, leased)
        elif own.at == "MergeDeltas":
            staged = state._replace(files=(*state.files, File(state.now)))
            yield "", staged.put(index, own._replace(at="CommitSnapshot", base=state.head, file=len(state.files)))
        elif own.at == "WriteFold":
            if state.now > own.since and Guard.FOLD_IN_TIME not in self.without:
                yield ": too late", self.over(state, index)
            else:
                yield "", state.put(index, own._replace(at="CommitSnapshot", base=state.head))
        elif own.at == "PrepareRollback":
            target = state.versions[0]
            if target.marked >= 0 and Guard.NOT_EXPIRED not in self.without:
                yield ": EXPIRED", self.over(state, index)
            else:
                yield "", state.put(index, own._replace(at="CommitRollback", base=state.head, file=target.file))
        elif own.at.startswith("Commit"):
            if (state.holder, state.fence, state.head) == (index, own.fence, own.base):
                versions = (*state.versions, Version(own.file))
                yield "", self.over(state._replace(head=state.head + 1, versions=versions), index)
            else:
                yield ": refused", self.over(state, index)
        else:
            yield from self.expired(state, index, own)

    def expired(self, state: State, index: int, own: Own) -> Iterator[tuple[str, State]]:
        """Marks, then looks at what there is, then deletes file by file; it looks at the fence before each."""
        mine = state.fence == own.fence
        if own.base == 0:
            kept = {state.head} if Guard.KEEP_HEAD not in self.without else {0}
            marks = tuple(n for n, one in enumerate(state.versions) if n not in kept and one.marked < 0)
            yield " chooses what to mark", state.put(index, own._replace(base=1, todo=marks))
            return
        if own.base == 1 and own.todo:
            number, *rest = own.todo
            after = state.mark(number) if mine or Guard.FENCE in self.without else state
            yield f" marks {number + 1}", after.put(index, own._replace(todo=tuple(rest)))
            return
        if own.base == 1:
            hour = 0 if Guard.MARKED_FOR_AN_HOUR in self.without else 1
            gone = {n for n, one in enumerate(state.versions) if 0 <= one.marked <= state.now - hour}
            named = {one.file for n, one in enumerate(state.versions) if n not in gone}
            grace = 0 if Guard.ORPHANS_GRACE in self.without else 1
            old = [n for n, one in enumerate(state.files) if one.there and state.now - one.made >= grace]
            todo = tuple(n for n in old if n not in named)
            looked = state.put(index, own._replace(todo=todo, base=2))
            yield " looks", looked if todo else self.over(state, index)
            return
        if not mine and Guard.FENCE not in self.without:
            yield ": fenced", self.over(state, index)
            return
        file, *rest = own.todo
        after = state.file(file, state.files[file]._replace(there=False))
        left = after.put(index, own._replace(todo=tuple(rest)))
        yield f" deletes file {file}", left if rest else self.over(after, index)

    def over(self, state: State, index: int) -> State:
        own = state.executions[index]
        is_mine = (state.holder, state.fence) == (index, own.fence)
        after = state.put(index, Own(own.mode, "Finished"))
        late = tuple(one for one in state.late if one != index)
        return after._replace(holder=-1 if is_mine else state.holder, late=late)

    def broken(self, before: State, after: State) -> Law | None:
        """What is not EXPIRED opens, HEAD's above all; so does what a reader has open, which refreshes in time."""
        if not after.files[after.versions[after.reader].file].there:
            return Law.RETAINED_IS_READABLE
        for number, version in enumerate(after.versions):
            if (version.marked < 0 or number == after.head) and not after.files[version.file].there:
                return Law.RETAINED_IS_READABLE
        return Law.RETAINED_IS_READABLE if after.versions[after.head].marked >= 0 else None

    def unhealed(self, state: State) -> Law | None:
        """Whatever is left, another expiry comes to its end."""
        alone = state._replace(holder=-1, executions=(Own("expire", "AcquireLease"),), late=())
        while alone.executions[0].at != "Finished":
            _, alone = next(self.step(alone, 0, alone.executions[0]))
        return self.broken(state, alone)


def _bounds(title: str, *modes: str, ticks: int = 2, stops: int = 0, is_small: bool = False) -> Bounds:
    return Bounds(title, Expiring(modes, ticks, stops), is_small)


def _without(guard: Guard, *modes: str, ticks: int = 2, stops: int = 0) -> LeftOut:
    return LeftOut(guard, Expiring(modes, ticks, stops, frozenset([guard])), Law.RETAINED_IS_READABLE)


WHOLE = (
    _bounds("an expiry, a publication, a stop", "expire", "publish", stops=1, is_small=True),
    _bounds("two expiries, a publication, a rollback, a stop", "expire", "expire", "publish", "rollback", stops=1),
    _bounds("two expiries, a fold, a stop", "expire", "expire", "fold", stops=1),
    _bounds("an expiry, a fold, a publication, a stop", "expire", "fold", "publish", stops=1),
)
WITHOUT = (
    _without(Guard.KEEP_HEAD, "expire"),
    _without(Guard.FENCE, "expire", "rollback", stops=1),
    _without(Guard.MARKED_FOR_AN_HOUR, "publish", "expire"),
    _without(Guard.ORPHANS_GRACE, "expire", "fold"),
    _without(Guard.NOT_EXPIRED, "expire", "rollback"),
    _without(Guard.FOLD_IN_TIME, "expire", "fold"),
)

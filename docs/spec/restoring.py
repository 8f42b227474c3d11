"""Restoring: a lost EFS, a file system or a table that goes back, and readers that only go forward.

A snapshot is a place (version, fence) and a content. Of publications there are only their commits and their swaps here,
which may be late; the rest is `publishing`'s. Once nothing is in flight, one scheduled execution (SwapCommitted) makes
CURRENT, on EFS and in the bucket, what HEAD names, and a reader of either has HEAD's content after its next refresh.
`by_hand` is `compaction restore`, which does so whatever happened. `efs_alone`: the bucket has no CURRENT, as in
releases before; then EFS and the table must not go back to one moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from explore import Bounds, Law
from explore import Without as LeftOut

Place = tuple[int, int]


class Guard(StrEnum):
    """Where each one stands: a file, and the text there."""

    FORWARD_ONLY = "chroma_package/receipt_chroma/snapshot/pointer.py | there.place > self.place"
    STORED_FORWARD_ONLY = "chroma_package/receipt_chroma/snapshot/stored_pointer.py | if is_passed_by(there):"
    PAST_EVERYTHING = "chroma_package/receipt_chroma/project.py | 1 + max(map(_version, self._named()))"
    ASKS_THE_BUCKET = "chroma_package/receipt_chroma/project.py | newest = self._stored()[-1:]"
    COMPARES = "chroma_package/receipt_chroma/project.py | head = self._publish_again("
    COMPARES_THE_BUCKET = "chroma_package/receipt_chroma/project.py | look_at_bucket("
    BUCKET_FIRST = "chroma_package/receipt_chroma/project.py | The bucket first"


class Named(NamedTuple):
    place: Place
    content: int


NOTHING = Named((0, 0), 0)


class Head(NamedTuple):
    named: Named = NOTHING
    fence: int = 0
    holder: int = 0


class Swap(NamedTuple):
    """One invocation of SwapPointer. `writes`: what CURRENT will be; `over`: what its restore was made from; `shown`:
    one of the two says it, and the other is next."""

    holder: int
    fence: int
    writes: Named | None = None
    over: Named | None = None
    shown: bool = False


class State(NamedTuple):
    head: Head = Head()
    current: Named | None = None
    stored: Named | None = None
    reader: Named = NOTHING
    afar: Named = NOTHING
    bucket: tuple[Named, ...] = ()
    backups: frozenset[Head] = frozenset()
    swaps: tuple[Swap, ...] = ()
    executions: int = 0
    commits: int = 0
    started: int = 0
    restores: int = 0
    losses: int = 0


@dataclass(frozen=True)
class Restoring:
    """How many executions, commits and invocations of SwapPointer there may be; the table goes back once, and EFS is
    lost or goes back once."""

    executions: int = 2
    commits: int = 2
    starts: int = 2
    efs_alone: bool = False
    by_hand: bool = False
    without: frozenset[StrEnum] = field(default=frozenset())

    def first(self) -> State:
        return State()

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        head = state.head
        if state.executions < self.executions:
            yield f"AcquireLease of [{state.executions + 1}]", self.acquired(state)
        if state.commits < self.commits and head.holder:
            yield from self.commit(state)
        if state.started < self.starts and head.holder:
            begun = (*state.swaps, Swap(head.holder, head.fence))
            yield f"SwapPointer of [{head.holder}] begins", state._replace(swaps=begun, started=state.started + 1)
        for number, swap in enumerate(state.swaps):
            others = state.swaps[:number] + state.swaps[number + 1 :]
            for after, left in self.swap(state, swap):
                yield f"SwapPointer of [{swap.holder}] goes on", after._replace(swaps=(*others, *left))
            if swap.shown:
                yield f"SwapPointer of [{swap.holder}] ends between the two CURRENTs", state._replace(swaps=others)
        yield from self.disasters(state)
        yield "a refresh", refreshed(state)

    def commit(self, state: State) -> Iterator[tuple[str, State]]:
        head, place = state.head, (state.head.named.place[0] + 1, state.head.fence)
        if any(one.place == place for one in state.bucket):
            return  # ManifestConflict
        new = Named(place, state.commits + 1)
        lost = state._replace(bucket=(*state.bucket, new), commits=state.commits + 1)
        yield f"CommitSnapshot of [{head.holder}] never comes", lost
        after = lost._replace(head=head._replace(named=new), backups=state.backups | {head})
        yield f"CommitSnapshot of [{head.holder}]", after

    def disasters(self, state: State) -> Iterator[tuple[str, State]]:
        alone = self.by_hand or not (state.swaps and (state.restores or state.losses))
        agree = self.efs_alone and state.current is not None and state.current.place < state.reader.place
        if not state.restores and alone and not agree:
            for backup in sorted(state.backups):
                yield "the table goes back", state._replace(head=backup, restores=1)
        if state.losses or state.current is None or not alone:
            return
        yield "the file system is lost", state._replace(current=None, losses=1)
        for backup in () if self.efs_alone else sorted(state.backups):
            if backup.named.content and backup.named.place < state.current.place:
                yield "the file system goes back", state._replace(current=backup.named, losses=1)

    def acquired(self, state: State) -> State:
        number = state.executions + 1
        return state._replace(executions=number, head=Head(state.head.named, state.head.fence + 1, number))

    def swap(self, state: State, swap: Swap, *, asked: bool = False) -> Iterator[tuple[State, tuple[Swap, ...]]]:
        """What an invocation does next, and what is left of it."""
        head = state.head
        mine = (head.holder, head.fence) == (swap.holder, swap.fence)
        if swap.writes is None:
            if not mine:
                yield state, ()
            elif Guard.COMPARES not in self.without and head.named.content and (asked or self.is_ahead(state)):
                yield from self.publish_again(state, swap)
            else:
                yield state, (swap._replace(writes=head.named),)
        elif swap.over is not None:  # the commit of what is published again
            if mine and head.named == swap.over:
                yield state._replace(head=head._replace(named=swap.writes)), (swap._replace(over=None),)
            else:
                yield state, (swap._replace(writes=head.named, over=None),) if mine else ()
        else:
            left = () if swap.shown or self.efs_alone else (swap._replace(shown=True),)
            yield self.shows(state, swap.writes, on_efs=self.efs_alone or swap.shown == self.bucket_first), left

    def publish_again(self, state: State, swap: Swap) -> Iterator[tuple[State, tuple[Swap, ...]]]:
        """HEAD's content under a version past every one that is named anywhere."""
        named = [one.place[0] for one in state.bucket] if Guard.PAST_EVERYTHING not in self.without else []
        seen = [one.place[0] for one in (state.current, state.stored, state.head.named) if one]
        new = Named((1 + max(*named, *seen, 0), swap.fence), state.head.named.content)
        if all(one == new or one.place != new.place for one in state.bucket):
            bucket = tuple(dict.fromkeys((*state.bucket, new)))
            yield state._replace(bucket=bucket), (swap._replace(writes=new, over=state.head.named),)

    def shows(self, state: State, new: Named, *, on_efs: bool) -> State:
        if on_efs:
            moves = passes(new, state.current) or Guard.FORWARD_ONLY in self.without
            return state._replace(current=new) if moves and new.content else state
        moves = passes(new, state.stored) or Guard.STORED_FORWARD_ONLY in self.without
        return state._replace(stored=new) if moves and new.content else state

    @property
    def bucket_first(self) -> bool:
        return Guard.BUCKET_FIRST not in self.without

    def is_ahead(self, state: State) -> bool:
        stored = state.stored if Guard.COMPARES_THE_BUCKET not in self.without else None
        place = state.head.named.place
        if any(one and one.place > place for one in (state.current, stored)):
            return True
        missing = state.current is None and Guard.ASKS_THE_BUCKET not in self.without
        return missing and any(one.place > place for one in state.bucket)

    def broken(self, before: State, after: State) -> Law | None:
        """No step of ours moves a CURRENT back; a file system that went back is nobody's step."""
        sides = [(before.stored, after.stored)]
        if before.losses == after.losses:
            sides.append((before.current, after.current))
        back = any(was and now and now.place < was.place for was, now in sides)
        return Law.VERSIONS_ONLY_GROW if back else None

    def unhealed(self, state: State) -> Law | None:
        """Once nothing is in flight, one more execution, alone, and a refresh."""
        if state.swaps:
            return None
        state = self.acquired(state)
        asked = self.by_hand and any(one.place > state.head.named.place for one in state.bucket)
        swaps: tuple[Swap, ...] = (Swap(state.head.holder, state.head.fence),)
        while swaps:
            went = next(self.swap(state, swaps[0], asked=asked), None)
            if went is None:
                return Law.CRASH_LEAVES_GARBAGE_ONLY  # ManifestConflict, and the next one has no better luck
            state, swaps = went
        state, named = refreshed(state), state.head.named
        sides = [(state.current, state.reader), (state.stored, state.afar)][: 1 if self.efs_alone else 2]
        if named.content and any(shown != named or one.content != named.content for shown, one in sides):
            return Law.READERS_NEVER_MIX
        return None


def passes(new: Named, there: Named | None) -> bool:
    return there is None or new.place > there.place


def refreshed(state: State) -> State:
    """Both readers, which only go forward."""
    current, stored = state.current, state.stored
    if current and current.place > state.reader.place:
        state = state._replace(reader=current)
    return state._replace(afar=stored) if stored and stored.place > state.afar.place else state


def _without(guard: Guard, law: Law, *, is_small: bool = True, **left: int) -> LeftOut:
    return LeftOut(guard, Restoring(commits=3, without=frozenset([guard]), **left), law, is_small)


WHOLE = (
    Bounds("two executions, two commits, the table goes back, EFS is lost", Restoring(), is_small=True),
    Bounds("the same, without a CURRENT in the bucket", Restoring(executions=3, efs_alone=True)),
    Bounds("three executions", Restoring(executions=3)),
    Bounds("three executions, and a restore by hand at last", Restoring(executions=3, by_hand=True)),
)
WITHOUT = (
    _without(Guard.FORWARD_ONLY, Law.VERSIONS_ONLY_GROW),
    _without(Guard.STORED_FORWARD_ONLY, Law.VERSIONS_ONLY_GROW),
    _without(Guard.PAST_EVERYTHING, Law.CRASH_LEAVES_GARBAGE_ONLY),
    _without(Guard.ASKS_THE_BUCKET, Law.READERS_NEVER_MIX, efs_alone=True),
    _without(Guard.COMPARES, Law.READERS_NEVER_MIX),
    _without(Guard.COMPARES_THE_BUCKET, Law.READERS_NEVER_MIX),
    _without(Guard.BUCKET_FIRST, Law.READERS_NEVER_MIX),
)

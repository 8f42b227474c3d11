"""Folding and re-sharding beside publications and rollbacks: bases and segments of one collection.

Two receipts; a file never changes, and is known by its number. A fold and a re-shard read a version without the lease,
write new bases, and take the lease to commit. Segments are routed by the number of shards: one that was written for
another number is in the wrong place, where nobody finds what it has. Any execution may be stopped, or its commit come
late.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from explore import Bounds, Law
from explore import Without as LeftOut

Content = tuple[int, ...]
CHROMA = "chroma_package/receipt_chroma"


class Guard(StrEnum):
    """Where each one stands: a state or a file, and the text there."""

    SAME_BASE = f"{CHROMA}/fold.py | shard.path == report.base_path"
    OLDEST_SEGMENTS = f"{CHROMA}/fold.py | oldest == report.segments"
    LATER_SEGMENTS = f"{CHROMA}/fold.py | later = before.segments[len(report.segments) :]"
    RESHARD_LAYS_OVER = f"{CHROMA}/write_reshard.py | shards[number] = laid_over(shards[number], staged)"
    SHARDS_OF_BASE = "stream_package/receipt_dynamo_stream/round/planning.py | shards=head.shards"
    COMMIT_SHARDS = "CommitSnapshot | shards = :shards"
    COMMIT = "CommitSnapshot | holder = :me AND fence = :fence AND version = :base"
    ROLLBACK_SHARDS = "CommitRollback | shards = :shards"


class Manifest(NamedTuple):
    """A version: its base and segments by their files, and the number of its shards."""

    base: int
    segments: tuple[int, ...] = ()
    shards: int = 1


class Process(NamedTuple):
    """An execution: what it read, under the lease or before, and the file that it wrote."""

    mode: str  # publish-0, publish-1, fold, reshard, rollback
    at: str
    fence: int = 0
    version: int = 0
    under: Manifest | None = None  # what HEAD named under the lease
    seen: Manifest | None = None  # what a fold or a re-shard was made from
    made: int = -1
    new: Manifest | None = None  # what it commits
    stopped: bool = False


class State(NamedTuple):
    head: Manifest = Manifest(0)
    shards: int = 1  # HEAD's own
    version: int = 1
    fence: int = 0
    holder: int = -1
    published: Content = (0, 0)  # the value of each receipt, as last published
    history: tuple[tuple[Manifest, Content], ...] = ((Manifest(0), (0, 0)),)
    files: tuple[tuple[int, tuple[tuple[int, int], ...]], ...] = ((1, ((0, 0), (1, 0))),)  # its shards, its receipts
    processes: tuple[Process, ...] = ()
    late: tuple[int, ...] = ()
    stops: int = 0

    def put(self, index: int, process: Process) -> State:
        return self._replace(processes=(*self.processes[:index], process, *self.processes[index + 1 :]))

    def write(self, shards: int, values: tuple[tuple[int, int], ...]) -> tuple[State, int]:
        return self._replace(files=(*self.files, (shards, values))), len(self.files)

    def content(self, manifest: Manifest) -> Content:
        """What readers find: a file of another number of shards is looked for where it is not."""
        values: dict[int, int] = {}
        for file in (manifest.base, *manifest.segments):
            shards, written = self.files[file]
            if shards == manifest.shards:
                values.update(written)
        return tuple(values.get(receipt, -1) for receipt in (0, 1))


STAGES = {"fold": "FoldShard", "reshard": "FoldShard"}
WRITES = {"fold": "WriteFold", "reshard": "WriteFold", "rollback": "PrepareRollback"}


@dataclass(frozen=True)
class Folding:
    """modes: of the executions that there are. stops: how many of them may be stopped."""

    modes: tuple[str, ...]
    stops: int = 0
    without: frozenset[StrEnum] = field(default=frozenset())

    def first(self) -> State:
        processes = tuple(Process(mode, STAGES.get(mode, "AcquireLease")) for mode in self.modes)
        return State(processes=processes, stops=self.stops)

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        for index in state.late:
            rest = state._replace(late=tuple(one for one in state.late if one != index))
            own = state.processes[index]
            yield f"{own.at} of {own.mode} [{index + 1}], late", self.committed(rest, index) or rest
        for index, own in enumerate(state.processes):
            if own.stopped or own.at == "Finished":
                continue
            name = f"{own.mode} [{index + 1}]"
            if state.stops:
                gone = state.put(index, own._replace(stopped=True))._replace(stops=state.stops - 1)
                yield f"stop of {name} before {own.at}", gone
                if own.at.startswith("Commit"):
                    yield f"stop of {name} in {own.at}, which goes on late", gone._replace(late=(*state.late, index))
            for what, after in self.step(state, index, own):
                yield f"{own.at} of {name}{what}", after

    def step(self, state: State, index: int, own: Process) -> Iterator[tuple[str, State]]:
        if own.at == "FoldShard":
            shards = 3 - state.head.shards if own.mode == "reshard" else state.head.shards
            staged, made = state.write(shards, tuple(enumerate(state.content(state.head))))
            yield "", staged.put(index, own._replace(at="AcquireLease", seen=state.head, made=made))
        elif own.at == "AcquireLease":
            if state.holder == -1 or state.processes[state.holder].stopped:
                leased = own._replace(at=WRITES.get(own.mode, "MergeDeltas"), fence=state.fence + 1)
                yield "", state._replace(holder=index, fence=state.fence + 1).put(index, leased)
        elif own.at.startswith("Commit"):
            done = self.committed(state, index)
            after = (done or state).put(index, own._replace(at="Finished"))
            is_mine = (after.holder, after.fence) == (index, own.fence)
            yield "" if done else ": refused", after._replace(holder=-1) if is_mine else after
        else:
            own = own._replace(version=state.version, under=state.head)
            after, new = self.made(state, index, own)
            if new is None:
                yield ": has lost", state._replace(holder=-1).put(index, own._replace(at="Finished"))
            else:
                then = "CommitRollback" if own.mode == "rollback" else "CommitSnapshot"
                yield "", after.put(index, own._replace(at=then, new=new))

    def made(self, state: State, index: int, own: Process) -> tuple[State, Manifest | None]:
        """The manifest that an execution makes of what HEAD names, and the files with it."""
        now, seen = state.head, own.seen
        if own.mode == "rollback":
            return state, state.history[0][0]
        if own.mode.startswith("publish"):
            receipt = int(own.mode[-1])
            routed = state.shards if Guard.SHARDS_OF_BASE not in self.without else 1
            after, made = state.write(routed, ((receipt, 10 * (index + 1) + state.published[receipt]),))
            return after, now._replace(segments=(*now.segments, made))
        assert seen is not None
        if own.mode == "reshard":
            was, there = state.content(seen), state.content(now)
            shards = state.files[own.made][0]
            changed = tuple((receipt, there[receipt]) for receipt in (0, 1) if was[receipt] != there[receipt])
            if not changed or Guard.RESHARD_LAYS_OVER in self.without:
                return state, Manifest(own.made, (), shards)
            after, laid = state.write(shards, changed)
            return after, Manifest(own.made, (laid,), shards)
        folded = len(seen.segments)
        if now.base != seen.base and Guard.SAME_BASE not in self.without:
            return state, None
        if now.segments[:folded] != seen.segments and Guard.OLDEST_SEGMENTS not in self.without:
            return state, None
        later = () if Guard.LATER_SEGMENTS in self.without else now.segments[folded:]
        return state, now._replace(base=own.made, segments=later)

    def committed(self, state: State, index: int) -> State | None:
        """The one conditional update of HEAD; None when it is refused."""
        own = state.processes[index]
        assert own.new is not None
        mine = (state.holder, state.fence, state.version) == (index, own.fence, own.version)
        if not mine and Guard.COMMIT not in self.without:
            return None
        published = state.published
        if own.mode == "rollback":
            published = state.history[0][1]
        elif own.mode.startswith("publish"):
            ((receipt, value),) = state.files[own.new.segments[-1]][1]
            published = tuple(value if one == receipt else there for one, there in enumerate(published))
        guard = Guard.ROLLBACK_SHARDS if own.mode == "rollback" else Guard.COMMIT_SHARDS
        return state._replace(
            version=own.version + 1,
            head=own.new,
            shards=state.shards if guard in self.without else own.new.shards,
            published=published,
            history=(*state.history, (own.new, published)),
        )

    def broken(self, before: State, after: State) -> Law | None:
        if after.version < before.version or (after.version == before.version and after.head != before.head):
            return Law.VERSIONS_ONLY_GROW
        return None if after.content(after.head) == after.published else Law.ROWS_CONSERVED

    def unhealed(self, state: State) -> Law | None:
        """What is staged and not committed is garbage: the next publication finds what was published."""
        alone = state._replace(holder=-1, processes=(Process("publish-0", "AcquireLease"),), late=(), stops=0)
        while alone.processes[0].at != "Finished":
            _, alone = next(self.step(alone, 0, alone.processes[0]))
        return None if alone.content(alone.head) == alone.published else Law.CRASH_LEAVES_GARBAGE_ONLY


def _bounds(title: str, *modes: str, stops: int = 0, is_small: bool = False) -> Bounds:
    return Bounds(title, Folding(modes, stops), is_small)


def _without(guard: Guard, law: Law, *modes: str, stops: int = 0) -> LeftOut:
    return LeftOut(guard, Folding(modes, stops, frozenset([guard])), law)


WHOLE = (
    _bounds("a publication, a fold, a re-shard", "publish-0", "fold", "reshard", stops=1, is_small=True),
    _bounds("two publications, two folds, a stop", "publish-0", "publish-1", "fold", "fold", stops=1),
    _bounds("two publications, a fold, a rollback, a stop", "publish-0", "publish-0", "fold", "rollback", stops=1),
    _bounds("a publication, two folds, a rollback, two stops", "publish-0", "fold", "fold", "rollback", stops=2),
    _bounds(
        "a publication, a fold, a re-shard, a rollback, a stop", "publish-0", "fold", "reshard", "rollback", stops=1
    ),
    _bounds("a publication, two re-shards, a rollback, a stop", "publish-0", "reshard", "reshard", "rollback", stops=1),
)
ROWS, CRASH = Law.ROWS_CONSERVED, Law.CRASH_LEAVES_GARBAGE_ONLY
WITHOUT = (
    _without(Guard.SAME_BASE, ROWS, "publish-0", "fold", "fold"),
    _without(Guard.OLDEST_SEGMENTS, ROWS, "publish-0", "publish-1", "fold", "rollback"),
    _without(Guard.LATER_SEGMENTS, ROWS, "publish-0", "fold"),
    _without(Guard.RESHARD_LAYS_OVER, ROWS, "publish-0", "reshard"),
    _without(Guard.SHARDS_OF_BASE, CRASH, "reshard"),
    _without(Guard.COMMIT, Law.VERSIONS_ONLY_GROW, "publish-0", "fold", stops=1),
    _without(Guard.COMMIT_SHARDS, CRASH, "reshard"),
    _without(Guard.ROLLBACK_SHARDS, CRASH, "reshard", "rollback"),
)

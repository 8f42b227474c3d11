"""Publishing: lease, take-over, rerun, turns, commit, swap, settle, pause, resume and rollback of one collection.

One receipt stands for all. `fact` counts how often it changed; a snapshot's content is the fact that its plan read, so
everything is published when HEAD's content is the fact. Any request may be stopped before or after it was done, or
arrive late; an execution may be stopped and redriven; InspectHolder may be wrong; a commit's answer may be lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from execution import DOES, ENDS, NOBODY, Execution, Guard, Place, Without
from explore import Bounds, Law
from explore import Without as LeftOut


class Head(NamedTuple):
    """HEAD in the control table. paused: 0, or which pause it is; made: fence, round and mode of the commit."""

    holder: int = NOBODY
    fence: int = 0
    rerun: bool = False
    waiting: int = NOBODY
    paused: int = 0
    version: int = 1
    content: int = 0
    made: tuple[int, int, str] = (0, 0, "compact")


class Left(NamedTuple):
    """How often each of these may still happen."""

    changes: int = 0
    stops: int = 0
    redrives: int = 0
    hangs: int = 0
    lost: int = 0
    wrong: int = 0
    pauses: int = 0
    rollbacks: int = 0
    resumes: int = 0
    folds: int = 0


class Resume(NamedTuple):
    """An operator's `resume` between its steps, and HEAD as it was seen."""

    paused: int
    snapshot: tuple[int, int]


class State(NamedTuple):
    """The world. heard: the stream has marked the newest change. late: requests under way whose sender is past them."""

    left: Left
    head: Head = Head()
    projected: int = 1
    current: Place = (1, 0)
    manifests: frozenset[tuple[tuple[int, int, int], int]] = frozenset()
    fact: int = 0
    heard: bool = True
    token: int = 0  # of the pending item; 0: nothing is pending
    tokens: int = 0
    pauses: int = 0
    resumes: tuple[Resume, ...] = ()
    executions: tuple[Execution, ...] = ()
    late: tuple[tuple[int, Execution], ...] = ()
    owed: bool = False  # a change was heard, and since then nobody was stopped: it may not wait for the schedule
    asked: bool = False  # the same of a rollback
    rolled: bool = False

    def with_head(self, **to: Any) -> State:
        return self._replace(head=self.head._replace(**to))

    def spend(self, what: str) -> State:
        return self._replace(left=self.left._replace(**{what: getattr(self.left, what) - 1}))

    def disturbed(self) -> State:
        return self._replace(owed=False, asked=False)

    def runs(self, index: int) -> bool:
        one = self.executions[index]
        return not one.stopped and one.at not in ENDS

    def put(self, index: int, execution: Execution) -> State:
        return self._replace(executions=(*self.executions[:index], execution, *self.executions[index + 1 :]))

    def start(self, mode: str, at: str = "AcquireLease") -> State:
        return self._replace(executions=(*self.executions, Execution(mode, at)))

    def pause(self) -> State:
        return self if self.head.paused else self._replace(pauses=self.pauses + 1).with_head(paused=self.pauses + 1)

    @property
    def is_rolled_back(self) -> bool:
        """Or whoever resumed in between was told so."""
        return self.rolled or any(one.at == "RollbackOvertaken" for one in self.executions)

    @property
    def is_calm(self) -> bool:
        """Nothing that is under way can touch the lease of an execution that runs."""
        return all(not self.runs(index) for index, _ in self.late)


NOTHING = State(Left())


@dataclass(frozen=True)
class Publishing:
    """left: what may happen. without: the guards that are left out."""

    left: Left
    without: Without = field(default=frozenset())
    begin: State = NOTHING

    def first(self) -> State:
        return self.begin._replace(left=self.left)

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        yield from self.around(state)
        for index, own in enumerate(state.executions):
            name = f"{own.mode} {index + 1}"
            if own.at in ENDS:
                continue
            if own.stopped:
                if state.left.redrives:
                    again = own._replace(stopped=False, part=0)
                    yield f"redrive of {name} at {own.at}", state.spend("redrives").disturbed().put(index, again)
                continue
            under_way = tuple(sorted((*state.late, (index, own))))
            if state.left.stops:
                gone = state.spend("stops").disturbed().put(index, own._replace(stopped=True))
                yield f"stop of {name} before {own.at}", gone
                yield f"stop of {name} in {own.at}, which goes on late", gone._replace(late=under_way)
            if state.left.hangs:
                yield (
                    f"{own.at} of {name} hangs and is tried again",
                    state.spend("hangs")
                    .disturbed()
                    ._replace(late=under_way, executions=state.put(index, own._replace(part=0)).executions),
                )
            for what, after, then in DOES[own.at](state, index, own, self.without):
                yield f"{own.at} of {name}" + (f": {what}" if what else ""), after.put(index, then)
        for number, (index, own) in enumerate(state.late):
            rest = state._replace(late=state.late[:number] + state.late[number + 1 :])
            for what, after, then in DOES[own.at](rest, index, own, self.without):
                if then.at == own.at and then.part:  # one function, between two of its calls
                    after = after._replace(late=tuple(sorted((*after.late, (index, then)))))
                label = f"{own.at} of {own.mode} {index + 1}, late" + (f": {what}" if what else "")
                yield label, after

    def around(self, state: State) -> Iterator[tuple[str, State]]:
        """Producers, the stream, and people."""
        if state.left.changes and state.heard:
            yield "a change", state.spend("changes")._replace(fact=state.fact + 1, heard=False)
        if not state.heard:
            yield "the stream marks and starts", self.marked(state)._replace(owed=state.is_calm).start("compact")
        if state.left.pauses and not state.head.paused:
            yield "an operator pauses", state.spend("pauses").pause()
        if state.left.rollbacks:
            asked = state.spend("rollbacks")._replace(asked=state.is_calm)
            yield "an operator rolls back", asked.start("rollback", "PauseForRollback")
        if state.left.folds:
            yield "a fold was staged", state.spend("folds").start("fold")
        if state.left.resumes and state.head.paused:
            seen, after = Resume(state.head.paused, self.snapshot(state)), state.spend("resumes")
            if Guard.RESUME_MARKS not in self.without:
                after = self.marked(after)
            yield "an operator's resume looks and marks", after._replace(resumes=tuple(sorted((*state.resumes, seen))))
        for seen in state.resumes:
            over = state._replace(resumes=tuple(one for one in state.resumes if one is not seen))
            same = seen.paused == state.head.paused or Guard.UNPAUSE_PAUSED in self.without
            if same and (seen.snapshot == self.snapshot(state) or Guard.UNPAUSE_SNAPSHOT in self.without):
                after = over.with_head(paused=0)._replace(owed=state.is_calm).start("compact")
                yield f"the resume of pause {seen.paused} unpauses and starts", after
            else:
                again = state.left._replace(resumes=state.left.resumes + 1)
                yield "a resume is refused, and begins again", over._replace(left=again)

    def marked(self, state: State) -> State:
        token = 1 if Guard.TOKEN_NEW in self.without else state.tokens + 1
        return state._replace(token=token, tokens=token, heard=True)

    @staticmethod
    def snapshot(state: State) -> tuple[int, int]:
        return state.head.version, state.head.made[0]

    def scheduled(self, state: State) -> State:
        """What one execution of the schedule makes of it, alone."""
        state, me = state.start("schedule"), len(state.executions)
        while state.executions[me].at not in ENDS:
            own = state.executions[me]
            _, after, then = next(DOES[own.at](state, me, own, self.without))
            state = after.put(me, then)
        return state

    def broken(self, before: State, after: State) -> Law | None:
        old, new = before.head, after.head
        if new.version < old.version or after.current < before.current:
            return Law.VERSIONS_ONLY_GROW
        if (new.version, new.made) != (old.version, old.made):
            if new.version != old.version + 1:
                return Law.VERSIONS_ONLY_GROW if new.version == old.version else Law.ONE_LINEAGE
            if new.made[0] < old.fence:
                return Law.FENCED_NEVER_PUBLISHES
            if bool(old.paused) != (new.made[2] == "rollback"):
                return Law.PAUSED_PUBLISHES_NOTHING
        if old.paused and not new.paused and old.paused not in {one.paused for one in before.resumes}:
            return Law.PAUSED_PUBLISHES_NOTHING  # by one that saw another pause
        return None

    def unhealed(self, state: State) -> Law | None:
        """Also: when all is quiet, what came after the last stop is done, without the schedule."""
        if not state.late and state.heard and not any(map(state.runs, range(len(state.executions)))):
            law = Law.NO_CHANGE_LOST if state.left.stops == self.left.stops else Law.CRASH_LEAVES_GARBAGE_ONLY
            is_paused, head = bool(state.head.paused), state.head
            if state.owed and not is_paused and head.content != state.fact:
                return law
            if state.owed and state.current != self.snapshot(state):
                return law
            if state.asked and not state.is_rolled_back:
                return law
        return _unhealed(self, _all_dead(state))


def _all_dead(state: State) -> State:
    """Who holds the lease, or waits for it, is one that no longer runs; which one does not matter."""
    head, dead = state.head, Execution("compact", "Finished")
    return State(Left(), executions=(dead,), **{name: getattr(state, name) for name in KEPT}).with_head(
        holder=min(head.holder, 0), waiting=min(head.waiting, 0)
    )


KEPT = ("head", "projected", "current", "manifests", "fact", "heard", "token", "tokens")


@cache
def _unhealed(model: Publishing, state: State) -> Law | None:
    state = model.scheduled(state if state.heard else model.marked(state))
    if state.head.holder != NOBODY or state.current != model.snapshot(state):
        return Law.CRASH_LEAVES_GARBAGE_ONLY
    if state.head.paused:  # someone resumes, and the schedule comes again
        state = model.scheduled(model.marked(state).with_head(paused=0))
    if state.current != model.snapshot(state):
        return Law.CRASH_LEAVES_GARBAGE_ONLY
    return None if state.head.content == state.fact and not state.token else Law.NO_CHANGE_LOST


def _bounds(title: str, is_small: bool = False, **left: int) -> Bounds:
    return Bounds(title, Publishing(Left(**left)), is_small)


WHOLE = (
    _bounds("a change, a stop, a redrive", True, changes=1, stops=1, redrives=1),
    _bounds("two changes, a lost answer", True, changes=2, lost=1),
    _bounds("two changes, a wrong InspectHolder", True, changes=2, wrong=1),
    _bounds("a change, a pause, a resume", True, changes=1, pauses=1, resumes=1),
    _bounds("two changes, an attempt that hangs", changes=2, hangs=1),
    _bounds("two changes, two stops, a redrive", changes=2, stops=2, redrives=1),
    _bounds("two changes, an attempt that hangs, a stop", changes=2, hangs=1, stops=1),
    _bounds("two changes, a fold, a stop", changes=2, folds=1, stops=1),
    _bounds("three changes, a stop", changes=3, stops=1),
    _bounds("a change, a rollback, a resume, a stop", changes=1, rollbacks=1, resumes=1, stops=1),
    _bounds("a change, a rollback, a pause, a resume", changes=1, rollbacks=1, pauses=1, resumes=1),
    _bounds("a change, a rollback, a resume, a wrong InspectHolder", changes=1, rollbacks=1, resumes=1, wrong=1),
)

_OVER = Execution("compact", "Finished")


def _without(guard: Guard, law: Law, begin: State = NOTHING, is_small: bool = True, **left: int) -> LeftOut:
    return LeftOut(guard, Publishing(Left(**left), frozenset([guard]), begin), law, is_small)


def _late(own: Execution, **head: int) -> State:
    """A request of an execution that is over is still under way."""
    return State(Left(), Head(**head), executions=(own.ended("Finished"),), late=((0, own),))


_DEAD = State(Left(), Head(holder=0, fence=1), executions=(_OVER,))
_MINE = State(
    Left(),
    Head(holder=1, fence=1),
    fact=1,
    token=1,
    tokens=1,
    executions=(Execution("compact"), Execution("fold", "ReleaseLease", fence=1)),
    late=((0, Execution("compact")),),
)
_BACK = Execution("rollback", "CommitRollback", fence=1, paused=1, base=1)
_ROLLED = State(
    Left(),
    Head(holder=0, fence=1, paused=1, version=2, made=(1, 0, "rollback")),
    manifests=frozenset({((2, 1, 0), 0)}),
    fact=1,
    pauses=1,
    executions=(_BACK.to("SwapPointer"),),
    late=((0, _BACK),),
)
_TWO = Head(version=2, content=1, made=(1, 0, "compact"), fence=1)  # beginnings in which a change is published
_SHOWN = State(Left(), _TWO, 2, (2, 1), frozenset({((2, 1, 0), 1)}), fact=1, executions=(Execution("compact"),))
_SAME = _SHOWN._replace(token=1, tokens=1)
_PAUSED = _SHOWN._replace(
    head=_TWO._replace(holder=0, fence=2, paused=1),
    pauses=1,
    executions=(Execution("compact", "PlanCompaction", fence=2),),
)

LOST, CRASH, GROW = Law.NO_CHANGE_LOST, Law.CRASH_LEAVES_GARBAGE_ONLY, Law.VERSIONS_ONLY_GROW
WITHOUT = (
    _without(Guard.ACQUIRE_FREE, LOST, changes=1, rollbacks=1),
    _without(Guard.ACQUIRE_FENCE, CRASH, changes=2),
    _without(Guard.TAKE_OVER_SEEN, LOST, _DEAD, changes=1, rollbacks=1),
    _without(Guard.RERUN_SEEN, LOST, changes=2),
    _without(Guard.COMPACT_COALESCES, LOST, changes=1, rollbacks=1),
    _without(Guard.HELD_BY_ME, LOST, _MINE, changes=1),
    _without(Guard.TURN_SEEN, LOST, _late(Execution("fold", "AskForTurn", seen=(9, 1))), changes=2),
    _without(Guard.HAND_OVER_RERUN, LOST, changes=2, folds=1),
    _without(Guard.RELEASE_MINE, CRASH, changes=2, stops=1),
    _without(Guard.RELEASE_RERUN, LOST, changes=2),
    _without(Guard.BOUND_MINE, LOST, _late(Execution("compact", "ReleaseAtBound", fence=1), fence=1), changes=1),
    _without(
        Guard.PAUSED_MINE, LOST, _late(Execution("compact", "ReleasePaused", fence=1), fence=1, paused=9), rollbacks=1
    ),
    _without(Guard.PAUSED_STILL, LOST, changes=1, pauses=1, resumes=1),
    _without(Guard.CLEAR_MINE, LOST, _late(Execution("compact", "ClearRerun", fence=1), fence=1), changes=2),
    _without(Guard.PROJECT_FIRST, CRASH, changes=2, stops=1),
    _without(Guard.TOKENS_FIRST, LOST, changes=2),
    _without(Guard.CONFIRM, LOST, _SAME, rollbacks=1, resumes=1, wrong=1),
    _without(Guard.COMMIT_MINE, Law.FENCED_NEVER_PUBLISHES, changes=2, stops=1),
    _without(Guard.COMMIT_BASE, GROW, changes=2, hangs=1),
    _without(Guard.COMMIT_PAUSED, Law.PAUSED_PUBLISHES_NOTHING, changes=1, pauses=1),
    _without(Guard.ROLLBACK_MINE, Law.FENCED_NEVER_PUBLISHES, changes=1, rollbacks=1, stops=1),
    _without(Guard.ROLLBACK_BASE, GROW, _ROLLED, resumes=1, pauses=1),
    _without(Guard.ROLLBACK_PAUSED, Law.PAUSED_PUBLISHES_NOTHING, changes=1, rollbacks=1, resumes=1),
    _without(Guard.RESOLVE_MINE, LOST, changes=1, lost=1),
    _without(Guard.RESOLVE_AGAIN, LOST, changes=1, lost=1),
    _without(Guard.CURRENT_FORWARD, GROW, changes=2, stops=1),
    _without(Guard.SETTLE_TOKEN, LOST, changes=2),
    _without(Guard.TOKEN_NEW, LOST, changes=2),
    _without(Guard.UNPAUSE_PAUSED, Law.PAUSED_PUBLISHES_NOTHING, pauses=2, resumes=2),
    _without(Guard.UNPAUSE_SNAPSHOT, LOST, _PAUSED, rollbacks=1, resumes=1),
    _without(Guard.RESUME_MARKS, LOST, changes=1, rollbacks=1, resumes=1),
)

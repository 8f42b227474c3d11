"""Quarantine: which runs of a receipt are merged, what a round says of them afterwards, and what a person decides.

A run is bad until somebody mends its delta. A plan leaves out what is FAILED; a merge refuses what is bad. The lease is
one number here, the fence, and a round takes it from one that was stopped; `publishing` looks at the rest. An operator
may be slow or end between two writes, and what a stopped function still writes may arrive at any time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from explore import Bounds, Law
from explore import Without as LeftOut

PENDING, COMPLETED, FAILED = "PENDING", "COMPLETED", "FAILED"
CONTROL = "stream_package/receipt_dynamo_stream/control"


class Guard(StrEnum):
    """Where each one stands: a state or a file, and the text there."""

    ROUND_ORDER = "stream_package/receipt_dynamo_stream/runs.py | {c}_settled_by < :order"
    FAILED_LEFT_OUT = "chroma_package/receipt_chroma/wanted.py | return run.state != names.FAILED"
    QUARANTINED_AT_ONCE = f"{CONTROL}/quarantine.py | transact_write_items"
    PENDING_LAST = "stream_package/receipt_dynamo_stream/round/settle.py | settled = sum("
    RETRY_MARKS = f"{CONTROL}/quarantine.py | pending.mark({{run.receipt"
    RETRY_OF_WHAT_WAS_SEEN = f"{CONTROL}/quarantine.py | settle_order = :seen"
    DROPPED_STAYS = "stream_package/receipt_dynamo_stream/runs.py | begins_with({c}_error, :dropped)"
    DROP_MARKS = "operate/quarantine.py | .mark("


class Run(NamedTuple):
    """order: of the round that wrote the state. here: it waits in quarantine; put: by which round."""

    bad: bool
    state: str = PENDING
    order: int = 0
    here: bool = False
    put: int = 0
    dropped: bool = False


class Round(NamedTuple):
    """An execution's round under the fence `order`, 0 when it is over."""

    order: int
    at: str = "PlanCompaction"
    part: int = 0
    base: int = 0
    token: int = 0
    planned: frozenset[int] = frozenset()
    merged: frozenset[int] = frozenset()
    refused: frozenset[int] = frozenset()


class Operator(NamedTuple):
    """A person at one run, between two writes; seen: the order of the row in quarantine."""

    does: str
    run: int
    seen: int
    part: int = 0


class Left(NamedTuple):
    """How often each may still happen; announced are runs that come, True for a bad one."""

    announced: tuple[bool, ...] = ()
    rounds: int = 0
    stops: int = 0
    hangs: int = 0
    mends: int = 0
    retries: int = 0
    drops: int = 0


class State(NamedTuple):
    left: Left
    runs: tuple[Run, ...] = ()
    content: frozenset[int] = frozenset()
    version: int = 0
    fence: int = 0
    token: int = 0
    tokens: int = 0
    round: Round | None = None
    late: tuple[Round, ...] = ()
    operator: Operator | None = None

    def spend(self, what: str) -> State:
        return self._replace(left=self.left._replace(**{what: getattr(self.left, what) - 1}))

    def with_run(self, index: int, **to: object) -> State:
        run = self.runs[index]._replace(**to)  # type: ignore[arg-type]
        return self._replace(runs=(*self.runs[:index], run, *self.runs[index + 1 :]))

    def marked(self) -> State:
        return self._replace(token=self.tokens + 1, tokens=self.tokens + 1)


@dataclass(frozen=True)
class Quarantining:
    """left: what may happen. without: the guards that are left out."""

    left: Left
    without: frozenset[StrEnum] = field(default=frozenset())

    def first(self) -> State:
        return State(self.left)

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        left = state.left
        if left.announced:
            bad, *others = left.announced
            after = state._replace(runs=(*state.runs, Run(bad)), left=left._replace(announced=tuple(others)))
            yield f"a {'bad' if bad else 'good'} run is announced and marked", after.marked()
        for index, run in enumerate(state.runs):
            if run.bad and run.state == FAILED and left.mends and not self.reads(state):
                yield f"run {index + 1} is mended", state.spend("mends").with_run(index, bad=False)
            if run.here and state.operator is None:
                for does, budget in (("retry", "retries"), ("drop", "drops")):
                    if getattr(left, budget):
                        asked = Operator(does, index, run.put)
                        yield (
                            f"an operator finds run {index + 1}, to {does} it",
                            state.spend(budget)._replace(operator=asked),
                        )
        if state.operator is not None:
            yield "the operator ends there", state._replace(operator=None)
            yield self.operated(state, state.operator)
        if state.round is None and left.rounds:
            begun = state.spend("rounds")._replace(fence=state.fence + 1, round=Round(state.fence + 1))
            yield f"AcquireLease of round {state.fence + 1}", begun
        if state.round is not None:
            own = state.round
            what, after, then = self.rounds(state, own)
            yield f"{own.at} of round {own.order}{what}", after._replace(round=then)
            if left.stops:
                gone = state.spend("stops")._replace(round=None)
                yield f"stop of round {own.order} before {own.at}", gone
                if own.at == "SettleChanges":
                    late = (*gone.late, own)
                    yield f"stop of round {own.order} in SettleChanges, which goes on late", gone._replace(late=late)
            if left.hangs and own.at == "SettleChanges":
                late = (*state.late, own)
                again = state.spend("hangs")._replace(late=late, round=own._replace(part=0))
                yield f"SettleChanges of round {own.order} hangs and is tried again", again
        for number, own in enumerate(state.late):
            rest = state._replace(late=state.late[:number] + state.late[number + 1 :])
            what, after, then = self.rounds(rest, own)
            goes_on = (*after.late, then) if then is not None else after.late
            yield f"{own.at} of round {own.order}, late{what}", after._replace(late=goes_on)
            yield f"SettleChanges of round {own.order} dies", rest

    @staticmethod
    def reads(state: State) -> bool:
        """A round is about to merge. A delta is immutable, so it is mended between rounds."""
        return state.round is not None and state.round.at == "MergeDeltas"

    def rounds(self, state: State, own: Round) -> tuple[str, State, Round | None]:
        """The next step of a round."""
        if own.at == "PlanCompaction":
            if not state.token:
                return ": nothing pending", state, None
            leave_out = (FAILED,) if Guard.FAILED_LEFT_OUT not in self.without else ()
            planned = frozenset(index for index, run in enumerate(state.runs) if run.state not in leave_out)
            return "", state, own._replace(at="MergeDeltas", base=state.version, token=state.token, planned=planned)
        if own.at == "MergeDeltas":
            bad = frozenset(index for index in own.planned if state.runs[index].bad)
            return "", state, own._replace(at="CommitSnapshot", merged=own.planned - bad, refused=bad)
        if own.at == "CommitSnapshot":
            if (state.fence, state.version) != (own.order, own.base):
                return ": refused", state, None
            version = state.version + (own.merged != state.content)
            return "", state._replace(version=version, content=own.merged), own._replace(at="SettleChanges")
        parts = self.settle_parts(own)
        what, after = self.settled(state, own, parts[own.part])
        then = own._replace(part=own.part + 1) if own.part + 1 < len(parts) else None
        return f": {what}", after, then

    def settle_parts(self, own: Round) -> list[tuple[str, int]]:
        runs = [("complete", index) for index in sorted(own.merged)]
        aside = ("fail", "put") if Guard.QUARANTINED_AT_ONCE in self.without else ("refuse",)
        runs += [(what, index) for index in sorted(own.refused) for what in aside]
        pending = [("settle", 0)]
        return pending + runs if Guard.PENDING_LAST in self.without else runs + pending

    def settled(self, state: State, own: Round, part: tuple[str, int]) -> tuple[str, State]:
        what, index = part
        if what == "settle":
            return "clears the pending receipt", state._replace(token=0) if state.token == own.token else state
        run = state.runs[index]
        has_say = run.order < own.order or Guard.ROUND_ORDER in self.without
        is_newest = run.put < own.order or Guard.ROUND_ORDER in self.without
        name = f"run {index + 1}"
        if what == "put":
            may = is_newest and (run.state, run.order) == (FAILED, own.order)
            return f"quarantines {name}", state.with_run(index, here=True, put=own.order) if may else state
        if not has_say or (what == "refuse" and not is_newest):
            return f"has no say in {name} any more", state
        if what == "complete" and run.dropped and run.state == FAILED and Guard.DROPPED_STAYS not in self.without:
            return f"finds {name} given up", state
        if what == "complete":
            return f"completes {name}", state.with_run(index, state=COMPLETED, order=own.order, dropped=False)
        failed = state.with_run(index, state=FAILED, order=own.order)
        if what == "refuse":
            return f"fails and quarantines {name}", failed.with_run(index, here=True, put=own.order)
        return f"fails {name}", failed

    def operated(self, state: State, own: Operator) -> tuple[str, State]:
        """The next write of an operator."""
        then = state._replace(operator=own._replace(part=own.part + 1))
        run, name = state.runs[own.run], f"run {own.run + 1}"
        if own.does == "retry":
            if own.part == 0:
                reset = then.with_run(own.run, state=PENDING) if run.state == FAILED else then
                return f"the operator resets {name}", reset
            if own.part == 1:
                return "the operator marks its receipt", then if Guard.RETRY_MARKS in self.without else then.marked()
            same = run.put == own.seen or Guard.RETRY_OF_WHAT_WAS_SEEN in self.without
            over = state._replace(operator=None)
            return f"the operator lets {name} out", over.with_run(own.run, here=False) if same else over
        if own.part == 0:
            after = then if run.state == COMPLETED else then.with_run(own.run, state=FAILED, dropped=True)
            return f"the operator fails {name}", after
        if own.part == 1:
            return "the operator marks its receipt", then if Guard.DROP_MARKS in self.without else then.marked()
        return f"the operator takes {name} out", state._replace(operator=None).with_run(own.run, here=False)

    def broken(self, before: State, after: State) -> Law | None:
        """What a person decided is not undone by a round that had its say before."""
        for was, now in zip(before.runs, after.runs, strict=False):
            if now.here and not was.here and (now.put <= was.put or now.put < was.order):
                return Law.NO_CHANGE_LOST
        return Law.VERSIONS_ONLY_GROW if after.version < before.version else None

    def unhealed(self, state: State) -> Law | None:
        """A receipt that is not pending: its good runs are published, the others wait with a reason or were dropped."""
        if state.late or state.operator is not None:
            return None
        for _ in range(2):
            own: Round | None = Round(state.fence + 1)
            state = state._replace(fence=state.fence + 1)
            while own is not None:
                _, state, own = self.rounds(state, own)
        if state.token:
            return Law.CRASH_LEAVES_GARBAGE_ONLY
        for index, run in enumerate(state.runs):
            if run.here:
                continue  # a person sees it, and marks the receipt with what he decides
            if run.state != COMPLETED and not run.dropped:
                return Law.NO_CHANGE_LOST
            if (run.state == COMPLETED) != (index in state.content):
                return Law.ROWS_CONSERVED
        return None


def _bounds(title: str, is_small: bool = False, **left: object) -> Bounds:
    return Bounds(title, Quarantining(Left(**left)), is_small)  # type: ignore[arg-type]


WHOLE = (
    _bounds("a bad run and a good one, a stop", True, announced=(True, False), rounds=3, stops=1),
    _bounds("a bad run, a mend, a retry, a stop", True, announced=(True,), rounds=3, stops=1, mends=1, retries=1),
    _bounds(
        "a bad run, two retries, a drop, a stop", announced=(True,), rounds=3, stops=1, mends=1, retries=2, drops=1
    ),
    _bounds("a bad run, a retry, a drop, two stops", announced=(True,), rounds=3, stops=2, mends=1, retries=1, drops=1),
    _bounds(
        "a bad run and a good one, a retry, a drop, a hang",
        announced=(True, False),
        rounds=3,
        hangs=1,
        mends=1,
        retries=1,
        drops=1,
    ),
)


def _without(guard: Guard, law: Law, is_small: bool = True, **left: object) -> LeftOut:
    return LeftOut(guard, Quarantining(Left(**left), frozenset([guard])), law, is_small)  # type: ignore[arg-type]


_ONE: dict[str, object] = {"announced": (True,), "rounds": 3, "stops": 1, "mends": 1, "retries": 1}
_TWO: dict[str, object] = {"announced": (True, False), "rounds": 3, "stops": 1}
LOST, ROWS = Law.NO_CHANGE_LOST, Law.ROWS_CONSERVED
WITHOUT = (
    _without(Guard.ROUND_ORDER, LOST, **_ONE),
    _without(Guard.FAILED_LEFT_OUT, ROWS, **_ONE, drops=1),
    _without(Guard.QUARANTINED_AT_ONCE, LOST, **_TWO),
    _without(Guard.PENDING_LAST, LOST, **_TWO),
    _without(Guard.RETRY_MARKS, LOST, **_ONE),
    _without(Guard.RETRY_OF_WHAT_WAS_SEEN, LOST, **_ONE),
    _without(Guard.DROPPED_STAYS, ROWS, **_ONE, drops=1),
    _without(Guard.DROP_MARKS, ROWS, **_ONE, drops=1),
)

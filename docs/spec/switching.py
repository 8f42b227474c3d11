"""Switching: which of two generations serves, SERVING that shows it, and leaving the other one.

Each generation has a HEAD of its own; here only that readers can open what it publishes as long as it is kept up. The
switch is an execution under the collection's lease: PrepareSwitch, CommitSwitch, SwapServing. `finish` leaves the
generation that does not serve, without the lease. SwapCommitted, of a later execution, shows a switch that nobody
showed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from explore import Bounds, Law
from explore import Without as LeftOut

ONE, TWO, BOTH = "words", "words-2", ("words", "words-2")


class Guard(StrEnum):
    """Where each one stands: a state or a file, and the text there."""

    SWITCH_MINE = "CommitSwitch | holder = :me AND fence = :fence"
    SWITCH_ACTIVE = "CommitSwitch | active = :active"
    FINISH_SERVES = "stream_package/receipt_dynamo_stream/control/generations.py | (serving = :keep{or_first})"
    SERVING_FORWARD = "chroma_package/receipt_chroma/snapshot/serving.py | there.order >= self.order"
    SHOWN_FIRST = 'IsProjected | "$.lease.head.serving_unseen"'
    ORDER_GROWS = "chroma_package/receipt_chroma/switching.py | now.order + 1"


class Own(NamedTuple):
    """An execution of mode switch, or of a publication that only looks whether all is shown."""

    mode: str  # the generation that it switches to, or compact
    at: str = "AcquireLease"
    fence: int = 0
    active: tuple[str, ...] = ()
    shows: tuple[int, str] = (0, "")  # the order of the switch, and what will serve
    stopped: bool = False


class State(NamedTuple):
    holder: int = -1
    fence: int = 0
    active: tuple[str, ...] = BOTH
    serving: str = ONE
    order: int = 0
    by: int = 0  # the fence of the last switch
    unseen: bool = False
    shown: tuple[int, str] = (0, ONE)  # SERVING, as readers see it
    executions: tuple[Own, ...] = ()
    late: tuple[tuple[int, Own], ...] = ()
    stops: int = 0
    hangs: int = 0
    finishes: int = 0
    finishing: str = ""

    def put(self, index: int, own: Own) -> State:
        return self._replace(executions=(*self.executions[:index], own, *self.executions[index + 1 :]))


@dataclass(frozen=True)
class Switching:
    """modes: of the executions that there are. stops, hangs, finishes: how many there may be."""

    modes: tuple[str, ...]
    stops: int = 0
    hangs: int = 0
    finishes: int = 0
    without: frozenset[StrEnum] = field(default=frozenset())

    def first(self) -> State:
        executions = tuple(Own(mode) for mode in self.modes)
        return State(executions=executions, stops=self.stops, hangs=self.hangs, finishes=self.finishes)

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        if state.finishes and not state.finishing:
            looked = state._replace(finishes=state.finishes - 1, finishing=state.serving)
            yield f"`renew --finish` reads that {state.serving} serves", looked
        if state.finishing:
            over = state._replace(finishing="")
            if state.serving == state.finishing or Guard.FINISH_SERVES in self.without:
                yield f"`renew --finish` keeps {state.finishing} alone", over._replace(active=(state.finishing,))
            else:
                yield "`renew --finish` is refused", over
        for index, own in enumerate(state.executions):
            if own.stopped or own.at == "Finished":
                continue
            name = f"{'switch to ' if own.mode != 'compact' else ''}{own.mode} [{index + 1}]"
            what, after, then = self.step(state, index, own)
            yield f"{own.at} of {name}{what}", after.put(index, then)
            late = (*state.late, (index, own))
            if state.stops:
                gone = state._replace(stops=state.stops - 1).put(index, own._replace(stopped=True))
                yield f"stop of {name} before {own.at}", gone
                yield f"stop of {name} in {own.at}, which goes on late", gone._replace(late=late)
            if state.hangs:
                yield f"{own.at} of {name} hangs and is tried again", state._replace(hangs=state.hangs - 1, late=late)
        for number, (index, own) in enumerate(state.late):
            rest = state._replace(late=state.late[:number] + state.late[number + 1 :])
            what, after, then = self.step(rest, index, own)
            if then.at == own.at:  # one function, between its reading and its writing
                after = after._replace(late=(*after.late, (index, then)))
            yield f"{own.at} of {own.mode} [{index + 1}], late{what}", after

    def step(self, state: State, index: int, own: Own) -> tuple[str, State, Own]:
        over = Own(own.mode, "Finished")
        mine = (state.holder, state.fence) == (index, own.fence)
        if own.at == "AcquireLease":
            if state.holder not in (-1, index) and not state.executions[state.holder].stopped:
                return ": held", state, own
            state = state._replace(holder=index, fence=state.fence + 1)
            shows = state.unseen and Guard.SHOWN_FIRST not in self.without
            then = "SwapCommitted" if shows else self.work(own)
            return "", state, own._replace(fence=state.fence, at=then)
        if own.at == "PrepareSwitch":
            if own.mode not in state.active or own.mode == state.serving:
                return ": nothing to switch", state, own._replace(at="ReleaseLease")
            order = state.order + (Guard.ORDER_GROWS not in self.without)
            return "", state, own._replace(at="CommitSwitch", active=state.active, shows=(order, own.mode))
        if own.at == "CommitSwitch":
            may = (mine or Guard.SWITCH_MINE in self.without) and state.order <= own.shows[0]
            if not may or (state.active != own.active and Guard.SWITCH_ACTIVE not in self.without):
                return ": refused", state, over
            order, serving = own.shows
            after = state._replace(order=order, serving=serving, unseen=True, by=own.fence)
            return "", after, own._replace(at="SwapServing", shows=(0, ""))
        if own.at in ("SwapServing", "SwapCommitted"):
            if own.shows == (0, ""):
                if not mine:
                    return ": no longer holds the lease", state, over
                return " reads HEAD", state, own._replace(shows=(state.order, state.serving))
            forward = own.shows[0] > state.shown[0] or Guard.SERVING_FORWARD in self.without
            state = state._replace(
                shown=own.shows if forward else state.shown, unseen=state.unseen and state.order != own.shows[0]
            )
            then = "ReleaseLease" if own.at == "SwapServing" else self.work(own)
            return " writes SERVING", state, own._replace(at=then, shows=(0, ""))
        return "", state._replace(holder=-1) if mine else state, over

    @staticmethod
    def work(own: Own) -> str:
        return "PrepareSwitch" if own.mode != "compact" else "ReleaseLease"

    def broken(self, before: State, after: State) -> Law | None:
        if after.order < before.order or after.shown[0] < before.shown[0]:
            return Law.VERSIONS_ONLY_GROW
        if after.by != before.by and after.by < before.fence:
            return Law.FENCED_NEVER_PUBLISHES
        if after.serving != before.serving and after.order == before.order:
            return Law.READERS_NEVER_MIX  # two switches of one order: readers could not tell them apart
        if after.shown != before.shown and after.shown[0] == before.shown[0]:
            return Law.READERS_NEVER_MIX
        return None if after.serving in after.active else Law.NO_CHANGE_LOST

    def unhealed(self, state: State) -> Law | None:
        """Another execution of the collection, which is stopped nowhere, shows what serves."""
        alone = state._replace(holder=-1, executions=(Own("compact"),), late=())
        while alone.executions[0].at != "Finished":
            _, after, then = self.step(alone, 0, alone.executions[0])
            alone = after.put(0, then)
        return None if alone.shown == (alone.order, alone.serving) else Law.CRASH_LEAVES_GARBAGE_ONLY


def _bounds(title: str, *modes: str, is_small: bool = False, **left: int) -> Bounds:
    return Bounds(title, Switching(modes, **left), is_small)


def _without(guard: Guard, law: Law, *modes: str, **left: int) -> LeftOut:
    return LeftOut(guard, Switching(modes, **left, without=frozenset([guard])), law)


WHOLE = (
    _bounds("a switch, a finish, a stop", TWO, finishes=1, stops=1, is_small=True),
    _bounds("a switch and back, a publication, two stops", TWO, ONE, "compact", stops=2),
    _bounds("a switch and back, a finish, an attempt that hangs, a stop", TWO, ONE, finishes=1, hangs=1, stops=1),
)
WITHOUT = (
    _without(Guard.SWITCH_MINE, Law.FENCED_NEVER_PUBLISHES, TWO, ONE, stops=1),
    _without(Guard.SWITCH_ACTIVE, Law.NO_CHANGE_LOST, TWO, finishes=1),
    _without(Guard.FINISH_SERVES, Law.NO_CHANGE_LOST, TWO, finishes=1),
    _without(Guard.SERVING_FORWARD, Law.VERSIONS_ONLY_GROW, TWO, ONE, stops=1),
    _without(Guard.SHOWN_FIRST, Law.CRASH_LEAVES_GARBAGE_ONLY, TWO, stops=1),
    _without(Guard.ORDER_GROWS, Law.READERS_NEVER_MIX, TWO),
)

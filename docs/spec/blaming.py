"""Blaming: whose runs are set aside when merges fail, while outages come and go.

A round fails in an outage, or because one of its runs kills whoever merges it (`BAD`). Outages are named (the error is
a service's), early (a process is killed before it left evidence) or inside (after it). Of the last kind there are few:
each counts against a receipt once, which is what the number of counted failures is for. Once every outage is over,
rounds alone must publish all that is good and set aside all that is bad. What is set aside is not tried again here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from explore import Bounds, Law
from explore import Without as LeftOut

GOOD, BAD = "good", "bad"
NEW, MERGED, SET_ASIDE = "new", "merged", "set aside"
ALL, SUSPECTS, ALONE, ONE_RUN, WITHOUT_NEW = "all", "suspects", "alone", "one run", "without its new runs"
NAMED, EARLY, INSIDE = "named", "early", "inside"


ROUND = "stream_package/receipt_dynamo_stream/round"
PENDING = "stream_package/receipt_dynamo_stream/control/pending.py"


class Guard(StrEnum):
    """Where each one stands: a file, and the text there."""

    HALVES = f"{ROUND}/blame.py | half = (len(suspects) + 1) // 2"
    NOBODYS = f"{ROUND}/blame.py | if is_nobodys(error):"
    COUNTED = f"{ROUND}/blame.py | COUNTED_FAILURES: Final = 3"
    EVIDENCE = f"{PENDING} | begun = :plan AND"
    CONTRAST = f"{PENDING} | self.failed_base is None or self.failed_base <"
    CONTROL = f"{ROUND}/choosing.py | return Choice((suspects[0],), WITHOUT, more=True)"
    OLDEST_RUN = f"{ROUND}/choosing.py | left_out, trial = new[1:], ONE_RUN"
    NEVER_MERGED = f"{ROUND}/choosing.py | not in (names.COMPLETED, names.FAILED)"


class Item(NamedTuple):
    """A pending receipt. `failed_by`: in which order they failed last, 0 for never; `contrasted`: since then other work
    succeeded."""

    together: int = 0
    failed_by: int = 0
    contrasted: bool = True
    attempts: int = 0


class State(NamedTuple):
    items: tuple[Item | None, ...]
    runs: tuple[tuple[str, ...], ...]
    announced: int = 0
    edits: int = 0
    outage: str = ""
    inside: int = 0


class Round(NamedTuple):
    """Who is in it, what it tries, and which runs of each it merges."""

    receipts: tuple[int, ...]
    trial: str
    runs: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Blaming:
    """What the runs of each receipt do, oldest first; how many outages kill inside, and how many edits there are."""

    receipts: tuple[tuple[str, ...], ...]
    inside: int = 2
    edits: int = 0
    without: frozenset[StrEnum] = field(default=frozenset())

    def first(self) -> State:
        return State((None,) * len(self.receipts), tuple((NEW,) * len(runs) for runs in self.receipts))

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        if state.announced < len(self.receipts):
            items = put(state.items, state.announced, Item())
            yield f"receipt {state.announced} is announced", state._replace(items=items, announced=state.announced + 1)
        for receipt, runs in enumerate(state.runs):
            if state.edits < self.edits and state.items[receipt] is None and set(runs) == {MERGED}:
                items = put(state.items, receipt, Item())
                yield f"an edit of receipt {receipt}", state._replace(items=items, edits=state.edits + 1)
        if state.outage:
            yield "the outage ends", state._replace(outage="")
        else:
            for kind in (NAMED, EARLY, *([INSIDE] if state.inside < self.inside else [])):
                inside = state.inside + (kind == INSIDE)
                yield f"an outage begins ({kind})", state._replace(outage=kind, inside=inside)
        if (chosen := self.choose(state)) is None:
            return
        who = f"{chosen.trial}: {chosen.receipts}"
        if self.fails(state, chosen):
            yield f"BlameReceipts of {who}", self.blamed(state, chosen)
            return
        settled = self.settled(state, chosen)
        yield f"SettleChanges of {who}", settled
        if chosen.trial in (SUSPECTS, ALONE):  # from the third success in a row on
            yield f"SettleChanges of {who}, and groups grow", settled._replace(items=eased(settled.items))

    def choose(self, state: State) -> Round | None:
        waiting = [(number, item) for number, item in enumerate(state.items) if item]
        if not waiting:
            return None
        if fresh := [number for number, item in waiting if not item.together]:
            return self.tried(state, fresh, ALL)
        suspects = sorted(waiting, key=lambda one: (-one[1].together, one[1].failed_by))
        largest = suspects[0][1].together
        group = [number for number, item in suspects if item.together == largest][:largest]
        if len(group) > 1:
            return self.tried(state, group, SUSPECTS)
        may_count = [one for one in suspects if one[1].contrasted or Guard.CONTRAST in self.without]
        contrasted = sorted(may_count, key=lambda one: one[1].attempts)
        if largest > 1 or not contrasted:
            trial = ALONE if largest > 1 or Guard.CONTROL in self.without else WITHOUT_NEW
            return self.tried(state, group, trial)
        return self.tried(state, [contrasted[0][0]], ALONE)

    def tried(self, state: State, receipts: list[int], trial: str) -> Round:
        runs = [[at for at, run in enumerate(state.runs[one]) if run != SET_ASIDE] for one in receipts]
        if trial in (ALONE, WITHOUT_NEW):
            new = [at for at in runs[0] if state.runs[receipts[0]][at] == NEW]
            if trial == WITHOUT_NEW and new:
                runs[0] = [at for at in runs[0] if at not in new]
            elif len(new) > 1 and Guard.OLDEST_RUN not in self.without:
                runs[0] = [at for at in runs[0] if at not in new[1:]]
                trial = ONE_RUN
            else:
                trial = ALONE
        return Round(tuple(receipts), trial, tuple(map(tuple, runs)))

    def fails(self, state: State, tried: Round) -> bool:
        kills = any(self.receipts[one][at] == BAD for one, runs in zip(*tried[::2], strict=True) for at in runs)
        return bool(state.outage) or kills

    def blamed(self, state: State, tried: Round) -> State:
        if state.outage == NAMED and Guard.NOBODYS not in self.without:
            return state
        order = 1 + max(item.failed_by for item in state.items if item)
        first = tried.receipts[0]
        item = state.items[first]
        assert item is not None
        if tried.trial in (ALONE, ONE_RUN):
            evidence = state.outage != EARLY or Guard.EVIDENCE in self.without
            if evidence and (item.contrasted or Guard.CONTRAST in self.without):
                item = Item(1, order, contrasted=False, attempts=item.attempts + 1)
                if item.attempts >= (2 if Guard.COUNTED in self.without else 3):
                    return self.set_aside(state, first, tried.runs[0])
                return state._replace(items=ranked(put(state.items, first, item)))
        if tried.trial == WITHOUT_NEW:
            return state._replace(items=ranked(put(state.items, first, item._replace(failed_by=order))))
        number, items = len(tried.receipts), state.items
        together = number if Guard.HALVES in self.without else (number + 1) // 2
        for one in tried.receipts:
            attempts = (items[one] or item).attempts
            items = put(items, one, Item(together, order, contrasted=False, attempts=attempts))
        return state._replace(items=ranked(items))

    def set_aside(self, state: State, receipt: int, planned: tuple[int, ...]) -> State:
        """The new runs that were in the plan, and the receipt is as one that never failed."""
        blamed = (NEW, MERGED) if Guard.NEVER_MERGED in self.without else (NEW,)
        runs = tuple(
            SET_ASIDE if at in planned and run in blamed else run for at, run in enumerate(state.runs[receipt])
        )
        refused = runs != state.runs[receipt]
        items = put(state.items, receipt, Item()) if refused else state.items
        return state._replace(items=ranked(items), runs=put(state.runs, receipt, runs))

    def settled(self, state: State, tried: Round) -> State:
        if tried.trial == WITHOUT_NEW:
            (one,) = tried.receipts
            item = state.items[one]
            assert item is not None
            return state._replace(items=put(state.items, one, item._replace(contrasted=True)))
        items, all_runs = state.items, state.runs
        for one, planned in zip(*tried[::2], strict=True):
            runs = tuple(MERGED if at in planned else run for at, run in enumerate(all_runs[one]))
            all_runs = put(all_runs, one, runs)
            items = put(items, one, Item(1, (items[one] or Item()).failed_by) if tried.trial == ONE_RUN else None)
        if any(tried.runs):  # a version: what failed before it has a contrast
            items = tuple(item and item._replace(contrasted=True) for item in items)
        return state._replace(items=ranked(items), runs=all_runs)

    def broken(self, before: State, after: State) -> Law | None:
        """What is published stays, and no good run waits for a person."""
        for does, was, now in zip(self.receipts, before.runs, after.runs, strict=True):
            for kind, old, new in zip(does, was, now, strict=True):
                if new == SET_ASIDE and old == MERGED:
                    return Law.ROWS_CONSERVED
                if new == SET_ASIDE and old == NEW and kind == GOOD and self.inside < 3:
                    return Law.NO_CHANGE_LOST
        return None

    def unhealed(self, state: State) -> Law | None:
        """Once the outages are over: what was announced and is good is merged, and what is bad is out of the way."""
        state = state._replace(outage="")
        for _ in range(12 * len(self.receipts)):
            if (chosen := self.choose(state)) is None:
                break
            state = (self.blamed if self.fails(state, chosen) else self.settled)(state, chosen)
        left = any(state.items) or any(
            run == NEW or (run == SET_ASIDE and kind == GOOD and self.inside < 3)
            for does, runs in zip(self.receipts[: state.announced], state.runs, strict=False)
            for kind, run in zip(does, runs, strict=True)
        )
        return Law.NO_CHANGE_LOST if left else None


def put(those: tuple[Any, ...], at: int, one: object) -> tuple[Any, ...]:
    return (*those[:at], one, *those[at + 1 :])


def ranked(items: tuple[Item | None, ...]) -> tuple[Item | None, ...]:
    """The same order of failures in the smallest numbers, so that there are finitely many states."""
    ranks = {order: rank for rank, order in enumerate(sorted({0, *(item.failed_by for item in items if item)}))}
    return tuple(item and item._replace(failed_by=ranks[item.failed_by]) for item in items)


def eased(items: tuple[Item | None, ...]) -> tuple[Item | None, ...]:
    newest = max((item.failed_by for item in items if item and item.together), default=0)
    return tuple(
        item._replace(together=min(2 * item.together, len(items)))
        if item and item.together and not item.attempts and item.failed_by < newest
        else item
        for item in items
    )


ONE_BAD = ((BAD,), (GOOD,), (GOOD,))


def _without(guard: Guard, law: Law, receipts: tuple[tuple[str, ...], ...] = ONE_BAD, **more: int) -> LeftOut:
    return LeftOut(guard, Blaming(receipts, without=frozenset([guard]), **more), law)


WHOLE = (
    Bounds("a bad receipt among three, two outages that kill inside, others at will", Blaming(ONE_BAD), is_small=True),
    Bounds("a bad run with a good one after it, and a good receipt", Blaming(((BAD, GOOD), (GOOD,))), is_small=True),
    Bounds("published receipts, four edits, four such outages", Blaming(((GOOD,), (GOOD,)), 4, 4), is_small=True),
    Bounds("two bad ones among four", Blaming(((BAD,), (GOOD,), (BAD,), (GOOD,)))),
)
WITHOUT = (
    _without(Guard.HALVES, Law.NO_CHANGE_LOST),
    _without(Guard.NOBODYS, Law.NO_CHANGE_LOST),
    _without(Guard.COUNTED, Law.NO_CHANGE_LOST),
    _without(Guard.EVIDENCE, Law.NO_CHANGE_LOST),
    _without(Guard.CONTRAST, Law.NO_CHANGE_LOST),
    _without(Guard.CONTROL, Law.NO_CHANGE_LOST, ((BAD,),)),
    _without(Guard.OLDEST_RUN, Law.NO_CHANGE_LOST, ((BAD, GOOD), (GOOD,))),
    _without(Guard.NEVER_MERGED, Law.ROWS_CONSERVED, ((GOOD,), (GOOD,)), inside=4, edits=4),
)

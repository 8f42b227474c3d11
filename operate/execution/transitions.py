"""How a state machine goes on: the edges between the states that are shown, which of them loop, and the main path."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from operate.execution.definition import BOOKKEEPING, State, Target


@dataclass(frozen=True)
class Transition:
    """An edge. `kind` and `label` are those of `Target`; `via` are the states left out between its ends."""

    source: str
    target: str
    kind: str
    label: str
    via: tuple[str, ...]


def transitions_between(known: Mapping[str, State], shown: Collection[str]) -> list[Transition]:
    """Every edge between two states that are shown, once; a loop from a state to itself is left out.

    A Choice or Pass that is not shown is contracted: the edges go through it. Any other state takes its edges with it.
    """
    found: dict[tuple[str, str], Transition] = {}
    for name in known:
        if name in shown:
            for transition in _from(known, shown, Transition(name, name, "", "", ())):
                if transition.target != name:
                    found.setdefault((transition.source, transition.target), transition)
    return list(found.values())


def _from(known: Mapping[str, State], shown: Collection[str], so_far: Transition) -> Iterator[Transition]:
    here = so_far.via[-1] if so_far.via else so_far.source
    for target in known[here].targets:
        if target.state in known and target.state not in so_far.via:
            transition = _further(so_far, target)
            if target.state in shown:
                yield transition
            elif known[target.state].kind in BOOKKEEPING:
                via = (*so_far.via, target.state)
                yield from _from(
                    known,
                    shown,
                    Transition(transition.source, transition.target, transition.kind, transition.label, via),
                )


def _further(so_far: Transition, target: Target) -> Transition:
    """One step on. Once a Catch, it stays one, since what comes next only sorts the errors out."""
    stays = so_far.kind == "catch" or (so_far.kind in ("choice", "default") and target.kind == "next")
    of = so_far if stays else target
    return Transition(so_far.source, target.state, of.kind, of.label, so_far.via)


def loops(known: Mapping[str, State], transitions: Collection[Transition]) -> frozenset[Transition]:
    """The edges that close a loop: they lead up the file, to a state that can lead down to them again."""
    place = {name: number for number, name in enumerate(known)}
    onward: dict[str, list[str]] = {}
    for transition in transitions:
        onward.setdefault(transition.source, []).append(transition.target)
    up = [transition for transition in transitions if place[transition.target] < place[transition.source]]
    return frozenset(transition for transition in up if transition.source in _reachable(transition.target, onward))


def _reachable(start: str, onward: Mapping[str, Collection[str]]) -> set[str]:
    found, waiting = {start}, [start]
    while waiting:
        for name in onward.get(waiting.pop(), ()):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found


def main_path(known: Mapping[str, State], start: str) -> list[str]:
    """The states from `start` to a good end when all goes well: no Catch, no loop, no Fail if there is another path.

    A Choice goes where most work is. What it only puts in front of its Default, and then goes on there, is a detour.
    """
    onward = _onward(known)
    best: dict[str, tuple[int, list[str]]] = {}
    waiting = [start]
    while waiting:
        name = waiting[-1]
        if todo := [target for target in onward[name] if target not in best]:
            waiting.extend(todo)
            continue
        waiting.pop()
        work, rest = max((best[target] for target in _not_detours(onward, name)), key=_work, default=(0, []))
        badly = known[name].kind == "fail" or work < 0
        best[name] = (-1 if badly else work + (known[name].kind not in BOOKKEEPING), [name, *rest])
    return best[start][1]


def _work(path: tuple[int, list[str]]) -> int:
    return path[0]


def _onward(known: Mapping[str, State]) -> dict[str, list[str]]:
    """Where each state leads without a Catch or a loop, the Default first; nowhere where the Default is a loop."""
    transitions = transitions_between(known, known)
    back = loops(known, transitions)
    around = {transition.source for transition in back if transition.kind == "default"}
    onward: dict[str, list[str]] = {name: [] for name in known}
    for transition in sorted(transitions, key=lambda transition: transition.kind != "default"):
        if transition not in back and transition.kind != "catch" and transition.source not in around:
            onward[transition.source].append(transition.target)
    return onward


def _not_detours(onward: Mapping[str, list[str]], name: str) -> list[str]:
    first, others = onward[name][:1], onward[name][1:]
    return first + [target for target in others if first[0] not in _reachable(target, onward)]

"""The picture of an execution: where the states lie, and what became of each. Values only, for a template to print."""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from operate.execution.definition import BOOKKEEPING, State, states
from operate.execution.layout import Edge, Graph, Node, Point, place
from operate.execution.steps import StateSummary, Step, Trace, summary
from operate.execution.transitions import main_path

__all__ = ["Edge", "Graph", "Node", "Painted", "PaintedEdge", "PaintedNode", "compact", "layout", "paint"]

NOT_REACHED = "not-reached"
"""The status of a state that was never entered; the others are `operate.execution.steps.STEP_STATUSES`."""
_CORNER = 5.0
_HEAD = 7.0
_WORDS = {
    "lambda": "Lambda",
    "dynamodb": "DynamoDB",
    "task": "service",
    "choice": "choice",
    "wait": "wait",
    "pass": "pass",
    "good": "success",
    "fail": "failure",
    "map": "map",
    "parallel": "parallel",
}


@dataclass(frozen=True)
class PaintedNode:
    """A node with what became of it. `step` is the step to look at, None when the state was never entered."""

    node: Node
    status: str
    badge: str
    title: str
    step: int | None


@dataclass(frozen=True)
class PaintedEdge:
    """An edge with how often it was taken. `line` and `head` are SVG paths: the way, and its arrow head."""

    edge: Edge
    taken: int
    line: str
    head: str
    title: str


@dataclass(frozen=True)
class Painted:
    """What the template prints: groups behind edges behind nodes."""

    width: float
    height: float
    groups: tuple[PaintedNode, ...]
    edges: tuple[PaintedEdge, ...]
    nodes: tuple[PaintedNode, ...]


def layout(definition: Mapping[str, Any], only: Collection[str] | None = None) -> Graph:
    """Where every state goes, or where those of `only` go. The same arguments are laid out once.

    A Choice or Pass outside `only` is contracted, so that the edges go through it; other states go with their edges.
    """
    return _layout(json.dumps(definition), None if only is None else frozenset(only))


@lru_cache(maxsize=64)
def _layout(definition: str, only: frozenset[str] | None) -> Graph:
    asl = json.loads(definition)
    known = states(asl)
    return place(known, asl["StartAt"], frozenset(known) if only is None else only & frozenset(known))


def compact(definition: Mapping[str, Any], trace: Trace) -> frozenset[str]:
    """The states for `layout` to show a person first: the work that was done, without Choice and Pass.

    While it runs, and when it came to no good end, also the main way on from where it is.
    """
    known = states(definition)
    entered = [step.state for step in trace.steps if step.state in known]
    shown = frozenset(name for name in entered if known[name].kind not in BOOKKEEPING)
    if trace.status != "succeeded":
        here = next((step.state for step in reversed(trace.steps) if step.parent is None), definition["StartAt"])
        shown |= _inside(known, main_path(known, here) if here in known else [])
    return shown or frozenset(entered)


def _inside(known: Mapping[str, State], names: Collection[str]) -> frozenset[str]:
    """These states and those inside them, without Choice and Pass."""
    found = set(names)
    for state in known.values():  # in file order: a group comes before what is in it
        if state.parent in found:
            found.add(state.name)
    return frozenset(name for name in found if known[name].kind not in BOOKKEEPING)


def paint(graph: Graph, trace: Trace) -> Painted:
    """What became of every node and edge of a picture."""
    by_state = summary(trace)
    taken = _taken(trace, frozenset(node.state for node in graph.nodes))
    nodes = [_paint_node(node, by_state.get(node.state)) for node in graph.nodes]
    return Painted(
        width=graph.width,
        height=graph.height,
        groups=tuple(painted for painted in nodes if painted.node.group),
        edges=tuple(_paint_edge(edge, taken[edge.source, edge.target]) for edge in graph.edges),
        nodes=tuple(painted for painted in nodes if not painted.node.group),
    )


def _taken(trace: Trace, shown: frozenset[str]) -> Counter[tuple[str, str]]:
    """How often each edge of the picture was taken: what it leaves out is stepped over."""
    by_id = {step.id: step for step in trace.steps}
    pairs: Counter[tuple[str, str]] = Counter()
    for step in trace.steps:
        source = next((each for each in _before(step, by_id) if each.state in shown), None)
        if source is not None and step.state in shown:
            pairs[source.state, step.state] += 1
    return pairs


def _before(step: Step, by_id: Mapping[int, Step]) -> Iterator[Step]:
    while step.after is not None and step.after in by_id:
        step = by_id[step.after]
        yield step


def _paint_node(node: Node, found: StateSummary | None) -> PaintedNode:
    status = found.status if found else NOT_REACHED
    badge = _badge(found) if found else ""
    facts = [status.replace("-", " "), *([badge] if badge else []), *([f"{found.seconds:.1f} s"] if found else [])]
    title = f"{node.state} ({_WORDS.get(node.kind, node.kind)}): {', '.join(facts)}. {node.comment}".rstrip()
    return PaintedNode(node, status, badge, title, found.last if found else None)


def _badge(found: StateSummary) -> str:
    """What a glance should see of a state besides its status."""
    words = []
    if found.total is not None:
        words.append(f"{found.done} of {found.total}")
    if found.count > 1:
        words.append(f"×{found.count}")
    if found.retries:
        words.append("1 retry" if found.retries == 1 else f"{found.retries} retries")
    return " · ".join(words)


def _paint_edge(edge: Edge, taken: int) -> PaintedEdge:
    way = " → ".join((edge.source, *edge.via, edge.target))
    label = f" on {edge.label}" if edge.kind == "catch" else f" ({edge.label})" if edge.label else ""
    times = {0: "", 1: ": taken"}.get(taken, f": taken {taken} times")
    return PaintedEdge(edge, taken, _line(edge.points), _head(edge.points), f"{way}{label}{times}")


def _line(points: tuple[Point, ...]) -> str:
    """A path through the points with round corners."""
    start, *rest = points
    parts = [f"M{_pair(start)}"]
    for before, corner, after in zip(points, rest, rest[1:], strict=False):
        parts.append(f"L{_pair(_towards(corner, before))}Q{_pair(corner)} {_pair(_towards(corner, after))}")
    parts.append(f"L{_pair(points[-1])}")
    return "".join(parts)


def _towards(corner: Point, other: Point) -> Point:
    """Where the line bends: a little before the corner, or half way for a short one."""
    length = max(abs(other[0] - corner[0]), abs(other[1] - corner[1]))
    share = min(_CORNER, length / 2) / length if length else 0.0
    return corner[0] + (other[0] - corner[0]) * share, corner[1] + (other[1] - corner[1]) * share


def _head(points: tuple[Point, ...]) -> str:
    """A triangle whose tip is the last point, in the direction of the last stretch."""
    (x, y), tip = next((point for point in reversed(points) if point != points[-1]), points[0]), points[-1]
    length = ((tip[0] - x) ** 2 + (tip[1] - y) ** 2) ** 0.5 or 1.0
    along = ((tip[0] - x) / length * _HEAD, (tip[1] - y) / length * _HEAD)
    foot = (tip[0] - along[0], tip[1] - along[1])
    side = (along[1] / 2, -along[0] / 2)
    return (
        f"M{_pair(tip)}L{_pair((foot[0] + side[0], foot[1] + side[1]))}"
        f"L{_pair((foot[0] - side[0], foot[1] - side[1]))}Z"
    )


def _pair(point: Point) -> str:
    return f"{point[0]:.1f} {point[1]:.1f}"

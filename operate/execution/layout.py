"""Where the states of a state machine go in a picture, from its definition alone. The one module that knows graphlay.

The engine is a layered one (Sugiyama) with orthogonal edges; what makes its picture one of a state machine is done
here: loops are laid out against their direction, so that the file's order goes down and they run up beside it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import graphlay

from operate.execution.definition import State
from operate.execution.transitions import Transition, loops, main_path, transitions_between

Point = tuple[float, float]

HEIGHT = 30.0
_LABEL_CHARACTERS = 34
_ROOM = 52.0  # for the sign of the kind on the left, and as much on the right
_HEADER = 26.0
_AIR = 4.0  # that the engine is told of on either side of a node, and that is not drawn
_CHARACTER = {**dict.fromkeys("ijl.,:;'|!", 3.8), **dict.fromkeys("frtI-()[] ", 5.2), **dict.fromkeys("mwMW@%", 12.0)}
_OPTIONS = {
    "compaction": {"mode": "priority"},
    "spacing": {
        "layer_gap": 30.0,
        "node_gap": 12.0,
        "dummy_gap": 12.0,
        "port_gap": 8.0,
        "port_stroke_clear": 6.0,
        "stub": 8.0,
        "compound_padding": 14.0,
        "compound_header": _HEADER,
    },
}
_WEIGHTS = {"next": 4.0, "default": 3.0, "choice": 1.0, "catch": 0.5}
_MAIN = 10.0
_MARGIN = 16.0


@dataclass(frozen=True)
class Node:
    """One state in the picture: x and y are its upper left corner.

    `parent` is the Map or Parallel it lies in; a `group` is a box around others.
    """

    state: str
    kind: str
    label: str
    comment: str
    x: float
    y: float
    width: float
    height: float
    parent: str | None
    group: bool


@dataclass(frozen=True)
class Edge:
    """One way from a state to another: `points` from border to border. `back` runs up, as a loop does.

    `kind` is next, choice, default or catch. `label` is `else` or the errors caught; `via` are the states that the
    picture leaves out on this way.
    """

    source: str
    target: str
    kind: str
    label: str
    via: tuple[str, ...]
    back: bool
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Graph:
    """A picture of `width` by `height` pixels, groups before the nodes inside them."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    width: float
    height: float


def place(known: Mapping[str, State], start: str, shown: frozenset[str]) -> Graph:
    """The picture of these states and of the Maps around them, with the edges of `transitions_between`."""
    shown = shown | {state.parent for name in shown for state in _outwards(known, name) if state.parent}
    transitions = transitions_between(known, shown)
    back = loops(known, transitions)
    main = main_path(known, start)
    request = graphlay.Graph()
    drawn = [state for state in known.values() if state.name in shown]
    numbers = {state.name: number for number, state in enumerate(drawn)}
    for state in drawn:
        inside: dict[str, Any] = {"parent": numbers[state.parent]} if state.parent else {}
        request.node(state.name, width=_width(label(state.name)) + 2 * _AIR, height=HEIGHT, **inside)
    for transition in transitions:
        ends = (transition.target, transition.source) if transition in back else (transition.source, transition.target)
        straight = transition.source in main and transition.target in main
        request.edge(*ends, weight=0.5 if transition in back else _MAIN if straight else _WEIGHTS[transition.kind])
    placed = graphlay.layout(request, preset="process_map", options=_OPTIONS) if drawn else None
    if placed is None:
        return Graph((), (), 0.0, 0.0)
    left, top = (placed.bounds["min"][axis] - _MARGIN for axis in ("x", "y"))
    around = {state.parent for state in drawn}
    nodes = [_node(state, raw, left, top, around) for state, raw in zip(drawn, placed.nodes, strict=True)]
    boxes = {node.state: node for node in nodes}
    edges = [
        _edge(transition, transition in back, [(point["x"] - left, point["y"] - top) for point in raw["points"]], boxes)
        for transition, raw in zip(transitions, placed.edges, strict=True)
    ]
    right, bottom = (placed.bounds["max"][axis] + _MARGIN for axis in ("x", "y"))
    return Graph(tuple(nodes), tuple(edges), right - left, bottom - top)


def label(name: str) -> str:
    """What fits a node: a name of up to 34 characters, the beginning of a longer one."""
    return name if len(name) <= _LABEL_CHARACTERS else f"{name[: _LABEL_CHARACTERS - 1]}…"


def _width(text: str) -> float:
    """Of a node with this text, at 13 pixels of a wide sans-serif type."""
    return _ROOM + sum(_CHARACTER.get(character, 9.2 if character.isupper() else 8.0) for character in text)


def _outwards(known: Mapping[str, State], name: str | None) -> Iterator[State]:
    while name is not None:
        yield known[name]
        name = known[name].parent


def _node(state: State, raw: Mapping[str, Any], left: float, top: float, around: set[str | None]) -> Node:
    group = state.name in around
    width, height = raw["size"]["width"] - (0 if group else 2 * _AIR), raw["size"]["height"]
    x, y = raw["center"]["x"] - width / 2 - left, raw["center"]["y"] - height / 2 - top
    return Node(
        state.name, state.kind, label(state.name), state.comment, x, y, width, height, state.parent, group=group
    )


def _edge(transition: Transition, back: bool, points: list[Point], boxes: Mapping[str, Node]) -> Edge:
    points = list(reversed(points)) if back else points
    points = _outside(points, boxes[transition.source])
    points = list(reversed(_outside(list(reversed(points)), boxes[transition.target])))
    return Edge(
        transition.source, transition.target, transition.kind, transition.label, transition.via, back, tuple(points)
    )


def _outside(points: list[Point], box: Node) -> list[Point]:
    """The line from where it leaves the box: the engine lets edges of a group begin at its header."""
    if not box.group:
        return points
    for number in range(len(points) - 1):
        if not _in(points[number + 1], box):
            return [_crossing(points[number], points[number + 1], box), *points[number + 1 :]]
    return points


def _in(point: Point, box: Node) -> bool:
    return box.x <= point[0] <= box.x + box.width and box.y <= point[1] <= box.y + box.height


def _crossing(inside: Point, outside: Point, box: Node) -> Point:
    """Where a horizontal or vertical line leaves the box."""
    return (
        min(max(outside[0], box.x), box.x + box.width) if inside[1] == outside[1] else inside[0],
        min(max(outside[1], box.y), box.y + box.height) if inside[0] == outside[0] else inside[1],
    )

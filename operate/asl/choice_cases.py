"""Inputs for a Choice: for each way in which a rule can hold one, one for none, and each with a variable missing or of
another type. What follows from an input is not said here.
"""

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from operate.asl.reading import PATH, NotThere, is_so, leaves

MISSING: Final = object()
Literal = tuple[Mapping[str, Any], bool]
"""A comparison, and whether it is to hold."""


def inputs_of(state: Mapping[str, Any], context: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """(what is special about it, the input), each input once."""
    seen: set[str] = set()
    for what, data in _inputs(state, context):
        text = json.dumps(data, sort_keys=True)
        if text not in seen:
            seen.add(text)
            yield what, data


def _inputs(state: Mapping[str, Any], context: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    choice = _Values(state, context)
    bases = [("no rule", choice.neutral)]
    for number, rule in enumerate(state["Choices"], 1):
        found = [made for way in _ways(rule, True) if (made := choice.for_which(way)) is not None]
        bases += [(f"rule {number}, way {one}", made) for one, made in enumerate(found, 1)][:1]
        yield from ((f"rule {number}, way {one}", _data(made)) for one, made in enumerate(found, 1))
    yield "no rule", _data(choice.neutral)
    for what, values in bases:
        for path, value in values.items():
            if value is not MISSING:
                yield f"{what}, without {path}", _data({**values, path: MISSING})
                yield f"{what}, {path} of another type", _data({**values, path: _other(value)})


class _Values:
    """Values for the variables of a Choice."""

    def __init__(self, state: Mapping[str, Any], context: Mapping[str, Any]) -> None:
        self._context = context
        self._leaves = [leaf for rule in state["Choices"] for leaf in leaves(rule)]
        self._pools: dict[str, list[Any]] = {}
        for leaf in self._leaves:
            for path, values in _candidates(leaf):
                pool = self._pools.setdefault(path, [])
                pool += [one for one in values if not any(one is each or _same(one, each) for each in pool)]
        self.neutral = {path: max(pool, key=lambda one: self._fails(path, one)) for path, pool in self._pools.items()}
        beside = [(leaf, False) for leaf in self._leaves if len(_paths(leaf)) > 1]
        self.neutral = self.for_which(beside) or self.neutral

    def for_which(self, way: list[Literal]) -> dict[str, Any] | None:
        """Values with which every comparison of the way comes out as it says; None: it contradicts itself. Variables
        that it does not name have what lets no rule hold."""
        paths = {path for leaf, _ in way for path in _paths(leaf)}
        pools = {}
        for path in sorted(paths):
            alone = [one for one in way if _paths(one[0]) == [path]]
            pools[path] = [one for one in self._pools[path] if self._all({path: one}, alone)]
        for values in itertools.product(*pools.values()):
            made = {**self.neutral, **dict(zip(pools, values, strict=True))}
            if self._all(made, way):
                return made
        return None

    def _all(self, values: Mapping[str, Any], way: list[Literal]) -> bool:
        try:
            return all(is_so(leaf, _data(values), self._context) is wanted for leaf, wanted in way)
        except NotThere:
            return False

    def _fails(self, path: str, value: Any) -> int:
        mine = [leaf for leaf in self._leaves if _paths(leaf) == [path]]
        return sum(self._all({path: value}, [(leaf, False)]) for leaf in mine)


def _ways(rule: Mapping[str, Any], wanted: bool) -> list[list[Literal]]:
    """The ways in which a rule comes out as wanted, each as comparisons that all do."""
    if "Not" in rule:
        return _ways(rule["Not"], not wanted)
    parts = rule.get("And") or rule.get("Or")
    if parts is None:
        return [[(rule, wanted)]]
    if ("And" in rule) is wanted:
        together = itertools.product(*(_ways(one, wanted) for one in parts))
        return [[literal for way in ways for literal in way] for ways in together]
    return [way for one in parts for way in _ways(one, wanted)]


def _candidates(leaf: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    (name,) = set(leaf) - {"Variable", "Next", "Comment"}
    value, path = leaf[name], leaf["Variable"]
    if name.endswith("Path"):
        alike = ["one", "other"] if name.startswith("String") else [1, 2]
        yield path, alike
        if not value.startswith("$$"):
            yield value, alike
    elif name == "IsPresent":
        yield path, [MISSING, "text"]
    elif name.startswith("Numeric"):
        yield path, [value - 1, value, value + 1]
    elif name == "BooleanEquals":
        yield path, [True, False]
    elif name == "StringMatches":
        yield path, [value.replace("*", "2"), "other"]
    elif name == "IsNumeric":
        yield path, [7, "text"]
    else:
        yield path, [value if name == "StringEquals" else "text", "other", 7]


def _paths(leaf: Mapping[str, Any]) -> list[str]:
    (name,) = set(leaf) - {"Variable", "Next", "Comment"}
    second = [leaf[name]] if name.endswith("Path") and not leaf[name].startswith("$$") else []
    return [leaf["Variable"], *second]


def _other(value: Any) -> Any:
    return 7 if isinstance(value, str) else "text"


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _data(values: Mapping[str, Any]) -> dict[str, Any]:
    """An input with these values at these paths. What is above another path is an object, whatever value it has."""
    data: dict[str, Any] = {}
    for path in sorted(values, key=len):
        names = PATH.fullmatch(path)[0][2:].split(".")  # type: ignore[index]  # all are paths
        if values[path] is MISSING:
            _ensure(data, names[:-1])
            continue
        inside = _ensure(data, names[:-1])
        name, _, index = names[-1].partition("[")
        inside[name] = [values[path]] if index else values[path]
    return data


def _ensure(data: dict[str, Any], names: list[str]) -> dict[str, Any]:
    inside = data
    for name in names:
        if not isinstance(inside.get(name), dict):
            inside[name] = {}
        inside = inside[name]
    return inside

"""Walks the ASL with the shapes of its state data, and tells every key and path that nobody puts there.

A shape says which keys a value may have: where ways join, those of all of them. So a path is good when some way to its
state puts it there by name, by a result's type or by a literal; a key renamed on one side is on no way.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import UnionType
from typing import Any, Final, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

ANYTHING: Final = "anything"
"""An item of DynamoDB: the file does not say what is in it."""
ERROR: Final = {"Error": "value", "Cause": "value"}
"""What a Catch puts there."""
VALUE: Final = "value"
"""A text, number or truth value: it has no keys."""

Shape = Any  # ANYTHING, VALUE, {key: Shape} or [Shape of every element]

_PATH = re.compile(r"(?<!\$)\$(?:\[\*\])?(?:\.[A-Za-z_]\w*)*")
_PLACE = re.compile(r"[A-Za-z_]\w*|\[\*\]")


class Walk:
    """One walk over a machine; `problems` are sentences, and empty when the border holds."""

    def __init__(self, machine: Mapping[str, Any], border: Any) -> None:
        self.problems: set[str] = set()
        self._border = border
        self._walk(machine, shape_of(border.ExecutionInput))

    def _walk(self, level: Mapping[str, Any], given: Shape) -> Shape:
        """The shape of what the level puts out; problems are those that are left when every way was gone."""
        before = set(self.problems)
        entries: dict[str, Shape] = {level["StartAt"]: given}
        waiting, out = [level["StartAt"]], None
        while waiting:
            name = waiting.pop()
            state = level["States"][name]
            after, caught = self._state(name, state, entries[name])
            for target, shape in [(target, after) for target in nexts(state)] + caught:
                joined = merged(entries.get(target), shape)
                if target not in entries or joined != entries[target]:
                    entries[target] = joined
                    waiting.append(target)
        self.problems = before
        for name, shape in entries.items():
            after, _ = self._state(name, level["States"][name], shape)
            if level["States"][name]["Type"] == "Succeed" or level["States"][name].get("End"):
                out = merged(out, after)
        return out

    def _state(self, name: str, state: Mapping[str, Any], data: Shape) -> tuple[Shape, list[tuple[str, Shape]]]:
        for condition in conditions(state.get("Choices", ())):
            for key in ("Variable", *(key for key in condition if key.endswith("Path"))):
                self._read(name, condition[key], data)
        for key in {"SecondsPath", "ErrorPath", "CausePath"} & set(state):
            self._read(name, state[key], data)
        result = self._result(name, state, data)
        if "ResultSelector" in state:
            result = self._template(name, state["ResultSelector"], result)
        after = data if result is None else placed(data, state.get("ResultPath", "$"), result)
        if "OutputPath" in state:
            after = self._read(name, state["OutputPath"], after)
        caught = [(one["Next"], placed(data, one.get("ResultPath", "$"), ERROR)) for one in state.get("Catch", ())]
        return after, caught

    def _result(self, name: str, state: Mapping[str, Any], data: Shape) -> Shape | None:
        """What a state makes; None when it hands on what it was given."""
        if state["Type"] == "Map":
            element = self._read(name, state["ItemsPath"], data)
            item = element[0] if isinstance(element, list) else element
            given = self._template(name, state["ItemSelector"], data, item)
            return [self._walk(state["ItemProcessor"], given)]
        if state["Type"] == "Pass":
            if "Result" in state:
                return literal(state["Result"])
            return self._template(name, state["Parameters"], data) if "Parameters" in state else None
        if state["Type"] != "Task":
            return None
        asked = self._template(name, state["Parameters"], data)
        function = re.fullmatch(r"\$\{(\w+)Arn\}", state["Parameters"].get("FunctionName", ""))
        if function is None:
            return {"Attributes": ANYTHING, "Item": ANYTHING}
        wanted = getattr(self._border, f"{function[1]}Input")
        for key in wanted.__required_keys__ - set(asked["Payload"]):
            self.problems.add(f"{name} does not pass {key}")
        for key in set(asked["Payload"]) - wanted.__required_keys__ - wanted.__optional_keys__:
            self.problems.add(f"{name} passes {key}, which {function[1]} does not take")
        return {"Payload": shape_of(getattr(self._border, f"{function[1]}Output"))}

    def _template(self, name: str, template: Any, data: Shape, item: Shape = ANYTHING) -> Shape:
        if isinstance(template, Mapping):
            made = {}
            for key, value in template.items():
                made[key.removesuffix(".$")] = (
                    self._expression(name, value, data, item)
                    if key.endswith(".$")
                    else self._template(name, value, data, item)
                )
            return made
        return literal(template)

    def _expression(self, name: str, text: str, data: Shape, item: Shape) -> Shape:
        if text.startswith("$$.Map.Item.Value"):
            return self._read(name, "$" + text.removeprefix("$$.Map.Item.Value"), item)
        found = [self._read(name, path, data) for path in _PATH.findall(text)]
        if text.startswith("States.JsonMerge("):
            return merged(*found)
        return found[0] if text.startswith("$") and not text.startswith("$$") else VALUE

    def _read(self, name: str, path: str, data: Shape) -> Shape:
        shape = data
        for place in _PLACE.findall(path.removeprefix("$")):
            if shape == ANYTHING:
                return ANYTHING
            if place == "[*]":
                shape = shape[0] if isinstance(shape, list) else None
            elif isinstance(shape, list):
                shape = shape[0].get(place) if isinstance(shape[0], Mapping) else None
            else:
                shape = shape.get(place) if isinstance(shape, Mapping) else None
            if shape is None:
                self.problems.add(f"{name} reads {path}, and nobody puts it there")
                return ANYTHING
        return shape


@cache
def shape_of(kind: Any) -> Shape:
    """The shape of values of a type."""
    if get_origin(kind) is NotRequired:
        (kind,) = get_args(kind)
    if is_typeddict(kind):
        return {name: shape_of(field) for name, field in get_type_hints(kind).items()}
    if get_origin(kind) is list:
        return [shape_of(get_args(kind)[0])]
    if get_origin(kind) in (Union, UnionType):
        shapes = [shape_of(one) for one in get_args(kind)]
        return shapes[0] if len(shapes) == 1 else merged(*shapes)
    return ANYTHING if get_origin(kind) is not None else VALUE


def literal(value: Any) -> Shape:
    """The shape of a value that the file writes out."""
    if isinstance(value, Mapping):
        return {key: literal(inner) for key, inner in value.items()}
    return [literal(value[0]) if value else VALUE] if isinstance(value, list) else VALUE


def merged(one: Shape | None, other: Shape) -> Shape:
    """What a value may be that comes by either way."""
    if one is None or one == other:
        return other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return {key: merged(one.get(key), other[key]) if key in other else one[key] for key in {**one, **other}}
    if isinstance(one, list) and isinstance(other, list):
        return [merged(one[0], other[0])]
    return next((shape for shape in (one, other) if not isinstance(shape, str)), ANYTHING)


def placed(data: Shape, path: str | None, result: Shape) -> Shape:
    """The data with a result at a ResultPath."""
    if path is None:
        return data
    names = _PLACE.findall(path.removeprefix("$"))
    if not names:
        return result
    (name,) = names  # the file places results at the top
    return {**data, name: result}


def nexts(state: Mapping[str, Any]) -> Iterator[str]:
    """The states that follow without an error."""
    yield from (choice["Next"] for choice in state.get("Choices", ()))
    yield from (state[key] for key in ("Default", "Next") if key in state)


def conditions(choices: Any) -> Iterator[Mapping[str, Any]]:
    """Every comparison of some choices."""
    for choice in choices:
        inner = [*choice.get("And", ()), *choice.get("Or", ()), *([choice["Not"]] if "Not" in choice else ())]
        yield from conditions(inner) if inner else [choice]


def reads_in(value: Any, way: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The way through the file to every path that is read."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from reads_in(inner, (*way, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from reads_in(inner, (*way, str(place)))
    elif isinstance(value, str) and _PATH.search(value):
        last = way[-1]
        if last != "ResultPath" and (last == "Variable" or last.endswith((".$", "Path"))):
            yield way


def text_at(machine: Mapping[str, Any], way: tuple[str, ...]) -> Any:
    """What stands there."""
    place: Any = machine
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]
    return place


def changed(machine: Mapping[str, Any], way: tuple[str, ...], value: Any) -> dict[str, Any]:
    """A copy with something else there."""
    copy: dict[str, Any] = json.loads(json.dumps(machine))
    text_at(copy, way[:-1])[way[-1]] = value
    return copy

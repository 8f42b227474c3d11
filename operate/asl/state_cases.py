"""What each state makes of its input and of its task's result: made from the definition and from recorded results."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from operate.asl.choice_cases import inputs_of
from operate.asl.inputs import CONTEXT, asked_of, every_state, texts
from operate.asl.reading import PATH, NotThere, at, chosen, filled, placed

RUNTIME = "States.Runtime"
_SHORT = 100
_SELECTED = "ResultSelector"
_NOW = "$$.State."
"""What an answerer has from its own clock."""


@dataclass(frozen=True, eq=False)
class Came:
    """What a state came to: the state that follows (None: it is the last), its output, or the error that nothing
    caught. `asked`: what its task was asked for, or the inputs of a Map's items, as far as they are not constants.
    Equal to another one by what it is as JSON, where false is not 0."""

    goes_to: str | None
    output: Any = None
    error: str | None = None
    asked: Any = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Came) and _text(self.__dict__) == _text(other.__dict__)

    def __hash__(self) -> int:
        return hash(_text(self.__dict__))

    def __str__(self) -> str:
        if self.error is not None:
            return f"fails: {self.error}"
        return f"{self.goes_to or 'the end'} with {_short(self.output)}"

    def beside(self, other: "Came") -> str:
        """What is not as in the other one."""
        if (self.error, self.goes_to) != (other.error, other.goes_to):
            return f"fails: {self.error}" if self.error is not None else (self.goes_to or "the end")
        parts = [("output", self.output, other.output), ("asked for", self.asked, other.asked)]
        told = [f"{name} {path}: {_short(value)}" for name, one, two in parts for path, value in _unlike(one, two)]
        return "; ".join(told) or str(self)


@dataclass(frozen=True)
class StateCase:
    """`result`: what its task, or a Map as a whole, is mocked to give; None for other states."""

    part: str
    state: str
    what: str
    definition: Mapping[str, Any]
    data: Any
    context: Mapping[str, Any]
    result: Any
    expected: Came
    template: Any = None
    """The Parameters that a task should have."""

    @property
    def label(self) -> str:
        return f"{self.state}, {self.what}" if self.state else self.what

    def put_to(self, definition: Mapping[str, Any]) -> "StateCase":
        """The same case, asked of another definition of the state."""
        return replace(self, definition=definition)


def state_cases(machine: Mapping[str, Any]) -> Iterator[StateCase]:
    """Every state, those in Maps too, with what its paths lead to, and with each of them leading nowhere."""
    for name, state in every_state(machine):
        if state["Type"] == "Choice":
            yield from _choice_cases(name, state)
        else:
            yield from _path_cases(name, state)


def is_read(state: Mapping[str, Any]) -> bool:
    """Whether a state does anything with the result of a task."""
    return state["Type"] == "Task" and (_SELECTED in state or state.get("ResultPath", "$") is not None)


def results() -> Mapping[str, list[Any]]:
    """What each Task answers whose result is read, of several shapes, recorded from the real handlers by
    `python -m tests.simulator.results`."""
    return _recorded()


@cache
def _recorded() -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = json.loads(Path(__file__).with_name("results.json").read_text())
    return found


def _choice_cases(name: str, state: Mapping[str, Any]) -> Iterator[StateCase]:
    for what, data in inputs_of(state, CONTEXT):
        try:
            goes_to = chosen(state, data, CONTEXT)
            expected = Came(goes_to, data) if goes_to else Came(None, error="States.NoChoiceMatched")
        except NotThere:
            expected = Came(None, error=RUNTIME)
        yield StateCase("Choices", name, what, state, data, CONTEXT, None, expected)


def _path_cases(name: str, state: Mapping[str, Any]) -> Iterator[StateCase]:
    data, context = asked_of(state)
    part = {"Task": "Results of tasks", "Map": "Maps"}.get(state["Type"], "Other states")
    given = _results_of(name, state)
    for number, result in enumerate(given, 1):
        what = f"result {number} of {len(given)}" if len(given) > 1 else "as it is"
        expected = _came(state, data, context, result)
        yield StateCase(part, name, what, state, data, context, result, expected, state.get("Parameters"))
    for path in sorted(_input_paths(state)):
        less = _without(data, path)
        yield StateCase(part, name, f"without {path}", state, less, context, given[0], Came(None, error=RUNTIME))
    for path in sorted({one for text in texts(state.get(_SELECTED, {})) for one in PATH.findall(text)}):
        if path.startswith("$."):
            less = _without(given[0], path)
            expected = Came(None, error=RUNTIME)
            yield StateCase(part, name, f"a result without {path}", state, data, context, less, expected)


def _results_of(name: str, state: Mapping[str, Any]) -> list[Any]:
    if state["Type"] == "Task":
        return results()[name] if is_read(state) else [{}]
    if state["Type"] != "Map":
        return [None]
    wanted = {path.removeprefix("$[*].") for text in texts(state[_SELECTED]) for path in PATH.findall(text)}
    return [
        [
            {one: changed if one == "changed" else f"the {one} {number}" for one in sorted(wanted)}
            for number, changed in each
        ]
        for each in (((0, False), (1, True)), ((0, False), (1, False)))
    ]


def _came(state: Mapping[str, Any], data: Any, context: Mapping[str, Any], result: Any) -> Came:
    following = state.get("Next")
    match state["Type"]:
        case "Fail":
            error = at(state["ErrorPath"], data, context) if "ErrorPath" in state else state["Error"]
            return Came(None, error=error)
        case "Succeed":
            return Came(None, at(state.get("OutputPath", "$"), data, context))
        case "Wait":
            return Came(following, data)
        case "Pass":
            made = filled(state.get("Parameters", data), data, context)
            return Came(following, placed(state.get("ResultPath", "$"), data, state.get("Result", made)))
    made = filled(state[_SELECTED], result, context) if _SELECTED in state else result
    output = at(state.get("OutputPath", "$"), placed(state.get("ResultPath", "$"), data, made), context)
    return Came(following, output, asked=_asked(state, data, context))


def _asked(state: Mapping[str, Any], data: Any, context: Mapping[str, Any]) -> Any:
    if state["Type"] == "Task":
        return variable_parts(state["Parameters"], filled(state["Parameters"], data, context))
    items = at(state["ItemsPath"], data, context)
    return [
        filled(state["ItemSelector"], data, {**context, "Map": {"Item": {"Index": index, "Value": item}}})
        for index, item in enumerate(items)
    ]


def variable_parts(template: Any, parameters: Any) -> Any:
    """Of what a task was asked for, what its template does not say as a constant: a deployment fills in these."""
    if isinstance(template, dict):
        found = {}
        for name, one in template.items():
            below = parameters.get(name.removesuffix(".$")) if isinstance(parameters, dict) else None
            if not name.endswith(".$"):
                if part := variable_parts(one, below):
                    found[name] = part
            elif _NOW not in one:
                found[name.removesuffix(".$")] = below
        return found
    return {}


def _input_paths(state: Mapping[str, Any]) -> set[str]:
    """What the state reads of its input before anything else is done."""
    read = [*texts(state.get("Parameters", {})), *texts(state.get("ItemSelector", {}))]
    found = {path for text in read for path in PATH.findall(text) if path.startswith("$.")}
    found |= {state[name] for name in ("ItemsPath", "SecondsPath", "ErrorPath", "CausePath") if name in state}
    if state["Type"] == "Succeed" and "OutputPath" in state:
        found.add(state["OutputPath"])
    return found


def _without(data: Any, path: str) -> Any:
    """A copy without what the path leads to."""
    less = json.loads(json.dumps(data))
    *names, last = path[2:].split(".")
    inside = less
    for name in names:
        inside = inside[name]
    del inside[last]
    return less


def _unlike(one: Any, other: Any, path: str = "$") -> Iterator[tuple[str, Any]]:
    """The places at which a value is not as another one, with what is there."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted({*one, *other}):
            yield from _unlike(one.get(name, "nothing"), other.get(name, "nothing"), f"{path}.{name}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, (mine, its) in enumerate(zip(one, other, strict=True)):
            yield from _unlike(mine, its, f"{path}[{place}]")
    elif _text(one) != _text(other):
        yield path, one


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _short(value: Any) -> str:
    text = _text(value)
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}…"

"""The states of a machine, and an input for each that has every path that the state reads."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_PATH = re.compile(r"\$\$?(?:\.[A-Za-z_]\w*)+")
_OF_A_FUNCTION = {
    "States.StringToJson(": "1",
    "States.MathAdd(": 1,
    "States.ArrayLength(": ["a", "b"],
    "States.JsonMerge(": {"a": 1},
}
_ITEM = "$$.Map.Item.Value."
_TEMPLATES = ("Parameters", "ItemSelector")
_PATHS = ("ErrorPath", "CausePath")
CONTEXT = {"Execution": {"Id": "arn:aws:states:eu-west-1:123456789012:execution:m:e", "Name": "e"}}


def every_state(machine: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every state by its name, those in Maps too."""
    for name, state in machine["States"].items():
        yield name, state
        if "ItemProcessor" in state:
            yield from every_state(state["ItemProcessor"])


def asked_of(state: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """An input and a context. Each path has a value of its own, so that one in another's place is seen."""
    data: dict[str, Any] = {}
    context: dict[str, Any] = {"Execution": dict(CONTEXT["Execution"])}
    items: list[dict[str, Any]] = [{}, {}]
    for text in [
        *texts([state.get(name, {}) for name in _TEMPLATES]),
        *(state[name] for name in _PATHS if name in state),
    ]:
        for path in _PATH.finditer(text):
            before = text[: path.start()].rpartition(" ")[2]
            value = next((one for call, one in _OF_A_FUNCTION.items() if before.endswith(call)), f"the {path[0]}")
            if path[0].startswith(_ITEM):
                for number, item in enumerate(items):
                    item.setdefault(path[0].removeprefix(_ITEM), number)
            else:
                _put(context if path[0].startswith("$$") else data, path[0], value)
    for name, value in (("ItemsPath", items), ("SecondsPath", 1), ("OutputPath", {"given": "out"})):
        if state.get(name, "$") != "$" and state.get("ResultPath") != state[name]:
            _put(data, state[name], value)
    return data, context


def texts(template: Any) -> Iterator[str]:
    """The paths and calls of a template."""
    if isinstance(template, dict):
        for name, value in template.items():
            if name.endswith(".$"):
                yield value
            else:
                yield from texts(value)
    elif isinstance(template, list):
        for one in template:
            yield from texts(one)


def _put(at: dict[str, Any], path: str, value: Any) -> None:
    """Where there is nothing yet; a text is no obstacle to what is below it."""
    *names, last = path.lstrip("$").strip(".").split(".")
    for name in names:
        if not isinstance(at.get(name), dict):
            at[name] = {}
        at = at[name]
    at.setdefault(last, value)

"""The paths, templates and intrinsic functions of our ASL subset (JSONPath without Assign), as strict as AWS: what is
not there is an error, and what the subset does not have is refused by name.
"""

import copy
import json
import re
from collections.abc import Mapping
from typing import Any

_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[(\d+|\*)\]")


class UnsupportedAsl(Exception):
    """The state machine uses something that the stepper does not know yet."""


class StateError(Exception):
    """An error of a state: what AWS calls `Error` and `Cause`."""

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(f"{error}: {cause}" if cause else error)
        self.error, self.cause = error, cause


def missing(path: str) -> StateError:
    """A path that leads nowhere ends an execution, and nothing catches it."""
    return StateError("States.Runtime", f"the path {path} leads to nothing")


def look(path: str, data: Any, context: Mapping[str, Any]) -> Any:
    """What a path leads to. Raises StateError where there is nothing, UnsupportedAsl for a path of another form."""
    at, rest = (context, path[2:]) if path.startswith("$$") else (data, path[1:])
    place, many = 0, False
    while place < len(rest):
        step = _STEP.match(rest, place)
        if step is None:
            raise UnsupportedAsl(f"the path {path}")
        place = step.end()
        at, many = _take(at, step, path, many)
    return copy.deepcopy(at)


def _take(at: Any, step: re.Match[str], path: str, many: bool) -> tuple[Any, bool]:
    if many:
        return [_take(one, step, path, False)[0] for one in at], True
    name, index = step.groups()
    if index == "*":
        if not isinstance(at, list):
            raise missing(path)
        return at, True
    try:
        return (at[name] if name is not None else at[int(index)]), False
    except (KeyError, IndexError, TypeError):
        raise missing(path) from None


def is_there(path: str, data: Any, context: Mapping[str, Any]) -> bool:
    """Whether a path leads to something."""
    try:
        look(path, data, context)
    except StateError:
        return False
    return True


def fill(template: Any, data: Any, context: Mapping[str, Any]) -> Any:
    """Parameters, ResultSelector or ItemSelector with every `name.$` resolved."""
    if isinstance(template, list):
        return [fill(one, data, context) for one in template]
    if not isinstance(template, dict):
        return template
    filled = {}
    for name, value in template.items():
        if name.endswith(".$"):
            filled[name[:-2]] = evaluate(value, data, context)
        else:
            filled[name] = fill(value, data, context)
    return filled


def evaluate(text: str, data: Any, context: Mapping[str, Any]) -> Any:
    """A path or a call of an intrinsic function."""
    value, end = _expression(text, 0, data, context)
    if text[end:].strip():
        raise UnsupportedAsl(text)
    return value


def _expression(text: str, at: int, data: Any, context: Mapping[str, Any]) -> tuple[Any, int]:
    at = _blank(text, at)
    if text[at] == "$":
        end = at
        while end < len(text) and text[end] not in ",) ":
            end += 1
        return look(text[at:end], data, context), end
    if text[at] == "'":
        end = text.index("'", at + 1)
        return text[at + 1 : end], end + 1
    if call := re.compile(r"States\.(\w+)\(").match(text, at):
        values, at = [], call.end()
        while text[at] != ")":
            value, at = _expression(text, at, data, context)
            values.append(value)
            at = _blank(text, at)
            if text[at] == ",":
                at += 1
        return _call(call[1], values), at + 1
    literal = re.compile(r"-?\d+(\.\d+)?|true|false|null").match(text, at)
    if literal is None:
        raise UnsupportedAsl(text)
    return json.loads(literal[0]), literal.end()


def _blank(text: str, at: int) -> int:
    while text[at] == " ":
        at += 1
    return at


def _call(name: str, values: list[Any]) -> Any:
    match name, values:
        case "StringToJson", [str(text)] if not _is_json(text):
            pass
        case "Format", [str(form), *rest] if form.count("{}") == len(rest):
            return form.replace("{}", "%s") % tuple(one if isinstance(one, str) else json.dumps(one) for one in rest)
        case "StringToJson", [str(text)]:
            return json.loads(text)
        case "MathAdd", [int(one), int(other)]:
            return one + other
        case "JsonMerge", [dict(one), dict(other), False]:
            return {**one, **other}
        case "ArrayContains", [list(array), value]:
            return any(type(one) is type(value) and one == value for one in array)
        case "ArrayLength", [list(array)]:
            return len(array)
    if name in ("Format", "StringToJson", "MathAdd", "JsonMerge", "ArrayContains", "ArrayLength"):
        raise StateError("States.IntrinsicFailure", f"States.{name} of {values!r}")
    raise UnsupportedAsl(f"States.{name}")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def put(path: str, data: Any, value: Any) -> Any:
    """The data with a value at a ResultPath."""
    if path == "$":
        return value
    names = path[2:].split(".")
    if not path.startswith("$.") or not all(re.fullmatch(r"[A-Za-z_]\w*", name) for name in names):
        raise UnsupportedAsl(f"ResultPath {path}")
    changed = copy.deepcopy(data)
    at = changed
    for name in names[:-1]:
        at = at.setdefault(name, {})
    at[names[-1]] = value
    return changed

"""What the Amazon States Language says of a path, a template, a rule: read for what a case expects, and sharing no code
with the evaluator that is asked. https://states-language.net/spec.html
"""

import ast
import copy
import json
import operator
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

PATH: Final = re.compile(r"\$\$?(?:\.[A-Za-z_]\w*|\[\d+\]|\[\*\])*")
_COMPARED = re.compile(r"(String|Numeric|Boolean)(Equals|LessThanEquals|LessThan|GreaterThanEquals|GreaterThan)(Path)?")
_TYPES: Final[Mapping[str, Any]] = {"String": str, "Numeric": (int, float), "Boolean": bool}
_OPERATORS: Final[Mapping[str, Any]] = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "LessThanEquals": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
}
FUNCTIONS: Final[Mapping[str, Any]] = {
    "Format": lambda form, *values: form.format(*map(_as_text, values)),
    "StringToJson": json.loads,
    "MathAdd": operator.add,
    "JsonMerge": lambda one, other, _deep: one | other,
    "ArrayContains": lambda array, value: json.dumps(value) in map(json.dumps, array),
    "ArrayLength": len,
}
"""The intrinsic functions that our states use."""


class NotThere(Exception):
    """A path leads to nothing."""


def at(path: str, data: Any, context: Mapping[str, Any]) -> Any:
    """What a path leads to. Raises NotThere."""
    value: Any = context if path.startswith("$$") else data
    before, each, after = path.partition("[*].")
    for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", before):
        try:
            value = value[name] if name else value[int(index)]
        except (KeyError, IndexError, TypeError):
            raise NotThere(path) from None
    return [at(f"$.{after}", one, {}) for one in value] if each else value


def filled(template: Any, data: Any, context: Mapping[str, Any]) -> Any:
    """A template with its paths and functions replaced. Raises NotThere."""
    if isinstance(template, list):
        return [filled(one, data, context) for one in template]
    if not isinstance(template, dict):
        return template
    return {
        name.removesuffix(".$"): valued(one, data, context) if name.endswith(".$") else filled(one, data, context)
        for name, one in template.items()
    }


def valued(text: str, data: Any, context: Mapping[str, Any]) -> Any:
    """A path, or a call of functions, which is written as Python's are. Raises NotThere."""
    values: list[Any] = []

    def taken(path: re.Match[str]) -> str:
        values.append(at(path[0], data, context))
        return f"_{len(values) - 1}"

    return _value_of(ast.parse(PATH.sub(taken, text), mode="eval").body, values)


def _value_of(node: ast.expr, values: list[Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return values[int(node.id[1:])] if node.id.startswith("_") else json.loads(node.id)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return FUNCTIONS[node.func.attr](*(_value_of(one, values) for one in node.args))
    raise NotImplementedError(ast.unparse(node))


def placed(path: str | None, data: Any, result: Any) -> Any:
    """The state's output: its result at a ResultPath of its input."""
    if path is None:
        return data
    if path == "$":
        return result
    whole = copy.deepcopy(data)
    inside = whole
    *names, last = path[2:].split(".")
    for name in names:
        inside = inside.setdefault(name, {})
    inside[last] = result
    return whole


def chosen(state: Mapping[str, Any], data: Any, context: Mapping[str, Any]) -> str | None:
    """The state that follows a Choice; None where no rule holds and there is no Default. Raises NotThere for a variable
    that is not there, unless an earlier part of an And or Or decides. Values of another type are unequal.
    https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html
    """
    found: str | None = next(
        (rule["Next"] for rule in state["Choices"] if is_so(rule, data, context)), state.get("Default")
    )
    return found


def is_so(rule: Mapping[str, Any], data: Any, context: Mapping[str, Any]) -> bool:
    """Whether a rule holds. Raises NotThere."""
    if "And" in rule:
        return all(is_so(one, data, context) for one in rule["And"])
    if "Or" in rule:
        return any(is_so(one, data, context) for one in rule["Or"])
    if "Not" in rule:
        return not is_so(rule["Not"], data, context)
    (name,) = set(rule) - {"Variable", "Next", "Comment"}
    wanted = rule[name]
    try:
        value = at(rule["Variable"], data, context)
    except NotThere:
        if name == "IsPresent":
            return not wanted
        raise
    if name == "IsPresent":
        return bool(wanted)
    if name == "StringMatches":
        return isinstance(value, str) and re.fullmatch(re.escape(wanted).replace(r"\*", ".*"), value) is not None
    if name in ("IsString", "IsNumeric", "IsBoolean"):
        return _is_a(name.removeprefix("Is"), value) is wanted
    kind, compared, by_path = _COMPARED.fullmatch(name).groups()  # type: ignore[union-attr]  # all that there are
    wanted = at(wanted, data, context) if by_path else wanted
    return _is_a(kind, value) and _is_a(kind, wanted) and bool(_OPERATORS[compared](value, wanted))


def leaves(rule: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The comparisons that a rule is made of."""
    inside = [*rule.get("And", ()), *rule.get("Or", ()), *([rule["Not"]] if "Not" in rule else [])]
    if not inside:
        yield rule
    for one in inside:
        yield from leaves(one)


def _is_a(kind: str, value: Any) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "Boolean" or not isinstance(value, bool))


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)

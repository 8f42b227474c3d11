"""The rules of Choice states. A variable that is not there is an error, as on AWS, but for IsPresent."""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from operate.asl.paths import UnsupportedAsl, is_there, look

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "LessThanEquals": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
}


def holds(rule: Mapping[str, Any], data: Any, context: Mapping[str, Any]) -> bool:
    """Whether a rule holds."""
    parts = {name: value for name, value in rule.items() if name not in ("Next", "Comment", "Variable")}
    if len(parts) != 1:
        raise UnsupportedAsl(f"a rule of {sorted(parts)}")
    ((name, wanted),) = parts.items()
    if name == "And":
        return all(holds(one, data, context) for one in wanted)
    if name == "Or":
        return any(holds(one, data, context) for one in wanted)
    if name == "Not":
        return not holds(wanted, data, context)
    if name == "IsPresent":
        return is_there(rule["Variable"], data, context) is wanted
    value = look(rule["Variable"], data, context)
    if name.endswith("Path"):
        name, wanted = name.removesuffix("Path"), look(wanted, data, context)
    return _compare(name, value, wanted)


def _compare(name: str, value: Any, wanted: Any) -> bool:
    if name == "IsString":
        return isinstance(value, str) is wanted
    if name == "IsNumeric":
        return _is_number(value) is wanted
    if name == "StringMatches":
        pattern = "".join(".*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", wanted))
        return isinstance(value, str) and re.fullmatch(pattern, value, re.DOTALL) is not None
    if name == "BooleanEquals":
        return isinstance(value, bool) and value is wanted
    if name.startswith("String") and (compare := _COMPARE.get(name.removeprefix("String"))):
        return isinstance(value, str) and isinstance(wanted, str) and compare(value, wanted)
    if name.startswith("Numeric") and (compare := _COMPARE.get(name.removeprefix("Numeric"))):
        return _is_number(value) and _is_number(wanted) and compare(value, wanted)
    raise UnsupportedAsl(f"the comparison {name}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

"""What each Task does with each error: made from the definition, so a new state has its cases at once."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

UNKNOWN = "AnErrorThatNobodyKnows"
_PATH = re.compile(r"\$\$?(?:\.[A-Za-z_]\w*)+")
_OF_A_FUNCTION = {"States.StringToJson(": "1", "States.MathAdd(": 1, "States.ArrayLength(": [], "States.JsonMerge(": {}}


@dataclass(frozen=True)
class ErrorCase:
    """A state whose task fails with one error, always. `expected` is read from its Retry and Catch."""

    state: str
    definition: Mapping[str, Any]
    error: str
    data: Mapping[str, Any]
    context: Mapping[str, Any]
    expected: "Handled"

    def put_to(self, definition: Mapping[str, Any]) -> "ErrorCase":
        """The same case, asked of another definition of the state."""
        return replace(self, definition=definition)


@dataclass(frozen=True)
class Handled:
    """Which retrier is used (None: none), how often, and the state that follows (None: the execution fails)."""

    retrier: int | None
    retries: int
    goes_to: str | None

    def __str__(self) -> str:
        retried = "not retried" if self.retrier is None else f"retrier {self.retrier + 1}: {self.retries} times"
        return f"{retried}, then {'the execution fails' if self.goes_to is None else self.goes_to}"


def error_cases(machine: Mapping[str, Any]) -> list[ErrorCase]:
    """Each Task, those in Maps too, with each error that a retrier or catcher names, and with one that none does."""
    cases = []
    for name, state in tasks(machine):
        rules = [*state.get("Retry", ()), *state.get("Catch", ())]
        named = {error for rule in rules for error in rule["ErrorEquals"]} - {"States.ALL"}
        data, context = asked_of(state)
        for error in [*sorted(named), UNKNOWN]:
            cases.append(ErrorCase(name, state, error, data, context, handled(state, error)))
    return cases


def tasks(machine: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every Task by its name."""
    for name, state in machine["States"].items():
        if state["Type"] == "Task":
            yield name, state
        elif state["Type"] == "Map":
            yield from tasks(state["ItemProcessor"])


def handled(state: Mapping[str, Any], error: str) -> Handled:
    """What the rules of the Amazon States Language say of an error that stays: the first that names it, in order."""
    retrier = _first(state.get("Retry", ()), error)
    catcher = _first(state.get("Catch", ()), error)
    return Handled(
        retrier,
        0 if retrier is None else state["Retry"][retrier].get("MaxAttempts", 3),
        None if catcher is None else state["Catch"][catcher]["Next"],
    )


def _first(rules: Any, error: str) -> int | None:
    found = (place for place, rule in enumerate(rules) if {error, "States.ALL"} & set(rule["ErrorEquals"]))
    return next(found, None)


def asked_of(state: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """An input and a context that have every path of the state's Parameters."""
    data: dict[str, Any] = {}
    context: dict[str, Any] = {"Execution": {"Id": "arn:aws:states:eu-west-1:123456789012:execution:m:e", "Name": "e"}}
    for text in _texts(state.get("Parameters", {})):
        for path in _PATH.finditer(text):
            before = text[: path.start()].rpartition(" ")[2]
            value = next((one for call, one in _OF_A_FUNCTION.items() if before.endswith(call)), "text")
            at = context if path[0].startswith("$$") else data
            *names, last = path[0].lstrip("$").strip(".").split(".")
            for name in names:
                if not isinstance(at.get(name), dict):
                    at[name] = {}
                at = at[name]
            at.setdefault(last, value)
    return data, context


def _texts(template: Any) -> Iterator[str]:
    if isinstance(template, dict):
        for name, value in template.items():
            if name.endswith(".$"):
                yield value
            else:
                yield from _texts(value)
    elif isinstance(template, list):
        for one in template:
            yield from _texts(one)

"""What each Task or Map does with each error: made from the definition, so a new state has its cases at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from operate.asl.inputs import asked_of, every_state

UNKNOWN = "AnErrorThatNobodyKnows"


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
    """Each Task and Map, those in Maps too, with each error that its rules name, and with one that none does."""
    cases = []
    for name, state in tasks(machine):
        rules = [*state.get("Retry", ()), *state.get("Catch", ())]
        named = {error for rule in rules for error in rule["ErrorEquals"]} - {"States.ALL"}
        data, context = asked_of(state)
        for error in [*sorted(named), UNKNOWN]:
            cases.append(ErrorCase(name, state, error, data, context, handled(state, error)))
    return cases


def tasks(machine: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every Task and Map by its name: the states that have retriers and catchers."""
    yield from ((name, state) for name, state in every_state(machine) if state["Type"] in ("Task", "Map"))


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

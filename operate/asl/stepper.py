"""One execution of our ASL subset, one action at a time: whoever drives it does what it asks for, and says how it was.

`steps` is a generator. It yields Entered, answered with the time as a text; Call, answered with its result or with
`throw(StateError(…))`; and Sleep. So a scheduler lets several executions take turns at any action. A Map runs its
items one after the other, in their order.
"""

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

from operate.asl.choices import holds
from operate.asl.paths import StateError, UnsupportedAsl, fill, look, missing, put

_ALWAYS = {"Type", "Comment", "Next", "End"}
_KNOWN = {
    "Task": {
        *("Resource", "Parameters", "TimeoutSeconds", "ResultSelector", "ResultPath", "OutputPath", "Retry", "Catch"),
    },
    "Choice": {"Choices", "Default"},
    "Pass": {"Parameters", "Result", "ResultPath"},
    "Wait": {"SecondsPath", "Seconds"},
    "Map": {
        *("ItemsPath", "ItemSelector", "MaxConcurrency", "ItemProcessor", "ResultSelector", "ResultPath"),
        *("Retry", "Catch"),
    },
    "Succeed": {"OutputPath"},
    "Fail": {"Error", "Cause", "ErrorPath", "CausePath"},
}
_NEVER_CAUGHT_BY_ALL = frozenset({"States.Runtime", "States.DataLimitExceeded"})
STATE_BYTES = 256 * 1024


@dataclass(frozen=True)
class Entered:
    """A state begins, with this data."""

    state: str
    data: Any


@dataclass(frozen=True)
class Call:
    """A task wants this done; its result is what AWS would give."""

    state: str
    resource: str
    parameters: dict[str, Any]
    timeout_seconds: int


@dataclass(frozen=True)
class Sleep:
    """Nothing happens for so many seconds; before a retry, which of the state's retriers asks for it."""

    state: str
    seconds: float
    retrier: int | None = None


Steps = Generator[Entered | Call | Sleep, Any, Any]
"""Returns the execution's output; raises StateError when it fails."""


def steps(machine: Mapping[str, Any], data: Any, context: dict[str, Any], *, begin: str | None = None) -> Steps:
    """Run from StartAt, or from another state as a redrive does. `context` is what `$$` names; State is set here."""
    name = begin or machine["StartAt"]
    while True:
        state = machine["States"][name]
        if unknown := set(state) - _ALWAYS - _KNOWN[state["Type"]]:
            raise UnsupportedAsl(f"{sorted(unknown)} of {name}")
        context["State"] = {"EnteredTime": (yield Entered(name, data)), "Name": name}
        goes_to, data = yield from _state(name, state, data, context)
        if len(json.dumps(data)) > STATE_BYTES:
            raise StateError("States.DataLimitExceeded", name)
        if goes_to is None:
            return data
        name = goes_to


def _state(name: str, state: Mapping[str, Any], data: Any, context: dict[str, Any]) -> Steps:
    """(the state that follows, its data)."""
    following = None if state.get("End") else state.get("Next")
    match state["Type"]:
        case "Pass":
            result = fill(state["Parameters"], data, context) if "Parameters" in state else data
            return following, put(state.get("ResultPath", "$"), data, state.get("Result", result))
        case "Choice":
            for rule in state["Choices"]:
                if holds(rule, data, context):
                    return rule["Next"], data
            if "Default" not in state:
                raise StateError("States.NoChoiceMatched", name)
            return state["Default"], data
        case "Wait":
            seconds = look(state["SecondsPath"], data, context) if "SecondsPath" in state else state["Seconds"]
            yield Sleep(name, seconds)
            return following, data
        case "Succeed":
            return None, look(state.get("OutputPath", "$"), data, context)
        case "Fail":
            error = look(state["ErrorPath"], data, context) if "ErrorPath" in state else state.get("Error", "")
            cause = look(state["CausePath"], data, context) if "CausePath" in state else state.get("Cause", "")
            raise StateError(error, cause)
    return (yield from _retried(name, state, data, context, following))


def _retried(name: str, state: Mapping[str, Any], data: Any, context: dict[str, Any], following: str | None) -> Steps:
    """A Task or a Map with its Retry and Catch."""
    tried: dict[int, int] = {}
    while True:
        try:
            result = yield from _work(name, state, data, context)
            if "ResultSelector" in state:
                result = fill(state["ResultSelector"], result, context)
            path = state.get("ResultPath", "$")
            data = data if path is None else put(path, data, result)
            return following, look(state.get("OutputPath", "$"), data, context)
        except StateError as error:
            if (retry := _retry(name, state.get("Retry", ()), error, tried)) is not None:
                yield retry
                continue
            for catch in state.get("Catch", ()):
                if _matches(catch["ErrorEquals"], error):
                    told = {"Error": error.error, "Cause": error.cause}
                    return catch["Next"], put(catch.get("ResultPath", "$"), data, told)
            raise


def _work(name: str, state: Mapping[str, Any], data: Any, context: dict[str, Any]) -> Steps:
    if state["Type"] == "Map":
        return (yield from _map(state, data, context))
    parameters = fill(state["Parameters"], data, context)
    return (yield Call(name, state["Resource"], parameters, state["TimeoutSeconds"]))


def _map(state: Mapping[str, Any], data: Any, context: dict[str, Any]) -> Steps:
    processor = state["ItemProcessor"]
    if processor["ProcessorConfig"]["Mode"] != "INLINE":
        raise UnsupportedAsl("a distributed Map")
    items = look(state["ItemsPath"], data, context)
    if not isinstance(items, list):
        raise missing(state["ItemsPath"])
    results = []
    for index, item in enumerate(items):
        inside = {**context, "Map": {"Item": {"Index": index, "Value": item}}}
        given = fill(state["ItemSelector"], data, inside)
        results.append((yield from steps(processor, given, inside)))
    return results


def _retry(name: str, retriers: Any, error: StateError, tried: dict[int, int]) -> Sleep | None:
    """Until the next attempt, without jitter; None when there is none."""
    for place, retrier in enumerate(retriers):
        if _matches(retrier["ErrorEquals"], error):
            attempt = tried[place] = tried.get(place, 0) + 1
            if attempt > retrier.get("MaxAttempts", 3):
                return None
            seconds = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** (attempt - 1)
            return Sleep(name, float(min(seconds, retrier.get("MaxDelaySeconds", seconds))), place)
    return None


def _matches(names: list[str], error: StateError) -> bool:
    return error.error in names or ("States.ALL" in names and error.error not in _NEVER_CAUGHT_BY_ALL)


def called_states(machine: Mapping[str, Any]) -> dict[str, str]:
    """Every Task of the machine and of its Maps, with its resource."""
    found = {}
    for name, state in machine["States"].items():
        if state["Type"] == "Task":
            found[name] = state["Resource"]
        if "ItemProcessor" in state:
            found |= called_states(state["ItemProcessor"])
    return found

"""A state machine's definition as values: its states in file order, whatever Map they are in, and where each leads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

KINDS = ("lambda", "dynamodb", "task", "choice", "wait", "pass", "good", "fail", "map", "parallel")
"""What a state does to the world. `task` is any other service; `good` and `fail` end an execution or an iteration."""
BOOKKEEPING = ("choice", "pass")
"""The kinds that only look at the state data: a picture without them shows the work."""
_ANYTHING = ("States.ALL", "States.TaskFailed")
_OF_TYPE = {"Fail": "fail", "Succeed": "good", "Task": "task"}


@dataclass(frozen=True)
class Target:
    """One way out of a state. `kind` is next, choice, default or catch; `label` is `else`, or the errors caught."""

    state: str
    kind: str
    label: str = ""


@dataclass(frozen=True)
class State:
    """One state. `parent` is the Map or Parallel around it, `branch` says which branch of a Parallel.

    `resource` is the function of a Lambda task, else the service's action such as `dynamodb:updateItem`; `error` and
    `cause` are what a Fail state says. `answers` are the errors that a Catch takes by name: refusals that the machine
    reckons with, such as a lease that is held.
    """

    name: str
    type: str
    kind: str
    comment: str
    parent: str | None
    branch: int
    resource: str | None
    error: str | None
    cause: str | None
    targets: tuple[Target, ...]
    answers: tuple[str, ...] = ()


def states(definition: Mapping[str, Any]) -> dict[str, State]:
    """Every state by name: names are unique in a state machine, at whatever depth."""
    return {state.name: state for state in _states(definition, None, 0)}


def _states(machine: Mapping[str, Any], parent: str | None, branch: int) -> Iterator[State]:
    for name, body in machine.get("States", {}).items():
        yield _state(name, body, parent, branch)
        for number, inner in enumerate(_machines_in(body)):
            yield from _states(inner, name, number)


def _machines_in(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    inner = body.get("ItemProcessor") or body.get("Iterator")
    return [inner] if inner else list(body.get("Branches", []))


def _state(name: str, body: Mapping[str, Any], parent: str | None, branch: int) -> State:
    return State(
        name=name,
        type=body["Type"],
        kind=_kind(body),
        comment=body.get("Comment", ""),
        parent=parent,
        branch=branch,
        resource=_resource(body),
        error=body.get("Error"),
        cause=body.get("Cause"),
        targets=_targets(body),
        answers=tuple(
            error for catch in body.get("Catch", []) for error in catch["ErrorEquals"] if error not in _ANYTHING
        ),
    )


def _targets(body: Mapping[str, Any]) -> tuple[Target, ...]:
    """The ways out, each to another state: several rules of a Choice to the same state are one."""
    ways = [Target(rule["Next"], "choice") for rule in body.get("Choices", [])]
    ways += [Target(body["Next"], "next")] if "Next" in body else []
    ways += [Target(body["Default"], "default", "else")] if "Default" in body else []
    ways += [Target(catch["Next"], "catch", ", ".join(catch["ErrorEquals"])) for catch in body.get("Catch", [])]
    found: dict[str, Target] = {}
    for way in ways:
        found.setdefault(way.state, way)
    return tuple(found.values())


def _kind(body: Mapping[str, Any]) -> str:
    resource = body.get("Resource", "")
    if ":lambda:" in resource:
        return "lambda"
    if ":dynamodb:" in resource:
        return "dynamodb"
    type_: str = body["Type"]
    return _OF_TYPE.get(type_, type_.lower())


def _resource(body: Mapping[str, Any]) -> str | None:
    resource: str = body.get("Resource", "")
    if ":states:::" not in resource:
        return resource or None
    parameters = body.get("Parameters") or body.get("Arguments")
    function = parameters.get("FunctionName") if isinstance(parameters, Mapping) else None
    return function if isinstance(function, str) else resource.partition(":states:::")[2]

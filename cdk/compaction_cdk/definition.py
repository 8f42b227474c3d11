"""The state machine's text, as far as a deployment must understand it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
NATIVE_DYNAMODB = "arn:aws:states:::dynamodb:"


class SubstitutionMismatch(ValueError):
    """The state machine asks for names that nobody fills in, or is given names that it does not use."""


def placeholders(text: str) -> set[str]:
    """The names in `${…}`."""
    return set(PLACEHOLDER.findall(text))


def check_substitutions(text: str, given: Collection[str]) -> None:
    """Raise SubstitutionMismatch unless the text asks for exactly the given names. A renamed placeholder would pass
    CloudFormation unnoticed in one direction and fail a deployment late in the other."""
    asked = placeholders(text)
    problems = []
    if missing := sorted(asked - set(given)):
        problems.append(f"no value for {', '.join(missing)}")
    if unused := sorted(set(given) - asked):
        problems.append(f"not used: {', '.join(unused)}")
    if problems:
        raise SubstitutionMismatch(f"state machine: {'; '.join(problems)}")


def states(level: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every state with its name, those inside a Map or a Parallel too."""
    for name, state in level["States"].items():
        yield name, state
        for inner in (state.get("ItemProcessor"), *state.get("Branches", ())):
            if inner:
                yield from states(inner)


def functions_asked_for(text: str) -> set[str]:
    """The functions that the text invokes: `${MergeDeltasArn}` is MergeDeltas."""
    return {name.removesuffix("Arn") for name in placeholders(text) if name.endswith("Arn")}


def collections_taken(text: str) -> tuple[str, ...]:
    """The collections that the first state lets in, in its order: the machine's own list is the deployment's."""

    def named(rule: Any) -> Iterator[str]:
        if isinstance(rule, list):
            for one in rule:
                yield from named(one)
        elif isinstance(rule, Mapping):
            if rule.get("Variable") == "$.collection" and "StringEquals" in rule:
                yield rule["StringEquals"]
            yield from named([value for value in rule.values() if isinstance(value, list)])

    machine = json.loads(text)
    return tuple(dict.fromkeys(named(machine["States"][machine["StartAt"]].get("Choices", ()))))


def dynamodb_actions(text: str) -> list[str]:
    """The IAM actions that the native DynamoDB states need, sorted."""
    resources = {state.get("Resource", "") for _name, state in states(json.loads(text))}
    calls = {resource.removeprefix(NATIVE_DYNAMODB) for resource in resources if resource.startswith(NATIVE_DYNAMODB)}
    return sorted(f"dynamodb:{call[0].upper()}{call[1:]}" for call in calls)

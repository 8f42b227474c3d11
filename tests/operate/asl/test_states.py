"""Each state of the state machine comes to what its definition says, whoever is asked."""

import copy
import json
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from operate.asl.answers import came_of_our_evaluator, came_of_test_state
from operate.asl.function_cases import VALUES, function_cases
from operate.asl.inputs import every_state
from operate.asl.reading import NotThere, at, chosen, is_so, placed, valued
from operate.asl.state_cases import Came, StateCase, is_read, results, state_cases

from .documented import DocumentedTestState

TEXT = (Path(__file__).parents[3] / "state_machines/compaction.asl.json").read_text()
MACHINE = json.loads(TEXT)
STATES = dict(every_state(MACHINE))
CASES = [*state_cases(MACHINE), *function_cases()]


def of_documents(case: StateCase) -> Came:
    return came_of_test_state(DocumentedTestState(), case)


ASKED = pytest.mark.parametrize("asked", [came_of_our_evaluator, of_documents])


@ASKED
def test_every_state_comes_to_what_its_definition_says(asked: Callable[[StateCase], Came]) -> None:
    assert [(one.label, one.expected, seen) for one in CASES if (seen := asked(one)) != one.expected] == []


def test_every_state_has_its_cases_and_every_rule_of_a_choice_is_one_that_some_case_takes() -> None:
    taken = defaultdict(set)
    for one in CASES:
        taken[one.state].add(one.expected.goes_to)
    assert set(taken) - {""} == set(STATES)
    choices = {name: state for name, state in STATES.items() if state["Type"] == "Choice"}
    assert len(choices) == 21
    for name, state in choices.items():
        assert taken[name] >= {rule["Next"] for rule in state["Choices"]} | {state["Default"]}, name


def test_every_task_whose_result_is_read_has_one_that_a_handler_gave() -> None:
    assert set(results()) == {name for name, state in STATES.items() if is_read(state)}
    assert all(results().values())


def test_every_function_that_a_state_calls_is_asked_alone() -> None:
    called = set(re.findall(r"States\.(\w+)\(", TEXT))
    assert called == {name for call, _, _ in VALUES for name in re.findall(r"States\.(\w+)\(", call)}


def a_path_of_parameters(states: dict[str, Any]) -> str:
    states["PlanCompaction"]["Parameters"]["Payload"]["collection.$"] = "$.input.colection"
    return "PlanCompaction"


def another_path_of_parameters(states: dict[str, Any]) -> str:
    states["PlanCompaction"]["Parameters"]["Payload"]["collection.$"] = "$.input.mode"
    return "PlanCompaction"


def a_path_of_a_result(states: dict[str, Any]) -> str:
    states["PlanCompaction"]["ResultSelector"]["more.$"] = "$.Payload.last"
    return "PlanCompaction"


def a_place_of_a_result(states: dict[str, Any]) -> str:
    states["WriteManifest"]["ResultPath"] = "$.plan"
    return "WriteManifest"


def an_output(states: dict[str, Any]) -> str:
    del states["ShardUnchanged"]["OutputPath"]
    return "ShardUnchanged"


def a_rule(states: dict[str, Any]) -> str:
    states["RoundsLeft"]["Choices"][0]["And"][0]["NumericLessThan"] = 60
    return "RoundsLeft"


def a_guard(states: dict[str, Any]) -> str:
    del states["IsFoldDue"]["Choices"][0]["And"][0]
    return "IsFoldDue"


def a_default(states: dict[str, Any]) -> str:
    del states["IsPaused"]["Default"]
    return "IsPaused"


def the_items_of_a_map(states: dict[str, Any]) -> str:
    states["MergeShards"]["ItemsPath"] = "$.plan"
    return "MergeShards"


def the_inputs_of_items(states: dict[str, Any]) -> str:
    states["FoldShards"]["ItemSelector"]["shard.$"] = "$$.Map.Item.Index"
    states["FoldShards"]["ItemSelector"]["into.$"] = "$.plan.base"
    return "FoldShards"


def a_function(states: dict[str, Any]) -> str:
    states["NextRound"]["Parameters"]["round.$"] = "States.MathAdd($.count.round, 2)"
    return "NextRound"


BROKEN = (
    *(a_path_of_parameters, another_path_of_parameters, a_path_of_a_result, a_place_of_a_result, an_output),
    *(a_rule, a_guard, a_default, the_items_of_a_map, the_inputs_of_items, a_function),
)


@ASKED
@pytest.mark.parametrize("break_it", BROKEN, ids=lambda one: one.__name__)
def test_a_state_that_is_broken_is_seen(
    asked: Callable[[StateCase], Came], break_it: Callable[[dict[str, Any]], str]
) -> None:
    """The cases are of the definition as it should be; what is asked is the broken one."""
    states = copy.deepcopy(STATES)
    name = break_it(states)
    assert any(asked(one.put_to(states[name])) != one.expected for one in CASES if one.state == name)


@pytest.mark.parametrize(
    ("rule", "data", "holds"),
    [
        ({"Variable": "$.a", "NumericLessThan": 3}, {"a": 2}, True),
        ({"Variable": "$.a", "NumericLessThan": 3}, {"a": 3}, False),
        ({"Variable": "$.a", "NumericEquals": 1}, {"a": True}, False),
        ({"Variable": "$.a", "NumericEquals": 1}, {"a": "1"}, False),
        ({"Variable": "$.a", "BooleanEquals": True}, {"a": "true"}, False),
        ({"Variable": "$.a", "StringMatches": "words-*"}, {"a": "words-2"}, True),
        ({"Variable": "$.a", "StringMatches": "words-*"}, {"a": "words"}, False),
        ({"Variable": "$.a", "StringEqualsPath": "$.b"}, {"a": "x", "b": "x"}, True),
        ({"Variable": "$.a", "IsPresent": False}, {}, True),
        ({"Not": {"Variable": "$.a", "IsString": True}}, {"a": 7}, True),
        ({"And": [{"Variable": "$.a", "IsPresent": True}, {"Variable": "$.a", "NumericEquals": 1}]}, {}, False),
        ({"Or": [{"Variable": "$.a", "NumericEquals": 1}, {"Variable": "$.b", "NumericEquals": 1}]}, {"a": 1}, True),
    ],
)
def test_what_a_rule_says_is_read_as_its_document_has_it(rule: dict[str, Any], data: Any, holds: bool) -> None:
    assert is_so(rule, data, {}) is holds


def test_what_is_expected_of_a_variable_that_is_not_there_is_an_error() -> None:
    rule = {"Variable": "$.a", "NumericEquals": 1, "Next": "Yes"}
    with pytest.raises(NotThere):
        chosen({"Choices": [rule], "Default": "No"}, {}, {})


def test_paths_and_places_are_read_as_their_documents_have_them() -> None:
    assert at("$.a[1].b", {"a": [0, {"b": "x"}]}, {}) == "x"
    assert at("$[*].a", [{"a": 1}, {"a": 2}], {}) == [1, 2]
    assert at("$$.Execution.Name", {}, {"Execution": {"Name": "e"}}) == "e"
    assert valued("States.Format('{}-{}', $.a, States.MathAdd($.b, 1))", {"a": "x", "b": 1}, {}) == "x-2"
    assert placed("$.a.b", {"a": {"c": 1}}, 2) == {"a": {"c": 1, "b": 2}}
    assert placed(None, {"a": 1}, 2) == {"a": 1}

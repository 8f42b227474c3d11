"""Each Task and Map of the state machine handles each error as its retriers and catchers say, whoever is asked."""

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from operate.asl.answers import of_our_evaluator, of_test_state
from operate.asl.error_cases import UNKNOWN, ErrorCase, Handled, error_cases, tasks

from .documented import DocumentedTestState

MACHINE = json.loads((Path(__file__).parents[3] / "state_machines/compaction.asl.json").read_text())
CASES = error_cases(MACHINE)


def of_documents(case: ErrorCase) -> Handled:
    return of_test_state(DocumentedTestState(), case)


ASKED = pytest.mark.parametrize("asked", [of_our_evaluator, of_documents])


@ASKED
def test_every_task_handles_every_error_as_its_rules_say(asked: Callable[[ErrorCase], Handled]) -> None:
    assert {one.state for one in CASES} == {name for name, _ in tasks(MACHINE)}
    assert {one.state for one in CASES if one.error == UNKNOWN} == {one.state for one in CASES}
    wrong = [(one.state, one.error, one.expected, seen) for one in CASES if (seen := asked(one)) != one.expected]
    assert wrong == []


def no_second_retrier(state: dict[str, Any]) -> None:
    del state["Retry"][1]


def one_retry_less(state: dict[str, Any]) -> None:
    state["Retry"][0]["MaxAttempts"] -= 1


def one_retry_more(state: dict[str, Any]) -> None:
    state["Retry"][0]["MaxAttempts"] += 1


def retriers_swapped(state: dict[str, Any]) -> None:
    state["Retry"].reverse()


def another_way_on(state: dict[str, Any]) -> None:
    state["Catch"][0]["Next"] = "Elsewhere"


def no_catcher(state: dict[str, Any]) -> None:
    del state["Catch"]


BROKEN = [no_second_retrier, one_retry_less, one_retry_more, retriers_swapped, another_way_on, no_catcher]


@ASKED
@pytest.mark.parametrize("break_it", BROKEN, ids=lambda one: one.__name__)
def test_a_broken_retrier_or_catcher_of_a_state_is_seen(
    asked: Callable[[ErrorCase], Handled], break_it: Callable[[dict[str, Any]], None]
) -> None:
    """The cases are of the definition as it should be; what is asked is the broken one."""
    broken = copy.deepcopy(MACHINE["States"]["StartFold"])
    break_it(broken)
    assert any(asked(replace(one, definition=broken)) != one.expected for one in CASES if one.state == "StartFold")


def test_a_path_of_a_task_that_leads_nowhere_is_an_error() -> None:
    one = next(one for one in CASES if one.state == "StartFold")
    broken = {**one.definition, "Parameters": {"a.$": "$.not.there"}}
    with pytest.raises(Exception, match=r"States\.Runtime"):
        of_our_evaluator(replace(one, definition=broken))


def test_a_new_task_has_its_cases_at_once() -> None:
    new: Mapping[str, Any] = {"Type": "Task", "Parameters": {}, "Retry": [{"ErrorEquals": ["Busy"], "MaxAttempts": 2}]}
    found = error_cases({"States": {**MACHINE["States"], "New": new}})
    assert [(one.error, one.expected) for one in found if one.state == "New"] == [
        ("Busy", Handled(0, 2, None)),
        (UNKNOWN, Handled(None, 0, None)),
    ]

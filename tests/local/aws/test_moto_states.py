"""moto's interpreter comes to what the States Language says, or its difference is known and still there."""

import json
from collections import Counter
from pathlib import Path

import pytest

from local.aws.moto_differences import MOTO_DIFFERENCES
from local.aws.moto_states import came_by_moto, handled_by_moto
from operate.asl.error_cases import error_cases
from operate.asl.function_cases import function_cases
from operate.asl.state_cases import state_cases
from operate.conform.level_0 import known_difference

MACHINE = json.loads((Path(__file__).parents[3] / "state_machines/compaction.asl.json").read_text())
CASES = [*state_cases(MACHINE), *function_cases()]
ERRORS = error_cases(MACHINE)
EVERY = 40


def told(cases: list, errors: list) -> tuple[list, Counter]:
    """What is neither equal nor known, and how often each known difference was met."""
    unknown, known = [], Counter()
    for one in cases:
        seen = came_by_moto(one)
        if seen != one.expected:
            difference = known_difference(one, seen, MOTO_DIFFERENCES)
            known[difference] += 1
            if difference is None:
                unknown.append((one.label, one.expected, seen))
    unknown += [(one.state, one.error, seen) for one in errors if (seen := handled_by_moto(one)) != one.expected]
    return unknown, known


def test_some_of_the_cases_are_equal_or_known() -> None:
    unknown, known = told(CASES[::EVERY], ERRORS[::EVERY])
    assert unknown == []
    assert known


def test_moto_sees_a_state_that_is_broken() -> None:
    one = next(one for one in CASES if one.state == "PlanCompaction" and one.what.startswith("result"))
    broken = json.loads(json.dumps(one.definition))
    broken["ResultSelector"]["more.$"] = "$.Payload.receipts"
    assert came_by_moto(one.put_to(broken)) != one.expected == came_by_moto(one)
    failing = next(one for one in ERRORS if one.state == "StartFold" and one.expected.retrier == 1)
    del (broken := json.loads(json.dumps(failing.definition)))["Retry"][1]
    assert handled_by_moto(failing.put_to(broken)) != failing.expected == handled_by_moto(failing)


@pytest.mark.slow
def test_all_cases_are_equal_or_known_and_each_known_difference_is_still_there() -> None:
    unknown, known = told(CASES, ERRORS)
    assert unknown == []
    assert set(known) == set(MOTO_DIFFERENCES)

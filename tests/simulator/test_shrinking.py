"""A history that breaks a law is shortened as far as it goes on breaking it, and what is left replays exactly."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .broken import Broken
from .choices import Drawn, Replayed, Script, Step
from .conftest import Stage
from .effects import Kind
from .faults import FAULTS
from .seeds import law_of, run_choices
from .shrinking import fewest, shrunk, shrunk_failure

CRASH, REFUSE = Kind.CRASH_AFTER, Kind.REFUSE
LONG = Script(
    3,
    [
        *(Step("edit", [n], 5, {n: REFUSE, n + 9: CRASH}, [n, n + 1], {1: 0}) for n in range(9)),
        Step("delete", [2], 0, {4: REFUSE, 7: REFUSE}, [3], {2: 0}),
        *(Step("deliver", [1], 1000, {3: CRASH}, [], {5: 0}) for _ in range(4)),
        Step("tick", [], 30, {2: CRASH, 8: CRASH, 40: REFUSE}, [2, 8], {1: 0, 6: 0}),
        Step("edit", [1], 5),
    ],
)


def crash_of_a_tick_after_a_deletion(script: Script) -> bool:
    names = [one.act for one in script.steps]
    late = script.steps[names.index("delete") + 1 :] if "delete" in names else []
    return any(one.act == "tick" and one.faults.get(8) is CRASH and 6 in one.order for one in late)


def test_a_toy_is_shrunk_to_the_acts_the_fault_and_the_turn_that_its_law_needs() -> None:
    short = shrunk(LONG, crash_of_a_tick_after_a_deletion)
    assert short.script == Script(3, [Step("delete", [2], 0), Step("tick", [], 30, {8: CRASH}, [], {6: 0})])
    assert short.runs < 100


@pytest.mark.parametrize("most", [0, 1, 9])
def test_when_runs_are_used_up_what_was_found_by_then_breaks_the_law_still(most: int) -> None:
    tried: list[Script] = []

    def breaks(script: Script) -> bool:
        tried.append(script)
        return crash_of_a_tick_after_a_deletion(script)

    short = shrunk(LONG, breaks, most_runs=most)
    assert short.runs == len(tried) == most
    assert crash_of_a_tick_after_a_deletion(short.script)
    assert short.script == LONG or short.script in tried


@given(st.integers(0, 40).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, max(0, n - 1)), max_size=n))))
def test_what_is_needed_is_left_and_nothing_else(given: tuple[int, set[int]]) -> None:
    items, needed = range(given[0]), given[1]
    assert fewest(items, lambda few: needed <= set(few)) == sorted(needed)


@given(st.sets(st.integers(0, 30), min_size=1), st.integers(1, 31))
def test_none_of_those_that_are_left_can_be_left_out(items: set[int], least: int) -> None:
    """Also where it is no matter of single ones: here, of how many there are."""
    enough: Callable[[list[int]], bool] = lambda few: len(few) >= min(least, len(items))  # noqa: E731
    assert len(fewest(sorted(items), enough)) == min(least, len(items))


def test_a_script_is_a_text_that_a_shell_takes_between_single_quotes() -> None:
    text = LONG.encode()
    assert Script.decode(text) == LONG
    assert "'" not in text
    assert "\n" not in text


@pytest.mark.parametrize("text", ["{", "7", '{"seed": 1}', '{"seed": 1, "steps": [{"acts": "edit"}]}',
                                  '{"seed":1,"steps":[{"act":"_tick","faults":{"2":"earthquake"}}]}'])  # fmt: skip
def test_what_is_no_script_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"script|Expecting|earthquake"):
        Script.decode(text)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["a record stays though its word is gone", "a commit needs neither lease nor base"])
def test_a_seed_that_finds_a_deliberate_fault_is_told_as_a_shorter_history_that_replays(
    stage: Stage, name: str
) -> None:
    fault = FAULTS[name]
    with fault.breaks(stage[0]):
        choices, error = first_that_breaks(stage, fault.law)
        told = shrunk_failure(*stage, choices, error)
        (text,) = re.findall(r"^make simulate REPLAY='(.*)'$", told, re.MULTILINE)
        short = Script.decode(text)
        assert 2 * len(short.steps) <= len(choices.script.steps)
        assert short.faults <= choices.script.faults
        for _ in range(2):
            with pytest.raises(Broken) as again:
                run_choices(*stage, Replayed(short))
            assert law_of(again.value) == law_of(error)
            assert again.value.__notes__[0] in told
    run_choices(*stage, Replayed(short))


def first_that_breaks(stage: Stage, law: str) -> tuple[Drawn, Broken]:
    for seed in range(40):
        choices = Drawn(seed)
        try:
            run_choices(*stage, choices)
        except Broken as broken:
            if str(broken).startswith(law):
                return choices, broken
    raise AssertionError(f"no seed finds that {law} is broken")

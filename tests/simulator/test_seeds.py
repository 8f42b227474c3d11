"""Random histories: the invariants hold at the end of each, and a seed is the same history every time."""

import pytest

from .choices import Drawn, Replayed, Script
from .conftest import Stage
from .seeds import run_choices, run_seed

pytestmark = pytest.mark.timeout(3600)  # of a machine that has other work


@pytest.mark.parametrize("seed", range(6))
def test_a_random_history_loses_nothing_and_publishes_nothing_wrong(stage: Stage, seed: int) -> None:
    run_seed(*stage, seed)


def test_a_seed_is_the_same_history_each_time_and_so_is_what_was_written_down_of_it(stage: Stage) -> None:
    """One with many faults, and executions that are stopped."""
    drawn = Drawn(12)
    one, other = (run_choices(*stage, choices).story for choices in (drawn, Drawn(12)))
    assert one == other
    assert run_choices(*stage, Replayed(Script.decode(drawn.script.encode()))).story == one


@pytest.mark.slow
def test_two_hundred_random_histories_hold(stage: Stage) -> None:
    for seed in range(6, 200):
        run_seed(*stage, seed)

"""Random histories: the invariants hold at the end of each, and a seed is the same history every time."""

import pytest

from .conftest import Stage
from .seeds import run_seed

pytestmark = pytest.mark.timeout(3600)  # of a machine that has other work


@pytest.mark.parametrize("seed", range(6))
def test_a_random_history_loses_nothing_and_publishes_nothing_wrong(stage: Stage, seed: int) -> None:
    run_seed(*stage, seed)


def test_a_seed_is_the_same_history_each_time(stage: Stage) -> None:
    """One with many faults, and executions that are stopped."""
    one, other = (run_seed(*stage, 12).story for _ in range(2))
    assert one == other


@pytest.mark.slow
def test_two_hundred_random_histories_hold(stage: Stage) -> None:
    for seed in range(6, 200):
        run_seed(*stage, seed)

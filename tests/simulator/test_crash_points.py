"""CrashLeavesGarbageOnly, at every effect of every act: what goes wrong there is made good by the schedule alone.

The effects are those that the machine has today: one that is added is covered by that.
"""

import pytest

from .broken import Broken
from .conftest import Stage
from .effects import Kind
from .scenarios import ACTS, change, effects_of, renewed, writes_of
from .trial import Trial, run_act

pytestmark = pytest.mark.timeout(1800)  # of a machine that has other work


def every(stage: Stage, act: str, kind: Kind, *, step: int = 1) -> None:
    """One trial for each effect that writes, or for each `step`-th of them."""
    machine, start = stage
    start = renewed(machine, start) if act == "switch" else start
    writes = writes_of(machine, start, ACTS[act])
    assert len(writes) >= 8, "an act is made of effects"
    for number, _ in writes[::step]:
        run_act(machine, start, ACTS[act], {number: kind})


def test_nothing_goes_wrong_where_nothing_does(stage: Stage) -> None:
    machine, start = stage
    for name, act in ACTS.items():
        run_act(machine, renewed(machine, start) if name == "switch" else start, act, {})
        if name == "switch":
            assert machine.item()["serving"] == "words-2"


# Every third effect and every sixth here; all of them, with all kinds and acts, among the slow tests.


@pytest.mark.slow
def test_a_function_that_dies_before_an_effect_of_a_publication_is_made_good(stage: Stage) -> None:
    every(stage, "publish", Kind.CRASH_BEFORE, step=3)


@pytest.mark.slow
def test_an_execution_that_is_overtaken_before_an_effect_of_a_publication_harms_nothing(stage: Stage) -> None:
    every(stage, "publish", Kind.OVERTAKE, step=6)


def a_change_at_every(stage: Stage, act: str, *, step: int = 1) -> None:
    """Before each effect (each `step`-th), of reads too, a receipt of the act changes and others do what they can."""
    machine, start = stage
    for number in range(len(effects_of(machine, start, ACTS[act])))[::step]:
        trial = Trial(machine, start)
        try:
            trial.meanwhile(number, change)
            ACTS[act](trial)
            trial.is_prompt()
            trial.heal()
        except Broken as broken:
            raise Broken(f"a change at {number}: {broken}\n{trial.story}") from None


@pytest.mark.slow
def test_a_change_that_comes_at_an_effect_of_a_publication_waits_for_no_schedule(stage: Stage) -> None:
    a_change_at_every(stage, "publish", step=30)


@pytest.mark.slow
@pytest.mark.parametrize("act", ["publish", "fold", "reshard"])
def test_a_change_that_comes_at_any_effect_waits_for_no_schedule(stage: Stage, act: str) -> None:
    a_change_at_every(stage, act)


@pytest.mark.slow
@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("act", ACTS)
def test_whatever_goes_wrong_at_any_effect_of_any_act_is_made_good(stage: Stage, act: str, kind: Kind) -> None:
    every(stage, act, kind)


@pytest.mark.slow
def test_the_same_run_twice_has_the_same_effects(stage: Stage) -> None:
    for act in (ACTS["publish"], ACTS["fold"]):
        assert effects_of(*stage, act) == effects_of(*stage, act)


def test_a_process_that_died_has_no_effect_any_more(stage: Stage) -> None:
    """Its `finally` and its clean-ups run here, as they would not where it was killed: nothing comes of them."""
    machine, start = stage
    effects = effects_of(machine, start, ACTS["publish"])
    at = next(n for n, effect in enumerate(effects) if effect.what == "efs.replace")
    trial = Trial(machine, start)
    trial.go_wrong({at: Kind.CRASH_BEFORE})
    ACTS["publish"](trial)
    machine.scheduler.run(until=lambda: len(machine.gate.seen) > at + 1)
    who = effects[at].who
    assert [effect for effect in machine.gate.seen[at + 1 :] if effect.who == who] == []
    assert list(machine.own.iterdir()), "its own disk is as it left it"
    machine.scheduler.end()

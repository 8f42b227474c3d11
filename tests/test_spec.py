"""The models of docs/spec: every law holds within the bounds, no guard can go, and they are of the machine as it is."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SPEC = ROOT / "docs/spec"

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(SPEC)
    import blaming
    import execution
    import expiring
    import explore
    import folding
    import publishing
    import quarantining
    import restoring
    import switching

MODELS = (publishing, quarantining, blaming, folding, expiring, switching, restoring)
WHOLE = [pytest.param(one, id=one.title) for model in MODELS for one in model.WHOLE if one.is_small]
LARGE = [pytest.param(one, id=one.title) for model in MODELS for one in model.WHOLE if not one.is_small]
WITHOUT = [pytest.param(one, id=f"{model.__name__}-{one.guard.name}") for model in MODELS for one in model.WITHOUT]

NOT_IN_A_MODEL = {
    "PreviewPlan": "takes no lease and changes nothing",
    "VerifySnapshot": "reads only",
    "DownloadSnapshot": "makes the files of one version be there, again and again; files are the simulator's",
    "ValidateShard": "reads only",
    "ValidateFold": "reads only",
    "ValidateReshard": "reads only",
    "PlanFold": "reads the version that FoldShard stages from; one step of the model",
    "ExpireByHand": "ExpireSnapshots, asked for by hand",
    "StartFold": "starts an execution, which may begin at any moment here",
    "StartGenerations": "starts executions, which may begin at any moment here",
}
"""Task states that no model has a step of, and why."""


def states(level: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in level["States"].items():
        yield name, state
        if state["Type"] == "Map":
            yield from states(state["ItemProcessor"])


STATES = dict(states(json.loads((ROOT / "state_machines/compaction.asl.json").read_text())))


@cache
def searched(model: Any) -> explore.Searched:
    """Each search once, whichever tests want it."""
    return explore.search(model)


@pytest.mark.parametrize("bounds", WHOLE)
def test_every_state_within_small_bounds_keeps_the_laws(bounds: explore.Bounds) -> None:
    found = searched(bounds.model)
    assert (found.law, found.story) == (None, ())
    assert found.states > 100


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("bounds", LARGE)
def test_so_does_every_state_within_the_larger_ones(bounds: explore.Bounds) -> None:
    found = searched(bounds.model)
    assert (found.law, found.story) == (None, ())


@pytest.mark.parametrize("left_out", WITHOUT)
def test_a_guard_that_is_left_out_has_a_schedule_that_breaks_its_law(left_out: explore.Without) -> None:
    assert searched(left_out.model).law is left_out.law


def test_every_guard_is_left_out_once() -> None:
    guards = [*execution.Guard, *(guard for model in MODELS[1:] for guard in model.Guard)]
    assert sorted(map(repr, guards)) == sorted(repr(one.guard) for model in MODELS for one in model.WITHOUT)


def test_every_guard_stands_where_the_model_says() -> None:
    guards = [guard for model in (execution, *MODELS[1:]) for guard in model.Guard]
    for where, text in (guard.split(" | ", 1) for guard in guards):
        there = json.dumps(STATES[where]) if where in STATES else (ROOT / where).read_text()
        assert text in there, f"{where} has no {text}: mend the model, or the machine"


def test_every_task_is_a_step_of_a_model_or_it_is_said_why_not() -> None:
    taken: set[str] = set()
    for model in MODELS:
        for one in (*model.WHOLE, *model.WITHOUT):
            if one.is_small:
                taken |= searched(one.model).taken
    tasks = {name for name, state in STATES.items() if state["Type"] == "Task"}
    named = {name for name in taken if name[0].isupper() and name.isalpha()}
    assert named <= tasks
    assert tasks - named == NOT_IN_A_MODEL.keys()

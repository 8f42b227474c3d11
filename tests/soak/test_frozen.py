"""A worker is stopped by a signal in the middle of a step, others take over and do the work, and then it goes on."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from local.demo.samples.producer import COLLECTIONS

from .faults import stop_executions
from .load import Load
from .stage import Stage, published, running
from .test_faults import HEAL_SECONDS, SEED, begun

PATIENT = 180.0
"""Seconds that a function may take here, so that it is thawed and not ended by its own time-out."""

ROUND = (
    "PlanCompaction",
    "MergeDeltas",
    "ValidateShard",
    "WriteManifest",
    "SwapPointer",
    "SettleChanges",
    "ExpireSnapshots",
)
RESHARD = ("PlanFold", "FoldShard", "ValidateFold", "WriteFold", "ValidateReshard")
ONLY_READS = ("ValidateShard", "ValidateFold", "ValidateReshard", "PlanFold", "ExpireSnapshots")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("frozen") / "stack"
    with running(folder, seed=SEED, function_timeout_seconds=PATIENT, expire_grace_seconds=int(PATIENT)) as started:
        yield started


@pytest.fixture(scope="module")
def load(stage: Stage) -> Load:
    """Every test leaves all of it published."""
    return begun(stage, about=5)


@pytest.mark.parametrize("function", [*ROUND, *RESHARD])
def test_a_worker_that_is_stopped_past_a_take_over_changes_nothing_when_it_goes_on(
    stage: Stage, load: Load, function: str
) -> None:
    shards = 2 if stage.control.head("words").read().shards == 3 else 3  # type: ignore[union-attr]
    asked: dict[str, Any] = {"mode": "reshard", "shards": shards}
    with stage.frozen_at(function, writing=function not in ONLY_READS) as (caught, thaw):
        load.change("merchant")
        load.change("create")
        if function in RESHARD:
            for name in COLLECTIONS:
                stage.stack.executions.start(name, **asked)
        assert caught.wait(60), f"{function} was not caught at a request"
        assert stop_executions(stage, holders_alone=False) > 0
        load.change("merchant")
        stage.heal(HEAL_SECONDS)
        before = {name: place(stage, name) for name in COLLECTIONS}
        thaw.set()
        until_idle(stage, function)
    stage.heal(HEAL_SECONDS)
    for name in COLLECTIONS:
        assert place(stage, name) >= before[name]
    load.change("merchant")
    stage.heal(HEAL_SECONDS)


def place(stage: Stage, collection: str) -> tuple[int, int, str]:
    """What may only grow."""
    head = stage.head(collection)
    assert head is not None
    return head.version, head.fence, str(published(stage, collection)["snapshot_id"])


def until_idle(stage: Stage, function: str) -> None:
    deadline = time.monotonic() + 60
    while stage.stack.workers.in_flight(function):
        assert time.monotonic() < deadline, f"the late {function} does not end"
        threading.Event().wait(0.05)

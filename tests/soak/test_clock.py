"""Wall clocks of workers that jump, hours to a year ahead and back, while work is done: the lease has no clock."""

from collections.abc import Iterator

import pytest

from local.demo.samples.producer import COLLECTIONS

from .faults import CLOCKS
from .load import Load
from .stage import FAKETIME, Stage, running
from .test_faults import HEAL_SECONDS, SEED, begun, strike

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(FAKETIME is None, reason="no libfaketime here: apt-get install libfaketime"),
]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running(tmp_path_factory.mktemp("clock") / "stack", seed=SEED, clock=True) as started:
        yield started


@pytest.fixture
def load(stage: Stage) -> Load:
    return begun(stage)


@pytest.mark.parametrize("by", CLOCKS)
def test_what_is_published_under_a_clock_that_is_wrong_is_what_it_should_be(stage: Stage, load: Load, by: str) -> None:
    with stage.clock_turned(by):
        for kind in ("merchant", "create", "recreate", "relabel"):
            load.change(kind)
        stage.heal(HEAL_SECONDS)
    load.change("create")
    stage.heal(HEAL_SECONDS)
    fences = {name: head.fence for name in COLLECTIONS if (head := stage.head(name))}
    assert all(fences.values())


def test_a_clock_that_jumps_under_load_heals(stage: Stage, load: Load) -> None:
    assert strike(stage, load, "clock turned") == 1

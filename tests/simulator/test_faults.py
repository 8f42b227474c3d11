"""Each deliberate fault is found, by the law that it breaks; and the trial that finds it holds without it."""

import re
from pathlib import Path

import pytest

from .broken import Broken
from .conftest import Stage
from .faults import FAULTS
from .trial import Trial

pytestmark = pytest.mark.timeout(1800)  # of a machine that has other work


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_deliberate_fault_is_found(stage: Stage, name: str) -> None:
    fault = FAULTS[name]
    trial = Trial(*stage)
    with fault.breaks(stage[0]), pytest.raises(Broken, match=f"^{fault.law}"):  # noqa: PT012 -- any of the two
        fault.find(trial)
        trial.heal()


def test_the_document_names_every_deliberate_fault() -> None:
    document = (Path(__file__).parents[2] / "docs/reliability.md").read_text()
    table = document.partition("| Fault | Found as |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| (.+) \| \w+[,:]? ?.*\|$", table, re.MULTILINE) == list(FAULTS)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_the_same_trial_holds_without_the_fault(stage: Stage, name: str) -> None:
    trial = Trial(*stage)
    FAULTS[name].find(trial)
    trial.heal()

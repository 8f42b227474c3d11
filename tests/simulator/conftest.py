"""One machine for the tests of a file, and the two versions that their trials begin with."""

from collections.abc import Iterator

import pytest

from .scenarios import two_versions
from .trial import Start
from .world import Machine

Stage = tuple[Machine, Start]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Not longer than a file: the one that needs a local stack has another moto."""
    with Machine(tmp_path_factory.mktemp("machine")).running() as machine:
        yield machine, two_versions(machine)

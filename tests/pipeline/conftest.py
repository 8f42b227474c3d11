"""One local stack for all pipeline tests, with the real ASL file and handlers; emptied between tests.

Every change writes a base here; what is particular to segments is in `tests/folds`.
"""

from collections.abc import Iterator

import pytest

from local.settings import StackSettings
from local.stack import LocalStack

from .world import World


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    settings = StackSettings(
        schedule_seconds=None,  # a test that wants the schedule calls it
        batch_window_seconds=0.2,
        poll_seconds=0.05,
        keep_snapshots=2,
        expire_grace_seconds=0,
        fold_most=0,
        environment={"MAX_RECEIPTS_PER_ROUND": "5"},
    )
    with LocalStack(tmp_path_factory.mktemp("stack"), settings) as running:
        yield running


@pytest.fixture
def world(stack: LocalStack) -> World:
    stack.reset()
    return World(stack)

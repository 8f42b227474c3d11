"""One local stack for all pipeline tests, with the real ASL file and handlers; emptied between tests.

Every change writes a base here; what is particular to segments is in `tests/folds`.
"""

from collections.abc import Iterator

import pytest

from local.stack import LocalStack
from tests.quiet_stack import quiet_stack

from .world import World


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with quiet_stack(
        tmp_path_factory.mktemp("stack"),
        keep_snapshots=2,
        expire_grace_seconds=0,
        fold_most=0,
        environment={"MAX_RECEIPTS_PER_ROUND": "5"},
    ) as running:
        yield running


@pytest.fixture
def world(stack: LocalStack) -> World:
    stack.reset()
    return World(stack)

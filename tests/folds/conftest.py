"""One local stack whose fold bound is two receipts of three words; emptied between tests."""

from collections.abc import Iterator

import pytest

from local.stack import LocalStack
from tests.quiet_stack import quiet_stack

from .world import FoldWorld


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with quiet_stack(tmp_path_factory.mktemp("stack"), fold_least=6, fold_most=6, fold_segments=256) as running:
        yield running


@pytest.fixture
def world(stack: LocalStack) -> FoldWorld:
    stack.reset()
    return FoldWorld(stack)

"""One local stack with a small fold bound; emptied between tests."""

from collections.abc import Iterator

import pytest

from local.stack import LocalStack
from tests.quiet_stack import quiet_stack

from .world import GenerationWorld


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with quiet_stack(tmp_path_factory.mktemp("stack"), fold_least=12, fold_most=12) as running:
        yield running


@pytest.fixture
def world(stack: LocalStack) -> GenerationWorld:
    stack.reset()
    return GenerationWorld(stack)

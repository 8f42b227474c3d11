"""One local stack with a small fold bound; emptied between tests."""

from collections.abc import Iterator

import pytest

from local.settings import StackSettings
from local.stack import LocalStack

from .world import GenerationWorld


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    settings = StackSettings(
        schedule_seconds=None,  # a test that wants the schedule calls it
        batch_window_seconds=0.2,
        poll_seconds=0.05,
        fold_least=12,
        fold_most=12,
    )
    with LocalStack(tmp_path_factory.mktemp("stack"), settings) as running:
        yield running


@pytest.fixture
def world(stack: LocalStack) -> GenerationWorld:
    stack.reset()
    return GenerationWorld(stack)

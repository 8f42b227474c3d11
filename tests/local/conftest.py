"""A stack that runs toy handlers and a toy state machine, so that the stack is tested and nothing else."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local.application import Application, functions_of
from local.settings import StackSettings
from local.stack import LocalStack

TOY = Path(__file__).parent / "toy"
QUICK = StackSettings(
    schedule_seconds=None,
    poll_seconds=0.05,
    batch_window_seconds=0.2,
    retry_attempts=2,
    retry_backoff_seconds=0.01,
    init_timeout_seconds=30,
)


def toy_application() -> Application:
    steps = functions_of(["Echo", "Hold", "Misbehave"], package="toy_handlers")
    (listen,) = functions_of(["Listen"], package="toy_handlers")
    return Application(root=TOY, definition=TOY / "toy.asl.json", steps=steps, stream_handler=listen)


@pytest.fixture(scope="module")
def module_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """One stack for a module's tests: starting one is what costs."""
    settings = replace(QUICK, shards=3, environment={"TOY": "yes"})
    with LocalStack(tmp_path_factory.mktemp("stack"), settings, application=toy_application(), filters=()) as stack:
        yield stack


@pytest.fixture
def stack(module_stack: LocalStack) -> Iterator[LocalStack]:
    """The module's stack, as new."""
    yield module_stack
    module_stack.reset()

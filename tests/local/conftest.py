"""A stack that runs toy handlers and a toy state machine, so that the stack is tested and nothing else."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from local.stack import LocalStack

from .tools import QUICK, toy_application


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

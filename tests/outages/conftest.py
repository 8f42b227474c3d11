"""One local stack whose retries wait for nothing, so that an outage of fifty schedules is one of minutes."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from local.application import REPOSITORY
from local.stack import LocalStack
from tests.pipeline.world import World
from tests.quiet_stack import quiet_stack

QUICK = Path(__file__).parent / "quick"


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl

    with (
        pytest.MonkeyPatch.context() as quick,
        quiet_stack(
            tmp_path_factory.mktemp("stack"),
            retry_backoff_seconds=0.01,
            environment={"PYTHONPATH": os.pathsep.join(map(str, (QUICK, REPOSITORY)))},
        ) as running,
    ):
        quick.setattr(retrier_decl, "time", SimpleNamespace(sleep=lambda _seconds: None))
        yield running


@pytest.fixture
def world(stack: LocalStack) -> World:
    stack.reset()
    return World(stack)

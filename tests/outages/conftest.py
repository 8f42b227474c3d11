"""One local stack whose retries wait for nothing, so that an outage of fifty schedules is one of minutes."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from local.application import REPOSITORY
from local.settings import StackSettings
from local.stack import LocalStack
from tests.pipeline.world import World

QUICK = Path(__file__).parent / "quick"


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl

    settings = StackSettings(
        schedule_seconds=None,  # the tests are the schedule
        batch_window_seconds=0.2,
        poll_seconds=0.05,
        retry_backoff_seconds=0.01,
        environment={"PYTHONPATH": os.pathsep.join(map(str, (QUICK, REPOSITORY)))},
    )
    with pytest.MonkeyPatch.context() as quick, LocalStack(tmp_path_factory.mktemp("stack"), settings) as running:
        quick.setattr(retrier_decl, "time", SimpleNamespace(sleep=lambda _seconds: None))
        yield running


@pytest.fixture
def world(stack: LocalStack) -> World:
    stack.reset()
    return World(stack)

"""One local stack for all operator tests, with the real ASL file and handlers; emptied between tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.settings import StackSettings
from local.stack import LocalStack

from .desk import Desk


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    settings = StackSettings(
        schedule_seconds=None,  # what an operator starts is all that starts, but for the stream
        batch_window_seconds=0.2,
        poll_seconds=0.1,
        keep_snapshots=2,
        expire_grace_seconds=0,
    )
    with LocalStack(tmp_path_factory.mktemp("stack"), settings) as running:
        yield running


@pytest.fixture
def desk(
    stack: LocalStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Desk:
    return Desk.at(stack, tmp_path, monkeypatch, capsys)

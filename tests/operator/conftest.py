"""One local stack for all operator tests, with the real ASL file and handlers; emptied between tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.stack import LocalStack
from tests.quiet_stack import quiet_stack

from .desk import Desk


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with quiet_stack(tmp_path_factory.mktemp("stack"), keep_snapshots=2, expire_grace_seconds=0) as running:
        yield running


@pytest.fixture
def desk(
    stack: LocalStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Desk:
    return Desk.at(stack, tmp_path, monkeypatch, capsys)

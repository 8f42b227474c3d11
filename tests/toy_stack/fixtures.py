"""Fixtures of a toy stack for every test that asks for one, in a process of its own: moto is one per process, and other
tests have theirs in this one."""

import itertools
import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from console.cli.main import main
from operate.connection import Connection, save_local
from operate.stack import Stack

from ..moto_elsewhere import moto_elsewhere
from .kept_histories import KeptHistory
from .toy import ToyStack, toy_connection
from .version_histories import History, NewHistory, mixed_schemas, segments_and_a_fold, three_versions


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    with moto_elsewhere() as url:
        yield url


@pytest.fixture
def connection(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """The connection of a stack that was just created, in the current directory's stack file too."""
    _reset(endpoint)
    monkeypatch.chdir(tmp_path)
    connection = toy_connection(endpoint)
    save_local(connection)
    return connection


@pytest.fixture
def stack(connection: Connection) -> ToyStack:
    stack = ToyStack(connection)
    stack.create()
    return stack


@pytest.fixture
def operator(stack: ToyStack) -> Stack:
    return Stack(stack.connection)


@pytest.fixture(scope="session")
def kept_histories() -> dict[tuple[str, int], KeptHistory]:
    """By the function that fills them, and their shards."""
    return {}


@pytest.fixture(scope="module")
def new_history(
    endpoint: str, tmp_path_factory: pytest.TempPathFactory, kept_histories: dict[tuple[str, int], KeptHistory]
) -> NewHistory:
    """Tables, a bucket and a folder as EFS for each history; the module keeps them all."""
    _reset(endpoint)
    stack = ToyStack(toy_connection(endpoint))
    stack.create_machine()
    numbers = itertools.count()

    def make(shards: int, filled: Callable[[History], History] | None = None) -> History:
        name = f"history-{next(numbers)}"
        stack.s3.create_bucket(Bucket=name)
        for table in ("receipts", "control"):
            stack.create_table(f"{name}-{table}")
        folder = tmp_path_factory.mktemp(name)
        history = History(stack.dynamodb, stack.s3, name, folder, shards, like=stack.connection)
        if filled is None:
            return history
        kept = kept_histories.get(key := (filled.__name__, shards))
        if kept is not None:
            return kept.put_into(history)
        kept_histories[key] = KeptHistory.of(filled(history), tmp_path_factory.mktemp("kept"))
        return history

    return make


@pytest.fixture(scope="module")
def history(new_history: NewHistory) -> History:
    """Three versions of four shards that a module's tests read, see `three_versions`."""
    return new_history(4, three_versions)


@pytest.fixture(scope="module")
def segmented(new_history: NewHistory) -> History:
    """Six versions of two shards with segments between them, see `segments_and_a_fold`."""
    return new_history(2, segments_and_a_fold)


@pytest.fixture(scope="module")
def mixed(new_history: NewHistory) -> History:
    """Six versions of both schema versions, see `mixed_schemas`."""
    return new_history(2, mixed_schemas)


class Said:
    """The exit code of a command, and what it said where."""

    def __init__(self, code: int, captured: "pytest.CaptureResult[str]") -> None:
        self.code, self.out, self.err = code, captured.out, captured.err

    @property
    def json(self) -> dict[str, object]:
        (line,) = self.out.splitlines()
        value = json.loads(line)
        assert isinstance(value, dict)
        return value

    @property
    def error_line(self) -> str:
        """What it said on stderr: one line, and nothing on stdout."""
        assert self.out == ""
        (line,) = self.err.splitlines()
        return line


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Runs one command at 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*argv: str) -> Said:
        return Said(main(argv), capsys.readouterr())

    return run


def _reset(endpoint: str) -> None:
    _post(f"{endpoint}/moto-api/reset", b"")
    _post(f"{endpoint}/moto-api/config", b'{"stepfunctions": {"execute_state_machine": true}}')


def _post(url: str, body: bytes) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, data=body, method="POST")) as answer:
        assert answer.status in (200, 201)

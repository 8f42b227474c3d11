"""A toy stack for every test that asks for one, in a process of its own: moto is one per process, and other tests have
theirs in this one."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.api import Api
from console.connection import Connection, save_local

from .toy import ToyStack, toy_connection

SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(*server.get_host_and_port(), flush=True)
sys.stdin.read()  # until the tests are over, however they end
"""


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        host, port = server.stdout.readline().split()
        yield f"http://{host}:{port}"
        server.stdin.close()


@pytest.fixture
def connection(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """The connection of a stack that was just created, in the current directory's stack file too."""
    _post(f"{endpoint}/moto-api/reset", b"")
    _post(f"{endpoint}/moto-api/config", b'{"stepfunctions": {"execute_state_machine": true}}')
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
def api(stack: ToyStack) -> Api:
    return Api(stack.connection)


def _post(url: str, body: bytes) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, data=body, method="POST")) as answer:
        assert answer.status in (200, 201)

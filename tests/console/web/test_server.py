"""The server: which address it takes, whom it answers there, and that it ends."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from urllib.parse import urlsplit

import pytest

from console.cli.main import main
from console.web.server import PORT, ConsoleServer
from operate.connection import Connection
from operate.errors import UsageError


@pytest.fixture
def server(connection: Connection) -> Iterator[ConsoleServer]:
    server = ConsoleServer(connection, called="toy", port=0)
    server.start()
    yield server
    server.stop()


def status_of(url: str, path: str = "/static/icon.svg", host: str | None = None) -> int:
    address = urlsplit(url)
    with closing(http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)) as asked:
        asked.request("GET", path, headers={"Host": host} if host else {})
        return asked.getresponse().status


def test_it_answers_on_loopback_by_both_of_its_names(server: ConsoleServer) -> None:
    assert server.url.startswith("http://127.0.0.1:")
    port = urlsplit(server.url).port
    assert status_of(server.url) == 200
    assert status_of(server.url, host=f"localhost:{port}") == 200
    assert status_of(server.url, host=f"evil.example:{port}") == 400


def test_its_assets_are_its_own(server: ConsoleServer) -> None:
    for asset in ("live.js", "base.css", "parts.css", "pages.css", "graph.css", "timeline.css", "icon.svg"):
        assert status_of(server.url, f"/static/{asset}") == 200


def test_a_port_that_is_taken_is_refused_when_it_was_asked_for(connection: Connection, server: ConsoleServer) -> None:
    port = urlsplit(server.url).port
    with pytest.raises(UsageError, match="give another --port"):
        ConsoleServer(connection, called="toy", port=port)


def test_without_a_port_it_takes_a_free_one_where_the_usual_is_taken(connection: Connection) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):  # where somebody else has it, that is as good
            taken.bind(("127.0.0.1", PORT))
        taken.listen()
        server = ConsoleServer(connection, called="toy")
        try:
            assert urlsplit(server.url).port != PORT
        finally:
            server.stop()


def test_another_address_needs_a_token_and_its_name(connection: Connection) -> None:
    with pytest.raises(UsageError, match="--allow-host"):
        ConsoleServer(connection, called="toy", host="0.0.0.0", port=0)
    with pytest.raises(UsageError, match="no address"):
        ConsoleServer(connection, called="toy", host="ops.example", port=0)
    server = ConsoleServer(connection, called="toy", host="0.0.0.0", port=0, names=["ops.example"])
    server.start()
    try:
        port = urlsplit(server.url).port
        assert urlsplit(server.url).hostname == "ops.example"
        token = urlsplit(server.url).query
        here = f"http://127.0.0.1:{port}"
        assert status_of(here, host=f"127.0.0.1:{port}") == 400
        assert status_of(here, host=f"ops.example:{port}") == 401
        assert status_of(here, f"/start?{token}", host=f"ops.example:{port}") == 302
    finally:
        server.stop()


def test_a_proxys_name_on_loopback_needs_a_token_too(connection: Connection) -> None:
    server = ConsoleServer(connection, called="toy", port=0, names=["ops.example"])
    server.start()
    try:
        assert "?token=" in server.url
        assert status_of(server.url, host="ops.example") == 401
    finally:
        server.stop()


def test_stopping_frees_the_port_and_ends_its_threads_also_with_an_open_connection(connection: Connection) -> None:
    before = set(threading.enumerate())
    server = ConsoleServer(connection, called="toy", port=0)
    server.start()
    address = urlsplit(server.url)
    with closing(http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)) as kept:
        kept.request("GET", "/start")
        kept.getresponse().read()
        server.stop()
        server.stop()
    assert [thread for thread in threading.enumerate() if thread not in before and thread.is_alive()] == []
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind((address.hostname or "", address.port or 0))


def test_a_server_that_was_never_started_can_be_stopped(connection: Connection) -> None:
    ConsoleServer(connection, called="toy", port=0).stop()


@pytest.mark.parametrize("wrong", ["-1", "65536", "http"])
def test_a_port_that_is_none_is_refused(connection: Connection, wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert connection
    assert main(["console", "--port", wrong]) == 2
    assert json.dumps(wrong).strip('"') in capsys.readouterr().err

"""The console's server among those who do not finish what they ask: with real sockets, and without a wait."""

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from typing import Any

import pytest
from waitress.wasyncore import close_all

from console.web.bounded import BODY_BYTES, HEADER_BYTES, BoundedChannel, BoundedServer, Limits

HALF = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"


class Served:
    """A bounded server that answers `ok`, in a thread; `held` requests wait until `let_go`."""

    def __init__(self, limits: Limits) -> None:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        self.address = listener.getsockname()
        self.held, self.let_go = threading.Semaphore(0), threading.Event()
        self.server = BoundedServer(self.answer, listener, threads=4, limits=limits)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()

    def answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/held":
            self.held.release()
            self.let_go.wait(10)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    def connect(self, sends: bytes = b"") -> socket.socket:
        made = socket.create_connection(self.address, timeout=10)
        made.sendall(sends)
        return made

    def ask(self, path: str = "/", **request: Any) -> int:
        with closing(http.client.HTTPConnection(*self.address, timeout=5)) as asked:
            asked.request(request.pop("method", "GET"), path, **request)
            return asked.getresponse().status

    def in_its_loop(self, call: Callable[[], object]) -> None:
        """Do it in the server's own thread, and come back when it is done."""
        done = threading.Event()
        self.server.trigger.pull_trigger(lambda: (call(), done.set()))
        assert done.wait(10)

    def waits_for(self, connections: int) -> None:
        """Come back when so many connections are taken and wait for the rest of a request.

        What a client has sent is not yet what the loop has read: it reads nothing of a connection whose last answer
        the worker has not put away, and takes newcomers one at a time.
        """
        give_up = time.monotonic() + 10
        seen: list[int] = []
        while not seen or seen[-1] != connections:
            assert time.monotonic() < give_up, f"{seen[-1]} of {connections} connections wait for a request"
            self.in_its_loop(lambda: seen.append(sum(one.began is not None for one in self.channels)))

    def after(self, seconds: float) -> None:
        """Let the server look at its connections as if so much time had gone by."""
        self.in_its_loop(lambda: self.server.maintenance(time.time() + seconds))

    @property
    def channels(self) -> list[BoundedChannel]:
        return list(self.server.active_channels.values())

    def stop(self) -> None:
        self.let_go.set()
        with suppress(OSError):
            self.server.trigger.pull_trigger(lambda: close_all(self.server._map, ignore_all=True))
        self.thread.join(10)
        self.server.task_dispatcher.shutdown()


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    started: list[Served] = []

    def serve(**limits: Any) -> Served:
        started.append(Served(Limits(**limits)))
        return started[-1]

    yield serve
    for one in started:
        one.stop()


def is_closed(one: socket.socket) -> bool:
    with suppress(ConnectionError):
        return one.recv(1) == b""
    return True


@pytest.mark.parametrize("sends", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", HALF])
def test_another_visitor_is_served_at_once_beside_150_half_sent_requests(
    serve: Callable[..., Served], sends: bytes
) -> None:
    served = serve()
    with ExitStack() as opened:
        for _ in range(150):
            opened.enter_context(closing(served.connect(sends)))
        began = time.monotonic()
        assert served.ask() == 200
        assert time.monotonic() - began < 1
        served.in_its_loop(lambda: None)
        assert len(served.channels) <= Limits().connections + 1


def test_the_one_that_has_waited_longest_gives_way_and_one_that_is_answered_never(serve: Callable[..., Served]) -> None:
    served = serve(connections=3)
    with ExitStack() as opened:

        def connect(sends: bytes) -> socket.socket:
            return opened.enter_context(closing(served.connect(sends)))

        answered = connect(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
        assert served.held.acquire(timeout=10)
        first, _second, _third = connect(HALF), connect(HALF), connect(HALF)
        assert is_closed(first)
        served.let_go.set()
        assert answered.recv(15) == b"HTTP/1.1 200 OK"


def test_where_all_others_are_answered_a_newcomer_gives_way(serve: Callable[..., Served]) -> None:
    served = serve(connections=2)
    with ExitStack() as opened:
        busy = [
            opened.enter_context(closing(served.connect(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n"))) for _ in range(2)
        ]
        assert all(served.held.acquire(timeout=10) for _ in busy)
        assert is_closed(opened.enter_context(closing(served.connect())))
        served.let_go.set()
        assert [one.recv(15) for one in busy] == [b"HTTP/1.1 200 OK"] * 2


def test_a_request_has_its_time_from_its_first_byte_however_its_bytes_drip(serve: Callable[..., Served]) -> None:
    served = serve(connections=20, request_seconds=10, idle_seconds=60)
    with closing(served.connect(b"GET / HT")) as slow, closing(served.connect()) as silent:
        served.waits_for(2)
        served.after(9)
        slow.sendall(b"TP/1.1\r\n")
        served.after(11)
        assert is_closed(slow)
        assert is_closed(silent)


def test_between_two_requests_a_connection_may_be_idle_for_longer(serve: Callable[..., Served]) -> None:
    served = serve(request_seconds=10, idle_seconds=60)
    with closing(http.client.HTTPConnection(*served.address, timeout=5)) as kept:
        for _ in range(2):
            kept.request("GET", "/")
            assert kept.getresponse().read() == b"ok"
            served.after(30)
        assert kept.sock is not None
        kept.sock.sendall(b"GET / HT")
        served.waits_for(1)
        served.after(30)
        assert is_closed(kept.sock)


def test_what_is_worked_on_has_as_much_time_as_it_takes(serve: Callable[..., Served]) -> None:
    served = serve()
    with closing(served.connect(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")) as asked:
        assert served.held.acquire(timeout=10)
        served.after(3600)
        served.let_go.set()
        assert asked.recv(15) == b"HTTP/1.1 200 OK"


def test_large_headers_and_bodies_are_refused_before_they_are_taken(serve: Callable[..., Served]) -> None:
    served = serve()
    assert served.ask(headers={"X-Large": "x" * HEADER_BYTES}) == 431
    assert served.ask(method="POST", body=b"x" * (BODY_BYTES + 1)) == 413
    assert served.ask(method="POST", body=b"x" * 1000) == 200

"""A proxy on loopback between the workers (and the native states) and AWS: it passes requests on, or has them fail as
AWS and a network do.

A general proxy would not do: an error has to have the form of its service, and a fault may strike who asks.
"""

from __future__ import annotations

import json
import random
import re
import select
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from local.lambdas.loopback import LoopbackHandler, LoopbackServer

S3, DYNAMODB, STATES, SQS = "s3", "dynamodb", "states", "sqs"
SERVICES = (S3, DYNAMODB, STATES, SQS)
_TARGETS = {"DynamoDB": DYNAMODB, "AWSStepFunctions": STATES, "AmazonSQS": SQS}
_CALLER = re.compile(r"\bapp/(\w+)-(\d+)")
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server", "expect"}
_HANG_SECONDS = 12.0
"""Longer than the clients of DynamoDB and Step Functions wait; S3's is told by the end of the connection."""

RESET, LOST, HANG = "connection reset", "answer lost", "time-out"


@dataclass(frozen=True)
class Request:
    """One request: `operation` is S3's method, or what the target header names; `function` None: a native state."""

    service: str
    operation: str
    path: str
    function: str | None
    pid: int | None

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        if self.service == S3:
            return self.operation in ("PUT", "POST", "DELETE")
        return not self.operation.startswith(("Get", "Query", "Scan", "BatchGet", "Describe", "List"))


@dataclass(frozen=True)
class Refusal:
    """An answer of AWS's own in place of the service's."""

    status: int
    code: str

    def body(self, service: str) -> tuple[str, bytes]:
        """Its content type and body, in the form of a service."""
        if service == S3:
            return "application/xml", f"<Error><Code>{self.code}</Code><Message>injected</Message></Error>".encode()
        return "application/x-amz-json-1.0", json.dumps({"__type": self.code, "message": "injected"}).encode()


Fault = Refusal | str

FAULTS: dict[str, tuple[Fault, ...]] = {
    S3: (Refusal(503, "SlowDown"), Refusal(500, "InternalError"), Refusal(503, "ServiceUnavailable"), RESET, LOST),
    DYNAMODB: (
        Refusal(400, "ThrottlingException"),
        Refusal(400, "ProvisionedThroughputExceededException"),
        Refusal(500, "InternalServerError"),
        RESET,
        LOST,
    ),
    STATES: (Refusal(400, "ThrottlingException"), Refusal(500, "InternalFailure"), RESET, LOST),
    SQS: (Refusal(400, "RequestThrottled"), Refusal(500, "InternalError"), RESET, LOST),
}
"""What strikes a service in a storm; time-outs are asked for by themselves, since each costs twelve seconds."""


@dataclass(frozen=True)
class Storm:
    """`share` of the requests to `services` fail, each with one of `faults` of its service (None: all of FAULTS)."""

    share: float
    services: Sequence[str] = SERVICES
    faults: Sequence[Fault] | None = None


class Proxy:
    """Serves between `start` and `stop`; `upstream` may be set after the start. `struck` counts what was injected.

    `watch` sees every request before it goes on, in the request's own thread: it may hold it, or end who asked; a
    request for which it answers True goes no further.
    """

    def __init__(self, seed: int = 0) -> None:
        self.upstream = ""
        self.struck: Counter[str] = Counter()
        self.requests = 0
        self.watch: Callable[[Request], bool] = lambda _request: False
        self._storms: list[Storm] = []
        self._rng = random.Random(seed)
        self._lock = threading.Lock()
        self._server = LoopbackServer(_handler_for(self), name="faulty-proxy")

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self._server.address}"

    def start(self) -> None:
        """Serve."""
        self._server.start()

    def stop(self) -> None:
        """Serve no more. May be called without a start."""
        self._server.stop()

    @contextmanager
    def storm(self, storm: Storm) -> Iterator[None]:
        """Requests fail while the block runs."""
        self._storms = [*self._storms, storm]
        try:
            yield
        finally:
            self._storms = [one for one in self._storms if one is not storm]

    @contextmanager
    def watched(self, watch: Callable[[Request], bool]) -> Iterator[None]:
        """`watch` sees the requests while the block runs."""
        before, self.watch = self.watch, watch
        try:
            yield
        finally:
            self.watch = before

    def fault_for(self, request: Request) -> Fault | None:
        """What is to become of a request."""
        with self._lock:
            self.requests += 1
            for storm in self._storms:
                if request.service in storm.services and self._rng.random() < storm.share:
                    fault = self._rng.choice(storm.faults or FAULTS[request.service])
                    self.struck[f"{request.service}: {fault if isinstance(fault, str) else fault.code}"] += 1
                    return fault
        return None


def request_of(method: str, path: str, headers: Any) -> Request:
    """What a request is, by its headers."""
    target, _, operation = str(headers.get("X-Amz-Target") or "").partition(".")
    service = _TARGETS.get(target.partition("_")[0], S3)
    caller = _CALLER.search(str(headers.get("User-Agent") or ""))
    function, pid = (caller[1], int(caller[2])) if caller else (None, None)
    return Request(service, operation or method, path, function, pid)


def _handler_for(proxy: Proxy) -> type[LoopbackHandler]:
    class Handler(LoopbackHandler):
        def _serve(self) -> None:
            body = self.read_body()
            request = request_of(self.command, self.path, self.headers)
            fault = RESET if proxy.watch(request) else proxy.fault_for(request)
            if isinstance(fault, Refusal):
                kind, content = fault.body(request.service)
                self._send(fault.status, {"Content-Type": kind, "x-amzn-RequestId": "injected"}, content)
            elif fault == HANG:
                select.select([self.connection], [], [], _HANG_SECONDS)  # until who asked gives up
                self._reset()
            elif fault == RESET:
                self._reset()
            else:
                status, headers, content = self._ask(body)
                if fault == LOST:
                    self._reset()
                else:
                    self._send(status, headers, content)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815 (http.server's names)

        def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            address = urlsplit(proxy.upstream)
            connection = HTTPConnection(address.hostname or "", address.port)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
            try:
                connection.request(self.command, self.path, body, {**headers, "Content-Length": str(len(body))})
                answer = connection.getresponse()
                kept = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP}
                if self.command == "HEAD" and (length := answer.getheader("Content-Length")) is not None:
                    kept["Content-Length"] = length
                return answer.status, kept, answer.read()
            finally:
                connection.close()

        def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def _reset(self) -> None:
            """End the connection as a peer does that went away: with RST, and no answer."""
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()

    return Handler

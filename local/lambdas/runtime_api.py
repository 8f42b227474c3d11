"""The Lambda Runtime API, as one worker sees it.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. Every worker has a port of its own, so that the port
says who is asking. `next` blocks until there is an event; an answer counts only for the request being worked on.
"""

import logging
import threading
import time

from local.lambdas.invocation import Invocation
from local.lambdas.loopback import LoopbackHandler, LoopbackServer

log = logging.getLogger(__name__)

_PREFIX = "/2018-06-01/runtime"


class RuntimeApi:
    """Hands events to one worker and takes its answers."""

    def __init__(self, function: str) -> None:
        self._function = function
        self._changed = threading.Condition()
        self._offered: Invocation | None = None
        self._current: Invocation | None = None
        self._closed = False
        self.failed = False
        self._server = LoopbackServer(_handler_for(self), name=f"runtime-api-{function}")

    @property
    def address(self) -> str:
        """The value of AWS_LAMBDA_RUNTIME_API."""
        return self._server.address

    def start(self) -> None:
        """Serve."""
        self._server.start()

    def offer(self, invocation: Invocation) -> None:
        """Give the worker its next event."""
        with self._changed:
            self._offered = invocation
            self._changed.notify_all()

    def close(self) -> None:
        """Stop serving; a worker that still asks finds nobody and exits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._server.stop()

    def next(self) -> Invocation | None:
        """Wait for an event; None when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._offered is not None or self._closed)
            if self._closed:
                return None
            self._current, self._offered = self._offered, None
            return self._current

    def answered(self, request_id: str, payload: bytes, function_error: str | None = None) -> bool:
        """Take the worker's answer; False if it belongs to another request than the present one."""
        with self._changed:
            invocation = self._current
            if invocation is None or invocation.request_id != request_id:
                log.warning("%s answered request %s late: ignored", self._function, request_id)
                return False
            self._current = None
        return invocation.finish(payload, function_error)

    def init_failed(self, payload: bytes) -> None:
        """The handler could not be imported; the worker exits by itself after this."""
        with self._changed:
            self._changed.wait_for(lambda: self._offered is not None or self._closed, timeout=1)
            self.failed = True
            invocation, self._offered = self._offered, None
        if invocation is not None:
            invocation.finish(payload, "Unhandled")


def _handler_for(api: RuntimeApi) -> type[LoopbackHandler]:
    class Handler(LoopbackHandler):
        def do_GET(self) -> None:  # noqa: N802 (http.server's name)
            if self.path != f"{_PREFIX}/invocation/next":
                self._unknown()
            elif (invocation := api.next()) is None:
                self.close_connection = True
            else:
                self._hand_over(invocation)

        def _hand_over(self, invocation: Invocation) -> None:
            invocation.take()
            deadline = int((time.time() + invocation.timeout_seconds) * 1000)
            self.answer(
                200,
                invocation.payload,
                {
                    "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                    "Lambda-Runtime-Deadline-Ms": str(deadline),
                    "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
                },
            )

        def do_POST(self) -> None:  # noqa: N802
            body = self.read_body()
            match self.path.removeprefix(_PREFIX).split("/")[1:]:
                case ["init", "error"]:
                    api.init_failed(body)
                    self._accepted()
                case ["invocation", request_id, "response"]:
                    self._accepted(api.answered(request_id, body))
                case ["invocation", request_id, "error"]:
                    self._accepted(api.answered(request_id, body, "Unhandled"))
                case _:
                    self._unknown()

        def _accepted(self, accepted: bool = True) -> None:
            if accepted:
                self.answer_json(202, {"status": "OK"})
            else:
                self.answer_json(400, {"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"})

        def _unknown(self) -> None:
            self.answer_json(404, {"errorMessage": f"no {self.path}", "errorType": "InvalidRequest"})

    return Handler

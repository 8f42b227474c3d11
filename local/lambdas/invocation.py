"""One invocation of a function, and what may come of it, in the shapes Lambda uses."""

import json
import threading
from dataclasses import dataclass, field

MAX_PAYLOAD_BYTES = 6 * 1024 * 1024
"""Lambda's limit on the event and on the answer of a synchronous invocation."""


@dataclass(frozen=True)
class InvocationResult:
    """`payload` is JSON. `function_error` is the X-Amz-Function-Error header: None where the function returned."""

    request_id: str
    payload: bytes
    function_error: str | None = None


def error_payload(error_type: str, message: str) -> bytes:
    """An error that the service reports in the function's place, in AWS's shape."""
    return json.dumps({"errorType": error_type, "errorMessage": message, "stackTrace": []}).encode()


def exited(request_id: str, status: int) -> bytes:
    """The worker went away by itself. `status` is subprocess's: negative for a signal."""
    reason = f"signal: {-status}" if status < 0 else f"exit status {status}"
    return error_payload("Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited with error: {reason}")


def timed_out(request_id: str, seconds: float) -> bytes:
    """The worker was killed because it took too long."""
    return error_payload(
        "Sandbox.Timedout", f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds"
    )


def too_large(request_id: str, size: int) -> bytes:
    """The function's answer is over the limit."""
    return error_payload(
        "Function.ResponseSizeTooLarge",
        f"RequestId: {request_id} Error: Response payload size ({size} bytes) exceeded maximum allowed payload size "
        f"({MAX_PAYLOAD_BYTES} bytes).",
    )


@dataclass(eq=False)
class Invocation:
    """An event on its way to a worker. The first result counts; later ones change nothing."""

    request_id: str
    function_arn: str
    payload: bytes
    timeout_seconds: float
    _taken: threading.Event = field(default_factory=threading.Event, repr=False)
    _done: threading.Event = field(default_factory=threading.Event, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _result: InvocationResult | None = field(default=None, repr=False)

    def take(self) -> None:
        """The worker has the event: the function's time runs from here."""
        self._taken.set()

    def finish(self, payload: bytes, function_error: str | None = None) -> bool:
        """Set the result; False if there is one already."""
        if len(payload) > MAX_PAYLOAD_BYTES:
            payload, function_error = too_large(self.request_id, len(payload)), "Unhandled"
        with self._lock:
            if self._result is not None:
                return False
            self._result = InvocationResult(self.request_id, payload, function_error)
        self._taken.set()
        self._done.set()
        return True

    def wait_taken(self, seconds: float) -> bool:
        """Whether a worker took it (or it ended) within that time."""
        return self._taken.wait(seconds)

    def wait_done(self, seconds: float) -> bool:
        """Whether it ended within that time."""
        return self._done.wait(seconds)

    @property
    def result(self) -> InvocationResult | None:
        """What came of it, once it ended."""
        return self._result

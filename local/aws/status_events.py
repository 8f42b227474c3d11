"""What EventBridge does on AWS: executions that start and end are events, and one function gets every one of them.

https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html. One thread delivers, in the order in
which things happened; the interpreter, which tells of them, never waits.
"""

import json
import logging
import threading
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local import names
from local.errors import InvokesRefused, LocalStackError
from local.lambdas.invocation import InvocationResult

log = logging.getLogger(__name__)

ATTEMPTS = 4
BACKOFF_SECONDS = 0.5
MAX_DATA_BYTES = 248 * 1024
"""Of input and output, as they stand escaped in the event: above it the input is left out, then the output."""

Invoke = Callable[[bytes], InvocationResult]


@dataclass(frozen=True, kw_only=True)
class StatusChange:
    """An execution as it was at that moment. `input` and `output` are JSON texts; RUNNING has no end."""

    arn: str
    state_machine_arn: str
    name: str
    status: str
    started_at: datetime
    stopped_at: datetime | None = None
    input: str = "{}"
    output: str | None = None

    def to_event(self, event_id: str) -> dict[str, Any]:
        """The event "Step Functions Execution Status Change". Dates in it are in milliseconds. Why an execution failed
        is not in it: AWS documents neither `error` nor `cause`."""
        in_size, out_size = (len(json.dumps(text).encode()) if text else 0 for text in (self.input, self.output))
        with_output = out_size <= MAX_DATA_BYTES
        with_input = in_size + (out_size if with_output else 0) <= MAX_DATA_BYTES
        ended = self.stopped_at is not None
        return {
            "version": "0",
            "id": event_id,
            "detail-type": "Step Functions Execution Status Change",
            "source": "aws.states",
            "account": names.ACCOUNT,
            "time": (self.stopped_at or self.started_at).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": names.REGION,
            "resources": [self.arn],
            "detail": {
                "executionArn": self.arn,
                "stateMachineArn": self.state_machine_arn,
                "name": self.name,
                "status": self.status,
                "startDate": _milliseconds(self.started_at),
                "stopDate": _milliseconds(self.stopped_at) if self.stopped_at else None,
                "input": self.input if with_input else None,
                "inputDetails": {"included": with_input},
                "output": self.output if with_output else None,
                "outputDetails": {"included": with_output} if ended and self.output is not None else None,
            },
        }


class StatusEvents:
    """Delivers to `invoke`; with None, to nobody. What fails is tried again, as EventBridge does, and then lost."""

    def __init__(
        self, invoke: Invoke | None, *, attempts: int = ATTEMPTS, backoff_seconds: float = BACKOFF_SECONDS
    ) -> None:
        self._invoke = invoke
        self._attempts = attempts
        self._backoff_seconds = backoff_seconds
        self._changed = threading.Condition()
        self._waiting: deque[StatusChange] = deque()
        self._current: StatusChange | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="status-events", daemon=True)

    def start(self) -> None:
        """Deliver from now on."""
        if self._invoke is not None:
            self._thread.start()

    def tell(self, change: StatusChange) -> None:
        """Take note of a change; returns at once."""
        if self._invoke is not None:
            with self._changed:
                self._waiting.append(change)
                self._changed.notify_all()

    def wait_delivered(self, seconds: float) -> bool:
        """Whether, within that time, everything is delivered that was told."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and self._current is None, seconds)

    def forget(self) -> None:
        """Give up what is not delivered yet; what is under way is not tried again."""
        with self._changed:
            if left := len(self._waiting) + (self._current is not None):
                log.warning("%d status events of executions are not delivered", left)
            self._waiting.clear()
            self._current = None
            self._changed.notify_all()

    def stop(self) -> None:
        """Deliver no more. The rows that are missing would go with the tables."""
        with self._changed:
            self._stopped = True
            self._waiting.clear()
            self._current = None
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while (change := self._next()) is not None:
            self._deliver(change)
            with self._changed:
                if self._current is change:
                    self._current = None
                self._changed.notify_all()

    def _next(self) -> StatusChange | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopped)
            if self._stopped:
                return None
            self._current = self._waiting.popleft()
            return self._current

    def _deliver(self, change: StatusChange) -> None:
        payload = json.dumps(change.to_event(str(uuid.uuid4()))).encode()
        for attempt in range(self._attempts):
            if attempt and self._given_up(change, self._backoff_seconds * 2 ** (attempt - 1)):
                return
            problem = self._problem(payload)
            if problem is None:
                return
            log.warning("%s of %s was not recorded: %s", change.status, change.name, problem)
        log.error("%s of %s is lost after %d attempts", change.status, change.name, self._attempts)

    def _given_up(self, change: StatusChange, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._current is not change, seconds)

    def _problem(self, payload: bytes) -> str | None:
        """What went wrong with one attempt; None when nothing did, or when there is nobody to deliver to any more."""
        if self._invoke is None:
            return None
        try:
            result = self._invoke(payload)
        except InvokesRefused:
            return None
        except (LocalStackError, OSError) as error:
            return str(error)
        return None if result.function_error is None else result.payload.decode(errors="replace")[:1000]


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)

"""The schedule: every so often an execution per collection, which heals every wake-up that was missed.

A second one, the scrub, proves the current version again.
"""

import logging
import threading

from botocore.exceptions import BotoCoreError, ClientError
from receipt_dynamo_stream.grain import COLLECTIONS

from local.aws.executions import Executions

log = logging.getLogger(__name__)


class Schedule:
    """Starts executions of a mode with trigger "schedule"; the first after one interval. `interval` None: only when
    told to."""

    def __init__(self, executions: Executions, interval: float | None, mode: str = "compact") -> None:
        self._executions = executions
        self._mode = mode
        self._interval = interval
        self._running = threading.Event()
        self._running.set()
        self._stopped = threading.Event()
        self._busy = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="schedule", daemon=True)

    def start(self) -> None:
        """Begin to count the first interval."""
        if self._interval is not None:
            self._thread.start()

    def stop(self) -> None:
        """Start nothing from now on."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def pause(self) -> None:
        """Start nothing until `resume`; nothing is being started any more when this returns."""
        self._running.clear()
        with self._busy:
            pass

    def resume(self) -> None:
        """Go on; the intervals that passed are not made up for."""
        self._running.set()

    def trigger_now(self, collection: str) -> str:
        """Start what the schedule would start, paused or not; the execution's ARN."""
        return self._executions.start(collection, mode=self._mode, trigger="schedule")

    def _run(self) -> None:
        while not self._stopped.wait(self._interval):
            with self._busy:
                if self._running.is_set():
                    self._tick()

    def _tick(self) -> None:
        for collection in COLLECTIONS:
            try:
                self.trigger_now(collection)
            except (BotoCoreError, ClientError):
                log.exception("the schedule could not start an execution for %s", collection)

"""Refreshing in the background, for processes that live long."""

import logging
import os
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Final

logger = logging.getLogger(__name__)

_IN_LAMBDA: Final = "AWS_LAMBDA_RUNTIME_API"


class Refresher:
    """A daemon thread that calls `refresh` again and again, the time of `every` after its last return, until `stop`.

    What `refresh` raises is logged, and it is called again. In a Lambda no thread starts: between invocations the
    process is frozen, and a thread that was frozen in the middle of a file goes on in somebody's request.
    """

    def __init__(self, refresh: Callable[[], object], every: timedelta, *, name: str) -> None:
        if every <= timedelta(0):
            raise ValueError(f"refresh every {every}: the interval is longer than nothing")
        self._refresh = refresh
        self._every = every.total_seconds()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        if _IN_LAMBDA in os.environ:
            logger.warning("no refreshing in the background of a Lambda: call refresh() in every invocation")
            return
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let a running call end, and the thread with it. May be called twice."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._every):
            try:
                self._refresh()
            except Exception:
                logger.exception("a refresh in the background failed; what was served is still served")

"""One worker: a process that runs AWS's own runtime client with one function's handler, for one event at a time."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from local.lambdas.invocation import Invocation, InvocationResult, exited, timed_out
from local.lambdas.runtime_api import RuntimeApi
from local.lambdas.worker_logs import WorkerLog

_TERMINATE_SECONDS = 1.0
_ANSWER_AFTER_EXIT_SECONDS = 0.5


class Worker:
    """Starts its process at once; the process is gone after `stop`.

    The process leads a session of its own: a Ctrl-C in the terminal is for the stack, which ends its workers in order.
    When this process dies without that, the worker's Runtime API breaks and the worker exits by itself (a frozen one
    once it is thawed).
    """

    def __init__(
        self,
        *,
        function: str,
        handler: str,
        environment: Mapping[str, str],
        cwd: Path,
        log: WorkerLog,
        on_exit: Callable[["Worker"], None],
    ) -> None:
        self.function = function
        self.current: Invocation | None = None
        self.log = log
        self._on_exit = on_exit
        self._killed = False
        self._api = RuntimeApi(function)
        self._api.start()
        with log.open() as output:
            self._process = subprocess.Popen(  # noqa: S603 -- Python itself, with a handler of ours
                [sys.executable, "-m", "awslambdaric", handler],
                cwd=cwd,
                env={**environment, "AWS_LAMBDA_RUNTIME_API": self._api.address},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._reaper = threading.Thread(target=self._reap, name=f"reaper-{function}", daemon=True)
        self._reaper.start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Whether it can take an event: not once it ended, was killed, or reported that its handler cannot start."""
        return self._alive and not self._killed and not self._api.failed

    def run(self, invocation: Invocation, init_timeout_seconds: float) -> InvocationResult:
        """Run one event to its end. A worker that takes too long is killed, in its start as in its work."""
        self.current = invocation
        self.log.start(invocation.request_id)
        began = time.monotonic()
        if not self._alive:
            invocation.finish(exited(invocation.request_id, self._process.returncode), "Unhandled")
        self._api.offer(invocation)
        if not invocation.wait_taken(init_timeout_seconds):
            self._time_out(invocation, init_timeout_seconds)
        elif not invocation.wait_done(invocation.timeout_seconds):
            self._time_out(invocation, invocation.timeout_seconds)
        result = invocation.result
        if result is None:
            raise RuntimeError(f"{self.function} ended request {invocation.request_id} without a result")
        seconds = time.monotonic() - began
        self.log.end(invocation.request_id, seconds=seconds, function_error=result.function_error)
        self.current = None
        return result

    def _time_out(self, invocation: Invocation, seconds: float) -> None:
        if invocation.finish(timed_out(invocation.request_id, seconds), "Unhandled"):
            self.kill()

    def kill(self) -> None:
        """End the process and its children now, frozen or not."""
        self._killed = True
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """End the process and wait for it. A frozen one executes no more instruction of its own."""
        # SIGTERM waits while the process is stopped and is what it meets first when it continues.
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)
        self._reaper.join(_TERMINATE_SECONDS)
        self.kill()
        self._reaper.join()

    @property
    def _alive(self) -> bool:
        return self._process.returncode is None

    def _signal(self, number: signal.Signals) -> None:
        if self._alive:
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                return  # it ended in between

    def _reap(self) -> None:
        status = self._process.wait()
        invocation = self.current
        if invocation is not None and not invocation.wait_done(_grace(invocation)):
            invocation.finish(exited(invocation.request_id, status), "Unhandled")
        self._on_exit(self)
        self._api.close()


def _grace(invocation: Invocation) -> float:
    """An answer sent just before the exit may still be on its way through our server (an import error is)."""
    return _ANSWER_AFTER_EXIT_SECONDS if invocation.result is None else 0.0

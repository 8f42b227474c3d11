"""The workers of all functions: started when there is work, kept warm, bounded in number per function."""

import itertools
import logging
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from local.application import Application, Function
from local.errors import InvokesRefused, StillRunning, TooManyRequests, UnknownFunction
from local.lambdas.environment import worker_environment
from local.lambdas.invocation import Invocation, InvocationResult
from local.lambdas.worker import Worker
from local.lambdas.worker_logs import WorkerLog
from local.names import function_arn, function_name

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InFlight:
    """An invocation that a worker is busy with. `payload` is the event's JSON."""

    pid: int
    request_id: str
    payload: bytes


class WorkerPool:
    """The workers of one function."""

    def __init__(
        self,
        application: Application,
        function: Function,
        environment: Mapping[str, str],
        log_folder: Path,
        init_timeout_seconds: float,
    ) -> None:
        self.function = function
        self._root = application.root
        self._environment = worker_environment(application, function, environment)
        self._log_folder = log_folder
        self._init_timeout_seconds = init_timeout_seconds
        self._changed = threading.Condition()
        self._idle: list[Worker] = []
        self._all: list[Worker] = []
        self._refusing = False

    def invoke(self, payload: bytes) -> InvocationResult:
        """Run the function on one event. When every worker is busy another is started, up to the bound; then it waits.

        Raises InvokesRefused, and TooManyRequests after the function's whole timeout without a free worker.
        """
        invocation = Invocation(
            request_id=str(uuid.uuid4()),
            function_arn=function_arn(self.function.name),
            payload=payload,
            timeout_seconds=self.function.timeout_seconds,
        )
        worker = self._acquire(invocation)
        try:
            return worker.run(invocation, self._init_timeout_seconds)
        finally:
            self._release(worker)

    def warm(self) -> None:
        """Start one worker ahead of the first event, if there is none."""
        with self._changed:
            if not self._all and not self._refusing:
                self._idle.append(self._start())

    def in_flight(self) -> list[InFlight]:
        """What the busy workers are busy with."""
        with self._changed:
            busy = [(worker.pid, worker.current) for worker in self._all]
        return [InFlight(pid, current.request_id, current.payload) for pid, current in busy if current is not None]

    def pids(self) -> list[int]:
        """Every worker's process."""
        with self._changed:
            return [worker.pid for worker in self._all]

    def refuse(self, refusing: bool = True) -> None:
        """Take no more events (or take them again); those under way go on."""
        with self._changed:
            self._refusing = refusing
            self._changed.notify_all()

    def kill_busy(self) -> None:
        """End the workers that are busy, frozen ones too."""
        with self._changed:
            busy = [worker for worker in self._all if worker not in self._idle]
        for worker in busy:
            worker.kill()

    def wait_idle(self, timeout: float) -> bool:
        """Whether no worker is busy any more within that time."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._idle) == len(self._all), timeout)

    def stop(self) -> None:
        """End every worker. Events under way end as Runtime.ExitError."""
        self.refuse()
        with self._changed:
            workers = list(self._all)
        for worker in workers:
            worker.stop()

    def _acquire(self, invocation: Invocation) -> Worker:
        deadline = time.monotonic() + self.function.timeout_seconds
        with self._changed:
            while True:
                if self._refusing:
                    raise InvokesRefused(f"{self.function.name}: the local stack is going down")
                if self._idle:
                    worker = self._idle.pop()  # the one used last is the warmest
                    break
                if len(self._all) < self.function.max_workers:
                    worker = self._start()
                    break
                if not self._changed.wait(deadline - time.monotonic()):
                    raise TooManyRequests(f"{self.function.name}: all {len(self._all)} workers are busy")
            worker.current = invocation
            return worker

    def _start(self) -> Worker:
        worker_log = WorkerLog(self._free_log_file())
        worker = Worker(
            function=self.function.name,
            handler=self.function.handler,
            environment=self._environment,
            cwd=self._root,
            log=worker_log,
            on_exit=self._gone,
        )
        log.info("worker %s of %s started, logs to %s", worker.pid, self.function.name, worker_log.file.name)
        self._all.append(worker)
        return worker

    def _free_log_file(self) -> Path:
        """The first file that no worker writes to: there are never more files than there were workers at once."""
        used = {worker.log.file for worker in self._all}
        files = (self._log_folder / f"{self.function.name}-{number}.log" for number in itertools.count(1))
        return next(file for file in files if file not in used)

    def _release(self, worker: Worker) -> None:
        with self._changed:
            if worker in self._all and worker.usable:
                self._idle.append(worker)
            self._changed.notify_all()

    def _gone(self, worker: Worker) -> None:
        """A worker's process has ended; runs in its reaper."""
        with self._changed:
            self._all.remove(worker)
            if worker in self._idle:
                self._idle.remove(worker)
            self._changed.notify_all()
        log.info("worker %s of %s ended", worker.pid, self.function.name)


class Workers:
    """The pools of every function."""

    def __init__(
        self, application: Application, environment: Mapping[str, str], log_folder: Path, init_timeout_seconds: float
    ) -> None:
        log_folder.mkdir(parents=True, exist_ok=True)
        self._pools = {
            function.name: WorkerPool(application, function, environment, log_folder, init_timeout_seconds)
            for function in application.functions
        }

    def invoke(self, function: str, payload: bytes) -> InvocationResult:
        """Run a function, named or by its ARN. Raises UnknownFunction, InvokesRefused, TooManyRequests."""
        return self._pool(function).invoke(payload)

    def in_flight(self, function: str) -> list[InFlight]:
        """What this function's workers are busy with."""
        return self._pool(function).in_flight()

    def pids(self) -> list[int]:
        """Every worker process there is."""
        return [pid for pool in self._pools.values() for pid in pool.pids()]

    def warm(self, functions: Sequence[str] | None = None) -> None:
        """Start a first worker of these functions (default: of all), without waiting for them."""
        for name in functions or list(self._pools):
            self._pool(name).warm()

    def refuse(self, refusing: bool = True) -> None:
        """Take no more events, or take them again."""
        for pool in self._pools.values():
            pool.refuse(refusing)

    def drain(self, timeout: float) -> None:
        """Let busy workers finish; kill those that do not within `timeout` seconds. Raises StillRunning."""
        deadline = time.monotonic() + timeout
        for pool in self._pools.values():
            if not pool.wait_idle(max(0.0, deadline - time.monotonic())):
                pool.kill_busy()
        for pool in self._pools.values():
            if not pool.wait_idle(timeout=10):
                raise StillRunning(f"workers of {pool.function.name} do not end: {pool.pids()}")

    def stop(self) -> None:
        """End every worker of every function."""
        self.refuse()
        with ThreadPoolExecutor(max_workers=len(self._pools)) as pools:
            list(pools.map(WorkerPool.stop, self._pools.values()))

    def _pool(self, function: str) -> WorkerPool:
        try:
            return self._pools[function_name(function)]
        except KeyError:
            raise UnknownFunction(f"no function {function}; there are {', '.join(sorted(self._pools))}") from None

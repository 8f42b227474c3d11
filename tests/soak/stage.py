"""A local stack on small disks, behind the proxy, under a clock that can be turned; and whether it healed.

Waits between retries are cut to a fraction of a second, so that an outage of minutes fits into seconds; how often is
tried stays as deployed.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from receipt_dynamo_stream.control.head import Head
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.generations import collection_of

from local.application import REPOSITORY
from local.demo.exporting import export_current
from local.demo.naive.model import check_collection
from local.demo.naive.published import PublishedDamaged
from local.demo.naive.table import scan_receipts
from local.demo.samples.producer import COLLECTIONS, Producer
from local.errors import StillRunning
from local.lambdas.memory import few_arenas
from local.settings import StackSettings
from local.stack import LocalStack

from .disks import Disk
from .proxy import Proxy, Request
from .renewal import BESIDE, MORE_DIMENSIONS, receipts_of

DIMENSION = 16
FUNCTION_SECONDS = 20.0
GRACE_SECONDS = 2 * int(FUNCTION_SECONDS)
SETTINGS = StackSettings(
    shards=2,
    schedule_seconds=1.5,
    poll_seconds=0.1,
    batch_window_seconds=0.2,
    retry_backoff_seconds=0.1,
    keep_snapshots=5,
    expire_grace_seconds=GRACE_SECONDS,
    expired_for_seconds=GRACE_SECONDS,
    plans_kept_seconds=600,  # longer than any execution, also of a machine that is busy
    fold_least=150,
    fold_most=300,
    merge_workers=2,
    function_timeout_seconds=FUNCTION_SECONDS,
)
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
_WORKER = Path(__file__).parent / "worker"
_WAIT_AT_MOST = 0.2


class NotHealed(AssertionError):
    """The schedule alone did not bring everything to what it should be; the message has what is wrong."""


@dataclass
class Stage:
    """`disks`: "efs" and "tmp", where they are small ones. `seed` chooses samples and what the proxy does."""

    stack: LocalStack
    proxy: Proxy
    producer: Producer
    disks: dict[str, Disk]
    clock: Path

    @property
    def control(self) -> ControlTable:
        return ControlTable(self.stack.client("dynamodb"), self.stack.connection.control_table)

    def head(self, collection: str) -> Head | None:
        return self.control.head(collection).read()

    @property
    def kept_up(self) -> list[str]:
        """The collections, and the second generation once it was begun."""
        return [one for name in COLLECTIONS for one in self.control.generations(name).read().active]

    @property
    def workers(self) -> frozenset[int]:
        return frozenset(self.stack.workers.pids())

    @contextmanager
    def clock_turned(self, by: str) -> Iterator[None]:
        """Every worker's wall clock is off by so much (`+2h`, `-1d`), those at work too."""
        self.turn_clock(by)
        try:
            yield
        finally:
            self.turn_clock("+0")

    def turn_clock(self, by: str) -> None:
        new = self.clock.with_suffix(".new")
        new.write_text(f"{by}\n")
        new.replace(self.clock)

    @contextmanager
    def frozen_at(self, function: str, *, writing: bool = True) -> Iterator[tuple[threading.Event, threading.Event]]:
        """Stop a worker of this function at its next request (that writes), which is passed on when it is thawed.

        Yields (caught, thaw): the first is set when that happened, the second is to be set.
        """
        caught, thaw, lock = threading.Event(), threading.Event(), threading.Lock()
        stopped: list[int] = []

        def watch(request: Request) -> bool:
            if request.function != function or request.pid is None or (writing and not request.writes):
                return False
            with lock:
                if stopped:
                    return False
                stopped.append(request.pid)
                os.kill(request.pid, signal.SIGSTOP)
            caught.set()
            thaw.wait()
            with suppress(ProcessLookupError):
                os.kill(request.pid, signal.SIGCONT)
            return False

        with self.proxy.watched(watch):
            try:
                yield caught, thaw
            finally:
                thaw.set()

    @contextmanager
    def killed_at(self, function: str) -> Iterator[threading.Event]:
        """End a worker of this function at its next request, once. Yields what is set when that happened."""
        killed, lock = threading.Event(), threading.Lock()

        def watch(request: Request) -> bool:
            with lock:
                if request.function != function or request.pid is None or killed.is_set():
                    return False
                os.kill(request.pid, signal.SIGKILL)
                killed.set()
            return True

        with self.proxy.watched(watch):
            yield killed

    # -- at rest

    def heal(self, seconds: float, corrupt: Collection[str] = ()) -> float:
        """Wait until the schedule brought everything to what it should be; how long that took. Raises NotHealed.

        corrupt: runs whose deltas are bad; they stay in quarantine also when their receipt is gone.
        """
        began = time.monotonic()
        while problems := self._open_ends():
            if time.monotonic() - began > seconds:
                raise NotHealed(f"after {seconds:g} seconds of the schedule: {'; '.join(problems)}")
            time.sleep(0.1)
        took = time.monotonic() - began
        with self.resting(max(10.0, seconds - took)):
            if problems := self.judge(corrupt):
                shown = "\n".join(problems[:20])
                raise NotHealed(f"{len(problems)} differences after {took:.1f} seconds:\n{shown}")
        return took

    def _open_ends(self) -> list[str]:
        try:
            self.stack.poller.wait_caught_up(timeout=5)
        except StillRunning:
            return ["the stream is not drained"]
        problems = []
        for name in self.kept_up:
            head, pending = self.head(name), self.control.pending(name).read()
            if pending:
                one = pending[0]
                problems.append(f"{name}: {len(pending)} pending, such as {one}")
            if head is None or head.pointer is None:
                problems.append(f"{name}: nothing was published")
            elif head.holder is not None and head.holder not in self.stack.executions.running:
                problems.append(f"{name}: {head.holder} is dead and holds the lease")
            elif head.projected_version != head.pointer.version:
                problems.append(f"{name}: {head.pointer.version} is committed, {head.projected_version} is shown")
        return problems

    @contextmanager
    def resting(self, seconds: float = 60) -> Iterator[None]:
        """Nothing runs, and nothing is started."""
        self.stack.schedule.pause()
        try:
            self.stack.executions.wait_until_quiet(seconds)
            yield
        finally:
            self.stack.schedule.resume()

    def judge(self, corrupt: Collection[str] = ()) -> list[str]:
        """What differs from the naive model, the quarantine from what is corrupt, and whatever was given up."""
        receipts = scan_receipts(self.stack.client("dynamodb"), self.stack.connection.receipts_table)
        problems = []
        for name in self.kept_up:
            target = self.stack.folder / "export" / name
            shutil.rmtree(target, ignore_errors=True)
            try:
                export_current(self.stack.efs, name, target)
                verdict = check_collection(
                    receipts_of(receipts, name),
                    self.stack.client("s3"),
                    bucket=self.stack.connection.bucket,
                    efs=self.stack.efs,
                    collection=collection_of(name),
                    generation=name,
                    dimension=MORE_DIMENSIONS if name == BESIDE else DIMENSION,
                    exported=target,
                )
            except PublishedDamaged as error:
                problems.append(f"{name}: {error}")
                continue
            problems += [f"{name}: {difference}" for difference in verdict.differences]
            quarantined = {row.run_id: row.error for row in self.control.quarantine(name).list()}
            if not verdict.refused.keys() <= quarantined.keys() <= verdict.refused.keys() | set(corrupt):
                problems.append(f"{name}: in quarantine are {quarantined}, corrupt are {verdict.refused}")
        return problems + [f"given up: {one}" for one in self._given_up()]

    def _given_up(self) -> list[str]:
        queue = self.stack.client("sqs").receive_message(
            QueueUrl=self.stack.connection.failure_queue_url, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return [message["Body"] for message in queue.get("Messages", [])]


@contextmanager
def running(
    folder: Path, *, seed: int = 0, disks: dict[str, int] | None = None, clock: bool = False, **changes: object
) -> Iterator[Stage]:
    """`disks`: megabytes of "efs" and of "tmp". Raises NoDisk. clock: it can be turned; needs libfaketime."""
    from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl

    few_arenas()
    folder = folder.resolve()
    with ExitStack() as ending:
        small = {name: Disk(folder / name, size) for name, size in (disks or {}).items()}
        for disk in small.values():
            disk.mount()
            ending.callback(disk.unmount)
        proxy = Proxy(seed)
        proxy.start()
        ending.callback(proxy.stop)
        folder.mkdir(parents=True, exist_ok=True)
        if clock:
            ending.callback(forget_clocks)
        turned = folder / "clock"
        turned.write_text("+0\n")
        environment = {
            "PYTHONPATH": os.pathsep.join(map(str, (_WORKER, REPOSITORY))),
            "AWS_ENDPOINT_URL": proxy.url,
            **(_clock_of(turned) if clock else {}),
        }
        settings = replace(SETTINGS, environment=environment, **changes)  # type: ignore[arg-type]
        soon = SimpleNamespace(sleep=lambda seconds: time.sleep(min(_WAIT_AT_MOST, seconds)))
        ending.enter_context(patch.object(retrier_decl, "time", soon))
        stack = LocalStack(folder, settings)
        ending.enter_context(stack)
        proxy.upstream = str(stack.connection.endpoint_url)
        # The native states of executions go through the proxy too; clients that are there already do not.
        os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = proxy.url  # taken back with the stack's other variables
        producer = Producer(
            dynamodb=stack.client("dynamodb"),
            s3=stack.client("s3"),
            table=stack.connection.receipts_table,
            bucket=stack.connection.bucket,
            dimension=DIMENSION,
            rng=random.Random(seed),
        )
        yield Stage(stack, proxy, producer, small, turned)


def _clock_of(file: Path) -> dict[str, str]:
    if FAKETIME is None:
        raise FileNotFoundError("libfaketime: apt-get install libfaketime")
    return {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_CACHE_DURATION": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


def forget_clocks(memory: Path = Path("/dev/shm")) -> None:
    """Remove what libfaketime leaves there of processes that were killed."""
    for left in memory.glob("*faketime_s*_*"):
        pid = left.name.rpartition("_")[2]
        if not Path("/proc", pid).exists():
            left.unlink(missing_ok=True)


def published(stage: Stage, collection: str) -> dict[str, str]:
    """CURRENT on EFS, as it is."""
    return dict(json.loads((stage.stack.efs / collection / "CURRENT").read_text()))

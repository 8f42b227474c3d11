"""What is done to real processes, disks, clocks and connections: each for some seconds, and then it is over."""

from __future__ import annotations

import os
import random
import resource
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from receipt_dynamo_stream.control.table import ControlTable

from local.application import SHARD_STEPS
from local.lambdas.workers import InFlight

from .proxy import DYNAMODB, HANG, S3, SERVICES, Request, Storm
from .stage import Stage

Fault: TypeAlias = Callable[[Stage, random.Random, float], int]
"""Strikes for so many seconds, with the given chance; answers how often it struck."""

MORE_MEMORY = 8 << 20
CLOCKS = ("+2h", "-2h", "+3d", "-400d")


def kill(stage: Stage, rng: random.Random, seconds: float) -> int:
    """`kill -9` of workers at random moments, most often of one at work."""
    deadline, killed = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        busy = [one.pid for one in at_work(stage)]
        pids = busy if busy and rng.random() < 0.8 else sorted(stage.workers)
        if pids:
            killed += _signal(rng.choice(pids), signal.SIGKILL)
        time.sleep(rng.uniform(0.02, 0.4))
    return killed


def kill_at_requests(stage: Stage, rng: random.Random, seconds: float) -> int:
    """The same, of a worker that has just sent a request: which goes on without it, or not."""
    killed, lock = [], threading.Lock()

    def watch(request: Request) -> bool:
        with lock:
            strikes, is_lost = rng.random() < 0.06, rng.random() < 0.5
        if not strikes or request.pid not in stage.workers:
            return False
        killed.append(_signal(request.pid, signal.SIGKILL))
        return is_lost

    with stage.proxy.watched(watch):
        time.sleep(seconds)
    return sum(killed)


def some_errors(stage: Stage, _rng: random.Random, seconds: float) -> int:
    """Three requests in ten fail, of every service."""
    return _storm(stage, Storm(0.3), seconds)


def s3_is_out(stage: Stage, _rng: random.Random, seconds: float) -> int:
    """Every request to S3 fails."""
    return _storm(stage, Storm(1.0, (S3,)), seconds)


def dynamodb_is_out(stage: Stage, _rng: random.Random, seconds: float) -> int:
    """Every request to DynamoDB fails, of functions and of native states."""
    return _storm(stage, Storm(1.0, (DYNAMODB,)), seconds)


def time_outs(stage: Stage, _rng: random.Random, seconds: float) -> int:
    """One request in twenty is answered by nobody."""
    return _storm(stage, Storm(0.05, SERVICES, (HANG,)), seconds)


def efs_is_full(stage: Stage, _rng: random.Random, seconds: float) -> int:
    """ENOSPC on the shared file system."""
    with stage.disks["efs"].full():
        time.sleep(seconds)
    return 1


def tmp_is_full(stage: Stage, _rng: random.Random, seconds: float) -> int:
    """ENOSPC where functions work."""
    with stage.disks["tmp"].full():
        time.sleep(seconds)
    return 1


def efs_is_read_only(stage: Stage, _rng: random.Random, seconds: float) -> int:
    """EROFS on the shared file system."""
    with stage.disks["efs"].read_only():
        time.sleep(seconds)
    return 1


def no_memory(stage: Stage, _rng: random.Random, seconds: float) -> int:
    """The steps of shards get eight megabytes more than they have (RLIMIT_AS), those that begin meanwhile too."""
    limited: set[int] = set()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for one in at_work(stage, SHARD_STEPS):
            if one.pid not in limited and _limit(one.pid, MORE_MEMORY):
                limited.add(one.pid)
        time.sleep(0.01)
    for pid in limited:
        _limit(pid, None)
    return len(limited)


def freeze(stage: Stage, rng: random.Random, seconds: float) -> int:
    """A worker is stopped, its execution too, as by its time-out; the worker goes on when others did its work."""
    deadline = time.monotonic() + seconds
    while not (busy := at_work(stage)) and time.monotonic() < deadline:
        time.sleep(0.01)
    if not busy:
        return 0
    frozen = rng.choice(busy)
    struck = _signal(frozen.pid, signal.SIGSTOP)
    stop_executions(stage)
    time.sleep(seconds)
    _signal(frozen.pid, signal.SIGCONT)
    return struck


def stop(stage: Stage, rng: random.Random, seconds: float) -> int:
    """Executions are stopped, whatever they are at; their functions go on."""
    deadline, stopped = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        stopped += stop_executions(stage)
        time.sleep(rng.uniform(0.2, 1.5))
    return stopped


def turn_clock(stage: Stage, rng: random.Random, seconds: float) -> int:
    """The workers' wall clock jumps, hours to days ahead or back, and returns."""
    with stage.clock_turned(rng.choice(CLOCKS)):
        time.sleep(seconds)
    return 1


FAULTS: dict[str, Fault] = {
    "kill -9": kill,
    "kill -9 at a request": kill_at_requests,
    "errors 30 %": some_errors,
    "S3 out": s3_is_out,
    "DynamoDB out": dynamodb_is_out,
    "time-outs": time_outs,
    "EFS full": efs_is_full,
    "/tmp full": tmp_is_full,
    "EFS read-only": efs_is_read_only,
    "no memory": no_memory,
    "SIGSTOP past a take-over": freeze,
    "executions stopped": stop,
    "clock turned": turn_clock,
}
NEEDS_DISK = ("EFS full", "/tmp full", "EFS read-only")
NEEDS_CLOCK = ("clock turned",)


def at_work(stage: Stage, functions: Sequence[str] | None = None) -> list[InFlight]:
    """The workers that are busy."""
    names = functions or [one.name for one in stage.stack.application.functions]
    return [one for name in names for one in stage.stack.workers.in_flight(name)]


def stop_executions(stage: Stage, *, holders_alone: bool = True) -> int:
    """Stop those that hold a lease, or without one all that run; how many."""
    control: ControlTable = stage.control
    holders = {head.holder for name in stage.kept_up if (head := control.head(name).read()) and head.holder}
    running = stage.stack.executions.running
    stopping = [arn for arn in running if holders_alone and arn in holders] or list(running)
    for arn in stopping:
        stage.stack.executions.stop(arn)
    return len(stopping)


def _storm(stage: Stage, storm: Storm, seconds: float) -> int:
    before = stage.proxy.struck.total()
    with stage.proxy.storm(storm):
        time.sleep(seconds)
    return stage.proxy.struck.total() - before


def _signal(pid: int | None, number: signal.Signals) -> int:
    with suppress(ProcessLookupError):
        if pid:
            os.kill(pid, number)
            return 1
    return 0


def _limit(pid: int, more: int | None) -> bool:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
        limit = resource.RLIM_INFINITY if more is None else pages * resource.getpagesize() + more
        resource.prlimit(pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    except (OSError, ProcessLookupError):
        return False
    return True

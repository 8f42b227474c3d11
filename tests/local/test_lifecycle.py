"""Starting and stopping: nothing of the person's own is used or changed, and nothing is left behind."""

import json
import logging
import os
import subprocess
import sys
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.application import functions_of
from local.aws.executions import wait_until
from local.errors import ApplicationMissing, StackAlreadyRunning, StackNotStarted, SubstitutionError
from local.stack import LocalStack

from .tools import QUICK, TOY, freeze, gone, toy_application


def toy_stack(folder: Path, **changes: Any) -> LocalStack:
    return LocalStack(folder, QUICK, application=replace(toy_application(), **changes), filters=())


def state_of_the_process() -> dict[str, Any]:
    """What a stack changes while it runs."""
    logger = logging.getLogger("moto")
    return {
        "environment": {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
        "session": boto3.DEFAULT_SESSION,
        "log": (logger.level, logger.propagate, list(logger.handlers)),
        "threads": set(threading.enumerate()),
    }


def started(folder: Path) -> bool | None:
    return (folder / "started").exists() or None


def test_the_process_is_as_before_and_every_worker_gone_whatever_was_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "precious")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://elsewhere.example")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "precious")
    before = state_of_the_process()
    with toy_stack(tmp_path) as stack:
        assert os.environ["AWS_ACCESS_KEY_ID"] == "local"
        assert "AWS_PROFILE" not in os.environ
        for name in "abc":
            (tmp_path / name).mkdir()
        for name in "ab":
            stack.executions.start("words", mode="hold", folder=str(tmp_path / name))
            wait_until(partial(started, tmp_path / name), 20, "the handler does not start")
        stack.executions.start("words", mode="hold", folder=str(tmp_path / "c"))  # waits for a worker
        stack.executions.start("lines", mode="wait")
        stack.wait_for_execution(stack.executions.start("lines"))
        frozen, _ = stack.workers.in_flight("Hold")
        freeze(frozen.pid)
        folder = Path(json.loads(frozen.payload)["folder"])
        (folder / "release").touch()  # thawed, it would finish
        pids = stack.workers.pids()
        assert len(pids) == 3
    assert all(gone(pid) for pid in pids)
    assert not (folder / "finished").exists()
    assert state_of_the_process() == before


def test_stopping_twice_is_stopping_once(tmp_path: Path) -> None:
    stack = toy_stack(tmp_path)
    stack.start()
    stack.stop()
    stack.stop()


def test_a_second_stack_in_the_process_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with toy_stack(tmp_path / "1") as stack:
        with pytest.raises(StackAlreadyRunning):
            toy_stack(tmp_path / "2").start()
        assert stack.wait_for_execution(stack.executions.start("words")).status == "SUCCEEDED"
    with toy_stack(tmp_path / "2") as stack:
        assert stack.executions.find() == []


def test_a_second_process_is_refused_a_stacks_folder_also_while_that_is_stopped_by_a_signal(tmp_path: Path) -> None:
    """A stack that answers nobody for a while is no stack that has ended: what it has must not be removed."""
    parent = subprocess.Popen(held_stack(tmp_path / "data"), stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids: list[int] = []
    try:
        pids = json.loads(parent.stdout.readline())
        kept = tmp_path / "data/efs/kept"
        kept.touch()
        freeze(parent.pid)
        second = LocalStack(tmp_path / "data", QUICK, application=toy_application(), filters=(), fresh=True)
        with pytest.raises(StackAlreadyRunning, match="in another process"):
            second.start()
        assert kept.exists()
    finally:
        parent.kill()
        parent.communicate()
        (tmp_path / "data/release").touch()
    wait_until(lambda: all(gone(pid) for pid in pids) or None, 20, f"of {pids} some still run")
    with second:
        assert not kept.exists()


def test_what_does_not_run_says_so(tmp_path: Path) -> None:
    stack = toy_stack(tmp_path)
    for part in ("workers", "executions", "poller", "schedule", "connection"):
        with pytest.raises(StackNotStarted):
            getattr(stack, part)


def test_a_start_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state_of_the_process()
    with pytest.raises(ApplicationMissing):
        toy_stack(tmp_path, root=tmp_path).start()
    with pytest.raises(SubstitutionError):
        toy_stack(tmp_path, steps=()).start()
    monkeypatch.setattr("local.aws.resources.create_bucket", lambda _s3: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        toy_stack(tmp_path).start()
    monkeypatch.undo()
    assert state_of_the_process() == before
    with toy_stack(tmp_path):
        pass


def with_recorder(folder: Path) -> LocalStack:
    (recorder,) = functions_of(["Record"], package="toy_handlers")
    return toy_stack(folder, recorder=recorder)


def test_what_ended_before_a_stack_stops_is_recorded_all_the_same(tmp_path: Path) -> None:
    with with_recorder(tmp_path) as stack:
        arns = [stack.executions.start("words") for _ in range(4)]
        for arn in arns:
            stack.wait_for_execution(arn)
    details = [json.loads(line)["detail"] for line in (stack.efs / "events.jsonl").read_text().splitlines()]
    assert {detail["executionArn"] for detail in details if detail["status"] == "SUCCEEDED"} == set(arns)


def test_a_recorder_that_hangs_does_not_keep_a_stack_from_stopping(tmp_path: Path) -> None:
    before = state_of_the_process()
    with with_recorder(tmp_path) as stack:
        stack.executions.start_with({"record": "hang", "mode": "compact"})
        (held,) = wait_until(lambda: stack.workers.in_flight("Record") or None, 20, "the recorder has nothing to do")
        freeze(held.pid)
    assert gone(held.pid)
    assert state_of_the_process() == before


PARENT = """
import json, sys, threading
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.local.test_lifecycle import toy_stack
from local.aws.executions import wait_until
folder = Path(sys.argv[2])
stack = toy_stack(folder)
stack.start()
stack.wait_for_execution(stack.executions.start("words"))
stack.executions.start("words", mode="hold", folder=str(folder))
wait_until(lambda: (folder / "started").exists() or None, 30, "the handler does not start")
print(json.dumps(stack.workers.pids()), flush=True)
threading.Event().wait()
"""


def held_stack(folder: Path) -> list[str]:
    """The command of a process that holds a stack and prints its workers' ids."""
    return [sys.executable, "-c", PARENT, str(TOY.parents[2]), str(folder)]


def test_workers_end_by_themselves_when_the_stack_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(held_stack(tmp_path), stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = json.loads(parent.stdout.readline())
    assert len(pids) == 2
    parent.kill()
    parent.communicate()
    (tmp_path / "release").touch()  # the busy one finishes, and has nobody to give its answer to
    wait_until(lambda: all(gone(pid) for pid in pids) or None, 20, f"of {pids} some still run")

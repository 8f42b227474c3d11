"""Worker processes, with AWS's own runtime client and toy handlers."""

import json
import os
import re
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from local.application import Function
from local.aws.executions import wait_until
from local.errors import InvokesRefused, StillRunning, TooManyRequests, UnknownFunction
from local.lambdas.worker_logs import find_invocation
from local.lambdas.workers import Workers

from ..tools import freeze, gone, toy_application


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    logs = tmp_path_factory.mktemp("logs")
    broken = Function("Broken", "toy_handlers.broken.broken")
    hasty = Function("Hasty", "toy_handlers.misbehave.misbehave", timeout_seconds=0.5)
    single = Function("Single", "toy_handlers.hold.hold", max_workers=1, timeout_seconds=0.5)
    toy = toy_application()
    application = replace(toy, steps=(*toy.steps, broken, hasty, single))
    workers = Workers(application, {"TOY": "yes", "WORK_ROOT": str(logs)}, logs, init_timeout_seconds=30)
    yield workers
    pids = workers.pids()
    workers.stop()
    assert all(gone(pid) for pid in pids)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor


def call(workers: Workers, function: str, **event: Any) -> tuple[Any, str | None]:
    result = workers.invoke(function, json.dumps(event).encode())
    return json.loads(result.payload), result.function_error


def hold(workers: Workers, threads: ThreadPoolExecutor, folder: Path, function: str = "Hold") -> Future[Any]:
    """Start an invocation that lasts until `release`; returns once the handler is at work."""
    folder.mkdir()
    future = threads.submit(call, workers, function, folder=str(folder))
    wait_until(lambda: (folder / "started").exists() or None, 20, "the handler does not start")
    return future


def release(folder: Path) -> None:
    (folder / "release").touch()


def test_the_environment_is_that_of_a_lambda_and_holds_nothing_of_the_persons_own(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, error = call(workers, "Echo", hello="world")
    assert error is None
    assert answer["event"] == {"hello": "world"}
    assert answer["arn"] == "arn:aws:lambda:us-east-1:123456789012:function:Echo"
    assert 0 < answer["remaining_ms"] <= 300_000
    environment = answer["environment"]
    assert environment["TOY"] == "yes"
    assert environment["_HANDLER"] == "toy_handlers.echo.echo"
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "Echo"
    assert environment["MALLOC_ARENA_MAX"] == "2"
    assert environment["AWS_ACCESS_KEY_ID"] == "local"
    assert environment["AWS_REGION"] == environment["AWS_DEFAULT_REGION"] == "us-east-1"
    assert environment["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert not {name for name in environment if name.startswith("PYTEST")}


def test_a_worker_is_kept_and_used_again(workers: Workers) -> None:
    first, second = (call(workers, "Echo")[0] for _ in range(2))
    assert first["pid"] == second["pid"]
    assert first["request_id"] != second["request_id"]


def test_an_exception_arrives_in_the_shape_of_aws_under_its_bare_name(workers: Workers) -> None:
    answer, error = call(workers, "Misbehave", do="raise")
    assert error == "Unhandled"
    assert answer["errorType"] == "OddError"
    assert answer["errorMessage"] == "as told"
    assert "misbehave" in answer["stackTrace"][0]


@pytest.mark.parametrize(("do", "reason"), [("exit", "exit status 3"), ("kill", "signal: 9")])
def test_a_crash_is_an_exit_error_and_the_next_event_gets_a_new_worker(workers: Workers, do: str, reason: str) -> None:
    answer, error = call(workers, "Misbehave", do=do)
    assert error == "Unhandled"
    assert answer["errorType"] == "Runtime.ExitError"
    assert reason in answer["errorMessage"]
    assert call(workers, "Misbehave", do="nothing") == (None, None)


def test_a_function_over_its_time_is_killed(workers: Workers) -> None:
    before = set(workers.pids())
    answer, error = call(workers, "Hasty", do="sleep")
    assert error == "Unhandled"
    assert answer["errorType"] == "Sandbox.Timedout"
    assert "0.50 seconds" in answer["errorMessage"]
    assert call(workers, "Hasty", do="nothing") == (None, None)
    wait_until(lambda: len(set(workers.pids()) - before) == 1 or None, 10, "the slow worker is still there")


def test_a_handler_that_cannot_be_imported_is_told_every_time(workers: Workers) -> None:
    for _ in range(2):
        answer, error = call(workers, "Broken")
        assert error == "Unhandled"
        assert answer["errorType"] == "RuntimeError"
        assert answer["errorMessage"] == "broken on purpose"


def test_an_answer_over_six_megabytes_is_refused(workers: Workers) -> None:
    answer, error = call(workers, "Misbehave", do="large", bytes=7 * 1024 * 1024)
    assert (answer["errorType"], error) == ("Function.ResponseSizeTooLarge", "Unhandled")


def test_an_unknown_function_is_named(workers: Workers) -> None:
    with pytest.raises(UnknownFunction, match="Nobody"):
        workers.invoke("Nobody", b"{}")


def test_when_all_are_busy_another_is_started(workers: Workers, threads: ThreadPoolExecutor, tmp_path: Path) -> None:
    holding = [hold(workers, threads, tmp_path / name) for name in "ab"]
    in_flight = workers.in_flight("Hold")
    assert len({each.pid for each in in_flight}) == 2
    assert {json.loads(each.payload)["folder"] for each in in_flight} == {str(tmp_path / name) for name in "ab"}
    for name in "ab":
        release(tmp_path / name)
    assert [future.result(10) for future in holding] == [({"held": True}, None)] * 2
    assert workers.in_flight("Hold") == []


def test_at_the_bound_an_event_waits_for_a_free_worker(
    workers: Workers, threads: ThreadPoolExecutor, tmp_path: Path
) -> None:
    holding = [hold(workers, threads, tmp_path / name) for name in "ab"]
    (tmp_path / "c").mkdir()
    release(tmp_path / "c")
    waiting = threads.submit(call, workers, "Hold", folder=str(tmp_path / "c"))
    assert not waiting.done()
    release(tmp_path / "a")
    assert waiting.result(10) == ({"held": True}, None)
    release(tmp_path / "b")
    assert all(future.result(10) for future in holding)


def test_an_event_that_finds_no_worker_for_too_long_is_throttled(
    workers: Workers, threads: ThreadPoolExecutor, tmp_path: Path
) -> None:
    holding = hold(workers, threads, tmp_path / "a", function="Single")
    waiting = [threads.submit(call, workers, "Single", folder=str(tmp_path / "a")) for _ in range(3)]
    errors = [future.exception(20) for future in waiting]
    assert any(isinstance(error, TooManyRequests) for error in errors)
    assert holding.result(10)[0]["errorType"] == "Sandbox.Timedout"


def test_a_frozen_worker_does_not_hold_up_the_next_event_and_answers_once_thawed(
    workers: Workers, threads: ThreadPoolExecutor, tmp_path: Path
) -> None:
    holding = hold(workers, threads, tmp_path / "a")
    (frozen,) = workers.in_flight("Hold")
    freeze(frozen.pid)
    other = hold(workers, threads, tmp_path / "b")
    release(tmp_path / "a")
    release(tmp_path / "b")
    assert other.result(10) == ({"held": True}, None)
    assert not holding.done()
    os.kill(frozen.pid, signal.SIGCONT)
    assert holding.result(10) == ({"held": True}, None)


def test_refusing_lets_what_is_under_way_come_to_its_end(
    workers: Workers, threads: ThreadPoolExecutor, tmp_path: Path
) -> None:
    holding = hold(workers, threads, tmp_path / "a")
    workers.refuse()
    try:
        with pytest.raises(InvokesRefused):
            workers.invoke("Echo", b"{}")
        release(tmp_path / "a")
        assert holding.result(10) == ({"held": True}, None)
    finally:
        workers.refuse(False)


def test_draining_kills_what_does_not_finish(workers: Workers, threads: ThreadPoolExecutor, tmp_path: Path) -> None:
    holding = hold(workers, threads, tmp_path / "a")
    (busy,) = workers.in_flight("Hold")
    freeze(busy.pid)
    workers.drain(timeout=0)
    assert holding.result(10)[0]["errorType"] == "Runtime.ExitError"
    assert gone(busy.pid)


def test_warming_starts_one_worker_and_only_one(workers: Workers) -> None:
    workers.warm(["Listen"])
    pids = set(workers.pids())
    workers.warm(["Listen"])
    assert set(workers.pids()) == pids


def test_a_worker_that_dies_idle_is_replaced(workers: Workers) -> None:
    pid = call(workers, "Echo")[0]["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: pid not in workers.pids() or None, 10, "the dead worker is still counted")
    answer, error = call(workers, "Echo")
    assert (error, answer["pid"] != pid) == (None, True)


def test_many_events_at_once_are_all_answered_by_their_own_answer(
    workers: Workers, threads: ThreadPoolExecutor
) -> None:
    numbers = range(40)
    answers = list(threads.map(lambda n: call(workers, "Echo", n=n)[0]["event"]["n"], numbers))
    assert answers == list(numbers)
    assert threading.active_count() < 100


def test_what_a_handler_prints_is_in_its_log(workers: Workers, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = Path(call(workers, "Echo", line="findable")[0]["environment"]["WORK_ROOT"])
    assert any("findable" in file.read_text() for file in folder.glob("Echo-*.log"))


def logs_of(workers: Workers) -> Path:
    return Path(call(workers, "Echo")[0]["environment"]["WORK_ROOT"])


@pytest.mark.parametrize("do", ["raise", "exit", "kill"])
def test_the_log_of_a_failed_invocation_is_found_by_the_request_id_in_its_error(workers: Workers, do: str) -> None:
    answer, _ = call(workers, "Misbehave", do=do)
    (request_id,) = re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", json.dumps(answer))
    found = find_invocation(logs_of(workers), request_id, "Misbehave")
    assert found is not None
    assert found.lines[0] == f"START RequestId: {request_id} Version: $LATEST"
    assert found.lines[-1].endswith("Status: error\tError Type: Unhandled")
    assert any("OddError" in line for line in found.lines) == (do == "raise")


def test_a_worker_that_replaces_a_dead_one_writes_to_the_same_log(workers: Workers) -> None:
    for _ in range(3):
        call(workers, "Misbehave", do="exit")
        wait_until(lambda: not workers.in_flight("Misbehave") or None, 10, "the worker is still there")
    assert [file.name for file in logs_of(workers).glob("Misbehave-*")] == ["Misbehave-1.log"]


def test_waiting_for_too_long_is_an_error_that_says_for_what() -> None:
    with pytest.raises(StillRunning, match="nothing happens after 0 seconds"):
        wait_until(lambda: None, 0, "nothing happens")

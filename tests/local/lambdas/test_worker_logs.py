"""Logs: bounded however long a stack stays up, and an invocation is found by its request id."""

import logging
from pathlib import Path

import pytest

from local import logs
from local.lambdas.worker_logs import WorkerLog, find_invocation
from local.logs import StackLog


def invoke(log: WorkerLog, request_id: str, *lines: str, error: str | None = None) -> None:
    """As a worker does: the process writes by the file it was given at its start."""
    log.start(request_id)
    with log.file.open("ab") as output:
        output.writelines(f"{line}\n".encode() for line in lines)
    log.end(request_id, seconds=0.0123, function_error=error)


def test_an_invocation_stands_between_the_lines_that_lambda_writes(tmp_path: Path) -> None:
    log = WorkerLog(tmp_path / "Echo-1.log")
    invoke(log, "r1", "one", "two")
    assert log.file.read_text().splitlines() == [
        "START RequestId: r1 Version: $LATEST",
        "one",
        "two",
        "END RequestId: r1",
        "REPORT RequestId: r1\tDuration: 12.30 ms\tStatus: success",
    ]


def test_an_invocation_is_found_by_its_request_id_in_whichever_log_it_is(tmp_path: Path) -> None:
    for place, function in ((1, "Echo"), (2, "Echo"), (1, "Merge")):
        log = WorkerLog(tmp_path / f"{function}-{place}.log")
        for number in range(3):
            invoke(log, f"{function}-{place}-{number}", f"work of {number}", error="Unhandled" if number == 2 else None)
    found = find_invocation(tmp_path, "Echo-2-2")
    assert found is not None
    assert found.file.name == "Echo-2.log"
    assert found.lines == (
        "START RequestId: Echo-2-2 Version: $LATEST",
        "work of 2",
        "END RequestId: Echo-2-2",
        "REPORT RequestId: Echo-2-2\tDuration: 12.30 ms\tStatus: error\tError Type: Unhandled",
    )
    assert find_invocation(tmp_path, "Echo-2-2", "Echo") == found
    assert find_invocation(tmp_path, "Echo-2-2", "Merge") is None
    assert find_invocation(tmp_path, "nowhere") is None
    assert find_invocation(tmp_path, "") is None


def test_a_request_id_that_another_invocation_only_mentions_is_not_its_own(tmp_path: Path) -> None:
    invoke(WorkerLog(tmp_path / "Download-1.log"), "r1", "plan_key=plans/words/e/0-r2.json.gz")
    invoke(WorkerLog(tmp_path / "Plan-1.log"), "r2")
    found = find_invocation(tmp_path, "r2")
    assert found is not None
    assert found.file.name == "Plan-1.log"


def test_an_invocation_that_still_runs_or_died_shows_what_there_is(tmp_path: Path) -> None:
    log = WorkerLog(tmp_path / "Echo-1.log")
    log.start("r1")
    with log.open() as output:
        output.write(b"so far\n")
    found = find_invocation(tmp_path, "r1")
    assert found is not None
    assert found.lines == ("START RequestId: r1 Version: $LATEST", "so far")
    log.start("r2")
    assert find_invocation(tmp_path, "r1") == found


def test_a_log_stays_within_its_bound_and_keeps_its_end(tmp_path: Path) -> None:
    log = WorkerLog(tmp_path / "Echo-1.log", max_bytes=2_000)
    with log.open() as output:  # the file that a process has open all the time
        for number in range(200):
            log.start(f"r{number}")
            output.write(f"line of {number} {'x' * 50}\n".encode())
            output.flush()
            log.end(f"r{number}", seconds=0.1, function_error=None)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["Echo-1.log", "Echo-1.log.1"]
    assert all(path.stat().st_size < 2_500 for path in tmp_path.iterdir())
    for number in (199, 198, 190):
        found = find_invocation(tmp_path, f"r{number}")
        assert found is not None
        assert [line.split()[0] for line in found.lines] == ["START", "line", "END", "REPORT"]
    assert b"\0" not in log.file.read_bytes(), "a process that does not append leaves a hole"


def test_one_invocation_that_writes_a_lot_is_whole(tmp_path: Path) -> None:
    log = WorkerLog(tmp_path / "Echo-1.log", max_bytes=1_000)
    lines = tuple(f"line {number}" for number in range(500))
    invoke(log, "r1", *lines)
    invoke(log, "r2")
    found = find_invocation(tmp_path, "r1")
    assert found is not None
    assert found.file.name == "Echo-1.log.1"
    assert found.lines[1:-2] == lines


def test_the_log_of_the_stack_is_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_BYTES", 1_000)
    stack_log = StackLog(tmp_path / "stack.log")
    stack_log.start()
    try:
        for number in range(200):
            logging.getLogger("moto").error("error %d", number)
    finally:
        stack_log.stop()
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["stack.log", "stack.log.1", "stack.log.2"]
    assert all(path.stat().st_size <= 1_000 for path in tmp_path.iterdir())
    assert "error 199" in (tmp_path / "stack.log").read_text()

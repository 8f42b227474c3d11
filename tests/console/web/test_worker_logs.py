"""Which lines of the workers' logs are about an execution."""

import json
from pathlib import Path

from console.web.worker_logs import LINES, lines_about

NAME = "words-stream-0001"


def record(message: str, second: int = 0, **more: str) -> str:
    time = f"2026-07-28 12:00:{second:02d},000+0000"
    return json.dumps({"level": "INFO", "message": message, "timestamp": time, **more})


def invocation(request_id: str, *lines: str) -> list[str]:
    return [
        f"START RequestId: {request_id} Version: $LATEST",
        *lines,
        f"END RequestId: {request_id}",
        f"REPORT RequestId: {request_id}\tDuration: 5.00 ms\tStatus: success",
    ]


def write(folder: Path, name: str, *invocations: list[str]) -> None:
    (folder / name).write_text("".join(f"{line}\n" for lines in invocations for line in lines))


def messages(folder: Path, function: str = "MergeDeltas") -> list[str]:
    return [line.message for line in lines_about(folder, function, NAME) if line.message]


def test_all_lines_of_the_invocations_that_name_the_execution_are_found(tmp_path: Path) -> None:
    write(
        tmp_path,
        "MergeDeltas-1.log",
        invocation("r1", record("begin", 1), record("done", 2, plan_key=f"plans/words/{NAME}/0-x.json.gz")),
        invocation("r2", record("of another", 3, plan_key="plans/words/other/0-x.json.gz")),
    )
    write(tmp_path, "ValidateShard-1.log", invocation("r3", record("of another function", 1, execution=NAME)))
    assert messages(tmp_path) == ["begin", "done"]
    assert lines_about(tmp_path, "MergeDeltas", NAME)[-1].text.startswith("REPORT RequestId: r1")


def test_a_traceback_belongs_to_the_invocation_that_it_stands_in(tmp_path: Path) -> None:
    ours = ["Traceback (most recent call last):", "{not json"]
    write(
        tmp_path,
        "MergeDeltas-1.log",
        invocation("r1", record("failed", 1, execution=NAME), *ours),
        invocation("r2", "Traceback of another", record("another", 2)),
    )
    text = [line.text for line in lines_about(tmp_path, "MergeDeltas", NAME)]
    assert text[2:4] == ours
    assert "Traceback of another" not in text


def test_invocations_of_several_workers_are_put_in_order_of_time(tmp_path: Path) -> None:
    for worker, second in ((1, 3), (2, 1), (3, 2)):
        lines = invocation(f"r{worker}", record(f"at {second}", second, execution=NAME))
        write(tmp_path, f"MergeDeltas-{worker}.log", lines)
    assert messages(tmp_path) == ["at 1", "at 2", "at 3"]


def test_only_the_last_lines_are_kept(tmp_path: Path) -> None:
    write(tmp_path, "MergeDeltas-1.log", invocation("r1", *(record(str(n), execution=NAME) for n in range(LINES + 5))))
    found = lines_about(tmp_path, "MergeDeltas", NAME)
    assert len(found) == LINES
    assert found[-1].text.startswith("REPORT")


def test_a_function_is_a_name_and_never_a_path(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    write(tmp_path, "secret-1.log", invocation("r1", record("outside", execution=NAME)))
    for function in ("../secret", "*", "", "secret/../../secret", "/etc/passwd"):
        assert lines_about(folder, function, NAME) == []


def test_no_log_is_no_lines(tmp_path: Path) -> None:
    assert lines_about(tmp_path / "nowhere", "MergeDeltas", NAME) == []

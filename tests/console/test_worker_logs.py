"""Which lines of the workers' logs are about an execution."""

import json
from pathlib import Path

from console.worker_logs import LINES, lines_about

NAME = "words-stream-0001"


def line(request: str, message: str, second: int = 0, **more: str) -> str:
    return json.dumps(
        {
            "level": "INFO",
            "message": message,
            "timestamp": f"2026-07-28 12:00:{second:02d},000+0000",
            "function_request_id": request,
            **more,
        }
    )


def write(folder: Path, name: str, *lines: str) -> None:
    (folder / name).write_text("".join(f"{one}\n" for one in lines))


def test_all_lines_of_the_invocations_that_name_the_execution_are_found(tmp_path: Path) -> None:
    write(
        tmp_path,
        "MergeDeltas-1.log",
        line("r1", "begin", 1),
        line("r1", "step done", 2, plan_key=f"plans/words/{NAME}/0-x.json.gz"),
        line("r2", "of another", 3, plan_key="plans/words/other/0-x.json.gz"),
    )
    write(tmp_path, "ValidateShard-1.log", line("r1", "of another function", 1, execution=NAME))
    assert [one.message for one in lines_about(tmp_path, "MergeDeltas", NAME)] == ["begin", "step done"]


def test_a_traceback_belongs_to_the_invocation_that_wrote_before_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        "MergeDeltas-1.log",
        line("r1", "step failed", 1, execution=NAME),
        "Traceback (most recent call last):",
        "{not json",
        line("r2", "another", 2),
        "Traceback of another",
    )
    found = [one.text for one in lines_about(tmp_path, "MergeDeltas", NAME)]
    assert found[1:] == ["Traceback (most recent call last):", "{not json"]


def test_lines_of_several_workers_are_put_in_order_of_time(tmp_path: Path) -> None:
    write(tmp_path, "MergeDeltas-2.log", line("r2", "second", 2, execution=NAME))
    write(tmp_path, "MergeDeltas-1.log", line("r1", "third", 3, execution=NAME), line("r3", "other", 1))
    write(tmp_path, "MergeDeltas-3.log", line("r4", "first", 1, execution=NAME))
    assert [one.message for one in lines_about(tmp_path, "MergeDeltas", NAME)] == ["first", "second", "third"]


def test_only_the_last_lines_are_kept(tmp_path: Path) -> None:
    write(tmp_path, "MergeDeltas-1.log", *(line("r1", str(n), execution=NAME) for n in range(LINES + 5)))
    found = lines_about(tmp_path, "MergeDeltas", NAME)
    assert (len(found), found[-1].message) == (LINES, str(LINES + 4))


def test_a_function_is_a_name_and_never_a_path(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    write(tmp_path, "secret-1.log", line("r1", "outside", execution=NAME))
    for function in ("../secret", "*", "", "secret/../../secret", "/etc/passwd"):
        assert lines_about(folder, function, NAME) == []


def test_no_log_is_no_lines(tmp_path: Path) -> None:
    assert lines_about(tmp_path / "nowhere", "MergeDeltas", NAME) == []

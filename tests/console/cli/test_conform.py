"""`compaction conform`: whom it asks, what it prints and writes, and how it ends."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from console.cli import conform_command
from local.aws.status_events import StatusChange
from operate.conform import on_aws
from operate.conform.report import Report
from operate.conform.rows import Outcome, Row, Whose
from operate.connection import Connection

NOWHERE = Connection("us-east-1", "http://127.0.0.1:1", "arn:machine", "receipts", "control", "bucket", None, None)
HELD = Row("Stream", "an INSERT wakes it", "one message", "one message", Whose.EMULATOR, Outcome.HELD)
BROKEN = Row("Stream", "a REMOVE wakes it", "one message", "no [bold]message", Whose.EMULATOR, Outcome.BROKEN)
LEFT_OUT = Row("Stream", "poison", "its queue", "no queue here", Whose.EMULATOR, Outcome.LEFT_OUT, required=False)
MEASURED = Row("Cold and warm", "init", "", "812 ms", Whose.EMULATOR, Outcome.MEASURED, required=False)
KNOWN = replace(BROKEN, required=False, source="https://example.org", known="moto: it is wrong")


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch):
    """Give the rows that the probes have."""

    def give(*rows: Row) -> None:
        monkeypatch.setattr(conform_command, "connect", lambda _arguments: NOWHERE)
        monkeypatch.setattr("operate.conform.probes.probe_rows", lambda _stack, _records: iter(rows))

    return give


@pytest.mark.parametrize(
    ("rows", "code", "last"),
    [
        ([HELD, LEFT_OUT, MEASURED], 0, "Passed: 1 held, 1 left out, 1 measured."),
        ([HELD, BROKEN], 1, "Not passed: 1 held, 1 broken; 1 required row did not hold."),
        ([HELD, KNOWN], 0, "Passed: 1 held, 1 known difference."),
        ([MEASURED], 1, "Not passed: 1 measured."),
    ],
)
def test_it_ends_well_only_when_every_required_row_held(run, probed, rows: list[Row], code: int, last: str) -> None:
    probed(*rows)
    said = run("conform", "--local", "--level", "1")
    assert (said.code, said.err) == (code, "")
    assert said.out.splitlines()[-1] == last


@pytest.mark.parametrize("columns", ["60", "80", "140"])
def test_a_broken_row_says_what_was_expected_and_seen_and_whose_answer_it_is_at_any_width(
    run, probed, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    probed(*[HELD] * 30, BROKEN)
    said = run("conform", "--local", "--level", "1").out
    assert max(map(len, said.splitlines())) <= int(columns)
    assert "Stream, asked of emulator" in said
    assert "\n30 held\n" in said
    assert "INSERT" not in said, "many rows that held are not for reading"
    for word in ("REMOVE", "[bold]message", "broken"):
        assert word in said


def test_the_report_is_a_file_that_reads_back(run, probed, tmp_path: Path) -> None:
    probed(HELD, BROKEN, MEASURED, KNOWN)
    file = tmp_path / "report.json"
    answer = run("conform", "--local", "--level", "1", "--report", str(file), "--json").json
    report = Report.from_json(json.loads(file.read_text()))
    assert report.rows == (HELD, BROKEN, MEASURED, KNOWN)
    assert (report.stack, report.region, report.levels, report.passed) == ("local", None, (1,), False)
    assert answer == {"passed": False, **report.to_json()}


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        ([], "whom to ask? --stack NAME"),
        (["--region", "eu-west-1", "--level", "1"], "whom to ask? --stack NAME"),
        (["--local", "--stack", "s"], "leave out --stack"),
        (["--local", "--level", "0", "--report", "/no/such/folder/r.json"], "no such folder"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line(run, argv: list[str], why: str) -> None:
    said = run("conform", *argv)
    assert said.code == 2
    assert why in said.error_line


def test_without_credentials_it_says_in_a_line_what_it_needs(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_aws, "has_credentials", lambda: False)
    said = run("conform", "--level", "0")
    assert said.code == 2
    assert "no AWS credentials: level 0 needs AWS credentials" in said.error_line


def test_interrupted_it_removes_what_was_made(run, monkeypatch: pytest.MonkeyPatch, probed) -> None:
    removed = []

    def probes(_stack: object, _records: int) -> Iterator[Row]:
        try:
            yield HELD
            raise KeyboardInterrupt
        finally:
            removed.append("collection")

    probed()
    monkeypatch.setattr("operate.conform.probes.probe_rows", probes)
    said = run("conform", "--local", "--level", "1")
    assert (said.code, removed) == (130, ["collection"])


def test_interrupted_between_two_rows_it_removes_too(run, monkeypatch: pytest.MonkeyPatch, probed) -> None:
    removed = []

    def probes(_stack: object, _records: int) -> Iterator[Row]:
        try:
            yield HELD
            yield MEASURED
        finally:
            removed.append("collection")

    def interrupted(*_arguments: object, **_more: object) -> Iterator[object]:
        raise KeyboardInterrupt

    probed()
    monkeypatch.setattr("operate.conform.probes.probe_rows", probes)
    monkeypatch.setattr("console.cli.render_conform.part_lines", interrupted)
    assert run("conform", "--local", "--level", "1").code == 130
    assert removed == ["collection"]


def a_path(states: dict[str, Any]) -> None:
    states["PlanCompaction"]["Parameters"]["Payload"]["collection.$"] = "$.input.colection"


def a_retrier(states: dict[str, Any]) -> None:
    states["StartFold"]["Retry"][0]["MaxAttempts"] += 1


def a_missing_state(states: dict[str, Any]) -> None:
    del states["IsTurnAsked"]


@pytest.mark.parametrize(
    ("break_it", "what", "seen"),
    [
        (a_path, "PlanCompaction, result 1 of 2", "fails: States.Runtime"),
        (a_retrier, "StartFold, Lambda.ServiceException", "retrier 1: "),
        (a_missing_state, "IsTurnAsked, no rule", "there is no such state"),
    ],
    ids=lambda one: one.__name__ if callable(one) else "",
)
def test_a_broken_definition_turns_rows_red(
    run, monkeypatch: pytest.MonkeyPatch, break_it: Callable[[dict[str, Any]], None], what: str, seen: str
) -> None:
    broken = conform_command._machine()
    break_it(broken["States"])
    ours = conform_command._answerers()[:1]
    monkeypatch.setattr(conform_command, "_machine_here", lambda: broken)
    monkeypatch.setattr(conform_command, "_answerers", lambda: ours)
    said = run("conform", "--local", "--level", "0", "--json")
    rows = {row["what"]: row for row in said.json["rows"] if row["outcome"] == "broken"}
    assert said.code == 1
    assert {one.split(",")[0] for one in rows} == {what.split(",")[0]}
    assert seen in rows[what]["seen"]


@pytest.mark.parametrize("field", ["stateMachineArn", "detail-type"])
def test_a_field_that_an_event_lacks_turns_a_row_red(run, monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    to_event = StatusChange.to_event

    def without(change: StatusChange, event_id: str) -> dict[str, Any]:
        event = to_event(change, event_id)
        event["detail"].pop(field, None)
        event.pop(field, None)
        return event

    monkeypatch.setattr(StatusChange, "to_event", without)
    monkeypatch.setattr(conform_command, "_answerers", lambda: [])
    said = run("conform", "--local", "--level", "0", "--json")
    assert said.code == 1
    assert [row["what"] for row in said.json["rows"] if row["outcome"] == "broken"] == [
        f"an execution is {status}" for status in ("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
    ]


@pytest.mark.parametrize(
    ("given", "records"),
    [((), 1_000), (("--records", "0"), 0), (("--records", "70000"), 70_000)],
    ids=["a laptop's", "none", "given"],
)
def test_a_base_of_little_is_seeded_here_unless_more_is_asked_for(
    run, probed, monkeypatch: pytest.MonkeyPatch, given: tuple[str, ...], records: int
) -> None:
    seeded: list[int] = []

    def probes(_stack: object, of: int) -> Iterator[Row]:
        seeded.append(of)
        yield HELD

    probed()
    monkeypatch.setattr("operate.conform.probes.probe_rows", probes)
    assert run("conform", "--local", "--level", "1", *given).code == 0
    assert run("conform", "--stack", "of-nobody", "--level", "1", *given).code == 0
    assert seeded == [records, records if given else 70_000]


def test_a_base_that_is_no_size_is_refused_before_anything_is_asked(run) -> None:
    said = run("conform", "--local", "--records", "-1")
    assert (said.code, said.out) == (2, "")
    assert "--records -1" in said.err


def test_a_report_that_could_not_be_written_in_the_end_is_refused_in_the_beginning(run, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for place, why in (("folder", "cannot be written"), ("none/report.json", "no such folder")):
        said = run("conform", "--local", "--report", str(tmp_path / place))
        assert (said.code, said.out) == (2, "")
        assert why in said.err

"""Ids that somebody chose to hurt stay in their place: in log lines, in metrics, in mails."""

import json
import logging
from dataclasses import replace
from typing import Any

import pytest
from receipt_dynamo_stream.control.history import ExecutionRow

from handlers import failure_mail
from handlers.step import measure, metrics, step

from .conftest import CONTEXT, Aws

ODD = ("a/b#c", "ünï✓", "\x00\x1b[31m\x9b2J", "\u202edlrow", 'x\r\n{"level": "ERROR", "message": "forged"}\u2028')


@pytest.fixture(autouse=True)
def own_logger(aws: Aws, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """As in test_step: a logger with this test's stdout."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", f"odd-{abs(hash(request.node.name))}")


@step
def works(event: dict[str, object], _context: object) -> dict[str, object]:
    """What steps do with an id: packages log it with and without a field, the step fails over it."""
    run = event["run"]
    logging.getLogger("receipt_chroma.run_deltas").warning("delta refused", extra={"run_id": run})
    logging.getLogger("receipt_dynamo_stream.round.blame").error("run %s is set aside", run)
    metrics().add_dimension(name="collection", value="words")
    measure("QuarantinedRuns", 1)
    raise ValueError(f"no run {run}")


@pytest.mark.parametrize("run", ODD)
def test_a_log_line_is_one_json_object_whatever_a_run_is_called(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="no run"):
        works({"run": run, "collection": "words", "execution_name": "words-1"}, CONTEXT)
    out = capsys.readouterr().out
    lines: list[dict[str, Any]] = [json.loads(line) for line in out.split("\n") if line]
    assert out.isascii()
    assert out.replace("\n", "").isprintable()
    logged = [line for line in lines if "level" in line]
    assert [line["message"] for line in logged] == ["delta refused", f"run {run} is set aside", "step failed"]
    assert logged[0]["run_id"] == run
    assert {line["execution"] for line in logged} == {"words-1"}


def test_metrics_have_no_ids_in_them(capsys: pytest.CaptureFixture[str]) -> None:
    """Each value of a dimension is a metric that is paid for."""
    with pytest.raises(ValueError, match="no run"):
        works({"run": "an-id", "collection": "words"}, CONTEXT)
    (emf,) = [line for line in map(json.loads, capsys.readouterr().out.splitlines()) if "_aws" in line]
    assert set(emf) == {"_aws", "collection", "service", "QuarantinedRuns"}
    assert "an-id" not in json.dumps(emf)


@pytest.mark.parametrize("odd", ODD)
def test_a_mail_keeps_its_lines_and_its_subject_is_one_that_sns_takes(odd: str) -> None:
    row = ExecutionRow(
        collection="words",
        name=odd,
        arn="arn:aws:states:eu-west-1:1:execution:m:n",
        status="FAILED",
        started_at="2026-07-28T12:00:00+00:00",
        mode=odd,
        trigger=odd,
        error=odd,
        cause=f"{odd}\nLook at it: https://example.com",
    )
    subject = failure_mail.subject(row)
    assert subject.isascii()
    assert subject.isprintable()
    assert len(subject) <= failure_mail.SUBJECT_CHARACTERS
    lines = failure_mail.text(row).split("\n")
    assert all(line.isprintable() for line in lines)
    assert len(lines) == len(failure_mail.text(replace(row, error="E", cause="c")).split("\n"))
    assert len([line for line in lines if line.startswith("Look at it:")]) == 1

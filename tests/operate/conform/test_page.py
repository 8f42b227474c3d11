"""docs/conformance.md is what the newest reports say, and says whose answers are missing."""

from dataclasses import replace
from pathlib import Path

from operate.conform.page import DOCS, page_of, reports_in
from operate.conform.report import Report
from operate.conform.rows import Outcome, Row, Whose

HERE = Row("Choices", "It, no rule", "On", "On", Whose.OUR_EVALUATOR, Outcome.HELD)
KNOWN = Row(
    *("Choices", "It, no rule", "On", "Off", Whose.EMULATOR, Outcome.BROKEN),
    required=False,
    source="https://example.org",
    known="moto: it is wrong",
)
LOCAL = Report("2026-01-02T00:00:00+00:00", "0.1.0", "local", None, (0,), "1", "1", (HERE, HERE, KNOWN))
THERE = replace(HERE, whose=Whose.TEST_STATE)
AWS = replace(LOCAL, stack="mine", region="eu-west-1", rows=(THERE, replace(THERE, seen="Off", outcome=Outcome.BROKEN)))


def test_the_page_is_made_of_the_newest_reports() -> None:
    assert Path(DOCS / "conformance.md").read_text() == page_of(reports_in(DOCS / "conformance")), "make conformance"


def test_every_report_that_is_kept_reads_back_as_it_was_written() -> None:
    files = sorted((DOCS / "conformance").glob("*.json"))
    assert files
    for file, report in zip(files, reports_in(DOCS / "conformance"), strict=True):
        assert report.to_text() == file.read_text()


def test_a_page_without_an_answer_of_aws_says_so_and_leaves_its_columns_empty() -> None:
    page = page_of([LOCAL])
    assert "Nobody has." in page
    assert "| Choices | — | — | 1 known to differ | 2 held |" in page
    assert "moto: it is wrong: 1 case ([document](https://example.org))" in page


def test_a_page_with_an_answer_of_aws_has_it_and_what_did_not_hold() -> None:
    page = page_of([LOCAL, AWS])
    assert "Nobody has." not in page
    assert "| Choices | — | 1 held, 1 broken | 1 known to differ | 2 held |" in page
    assert "| Choices: It, no rule | On | Off | TestState |" in page
    assert "2026-01-02, mine in eu-west-1, level 0: **not passed**" in page


def test_of_two_reports_the_newer_one_counts() -> None:
    newer = replace(LOCAL, asked_at="2026-01-03T00:00:00+00:00", rows=(HERE,))
    assert page_of([newer, LOCAL]) == page_of([newer])

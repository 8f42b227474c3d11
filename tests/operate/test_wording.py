"""How values read, whatever face shows them."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from operate import wording
from operate.models import Execution, execution_name

NOW = datetime(2026, 7, 28, 12, tzinfo=UTC)
IMAGE = "3f52804b-2fad-4e00-92c8-b593da3a8ed3"
FAILED = Execution(
    arn="arn:aws:states:us-east-1:123456789012:execution:compaction:x",
    name=execution_name("words", "schedule", "1b0f2c3d" * 4),
    status="failed",
    started_at=NOW - timedelta(seconds=75),
    ended_at=NOW - timedelta(seconds=71.5),
    collection="words",
    trigger="schedule",
    mode="compact",
    error="CommitStateUnknown",
    cause="No answer.\n[red]Look[/red].",
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *[
            (0, "0 s"),
            (0.04, "0.0 s"),
            (0.44, "0.4 s"),
            (9.949, "9.9 s"),
            (9.95, "10 s"),
            (59.4, "59 s"),
            (60, "1 min"),
        ],
        *[(3599, "59 min"), (3600, "1 h"), (86_399, "23 h"), (200_000, "2 d"), (-3, "0 s")],
    ],
)
def test_a_duration_has_one_unit(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.3, "0 s ago"), (7, "7 s ago"), (-2, "0 s ago"), (59.7, "1 min ago"), (90, "1 min ago")]
)
def test_an_age_is_in_whole_units_and_never_negative(seconds: float, text: str) -> None:
    assert wording.age(NOW - timedelta(seconds=seconds), NOW).replace("60 s", "1 min") == text
    assert wording.age(None, NOW) == "-"


def test_a_failure_is_one_line_with_error_and_cause() -> None:
    said = "words-schedule-1b0f2c3d failed: CommitStateUnknown: No answer. [red]Look[/red]."
    assert wording.failure_line(FAILED) == said
    assert wording.failure_line(replace(FAILED, status="timed_out", error=None, cause=None)).endswith(" timed out")


def test_the_cause_of_a_lambda_is_its_message() -> None:
    cause = '{"errorMessage": "no such\\nplan", "errorType": "PlanMissing", "stackTrace": ["a", "b"]}'
    assert wording.failure_line(replace(FAILED, error="PlanMissing", cause=cause)).endswith(
        ": PlanMissing: no such plan"
    )
    for other in ("[1]", '{"a": 1}', "{broken", "7"):
        assert wording.cause_text(other) == other


def test_the_message_is_found_in_the_beginning_of_a_cause_that_was_cut_off() -> None:
    reported = json.dumps({"errorMessage": 'labels: "3"\nare missing', "errorType": "ShardInvalid"})
    assert wording.cause_text(reported) == 'labels: "3" are missing'
    beginnings = {wording.cause_text(reported[:length]) for length in range(24, len(reported))}
    assert all('labels: "3" are missing'.startswith(beginning) for beginning in beginnings)


@pytest.mark.parametrize("rest", ["", '"', '", "errorType": "P', "\\", "\\u00"])
def test_of_a_cause_that_was_cut_off_the_message_is_still_read(rest: str) -> None:
    assert wording.cause_text('{"errorMessage":"no \\"such\\"\\nplan' + rest) == 'no "such" plan'


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.035, "35 ms"),
        (2.44, "2.4 s"),
        (3, "3 s"),
        (59.99, "1 min"),
        (200, "3 min 20 s"),
        (3900, "1 h 5 min"),
    ],
)
def test_an_exact_duration_reads_as_a_person_says_it(seconds: float, text: str) -> None:
    assert wording.exact_duration(seconds) == text


def test_a_count_says_what_is_counted() -> None:
    assert [wording.count_of(0, "run"), wording.count_of(1, "run"), wording.count_of(2000, "retry", "retries")] == [
        "0 runs",
        "1 run",
        "2,000 retries",
    ]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        *[(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (9949, "9.9 KB"), (9951, "10 KB"), (999_499, "999 KB")],
        *[(999_500, "1.0 MB"), (674_000_000, "674 MB"), (10**16, "10000 TB")],
    ],
)
def test_a_size_has_one_unit(count: int, text: str) -> None:
    assert wording.size(count) == text


def test_what_a_merge_changed_is_signs_and_numbers() -> None:
    assert (
        wording.changed({"added": 1200, "removed": 2, "replaced": 0, "updated": 37, "unchanged": 9}) == "+1,200 ~37 -2"
    )
    assert wording.changed({}) == "-"


@pytest.mark.parametrize(
    ("record", "short"),
    [
        (f"IMAGE#{IMAGE}#RECEIPT#00012#LINE#00003", "3f52804b 12/3"),
        ("odd", "odd"),
        ("a#b", "a#b"),
        (f"IMAGE#{IMAGE}#RECEIPT#00001#LINE#00002 has", f"IMAGE#{IMAGE}#RECEIPT#00001#LINE#00002 has"),
    ],
)
def test_a_record_id_is_shortened_only_when_it_is_one(record: str, short: str) -> None:
    assert wording.short_record(record) == short

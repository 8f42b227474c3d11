"""What every handler's log lines carry: an operator finds a failing step by its request or its execution."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from receipt_dynamo_stream.errors import InvariantViolated, PlanMissing, ServiceRefused, TransientServiceError
from receipt_dynamo_stream.invariants import versions_only_grow

from handlers.record_execution import record_execution
from handlers.settle_changes import settle_changes
from handlers.step import execution_of, step

from .conftest import CONTEXT, Aws

ARN = "arn:aws:states:us-east-1:123456789012:execution:compaction:words-a"
PLAN_KEY = "plans/words/words-stream-1/0-attempt.json.gz"


@pytest.fixture(autouse=True)
def own_logger(aws: Aws, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Powertools keeps loggers by their service's name, each with the stdout of the test that made it."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", request.node.name)


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, capsys.readouterr().out.splitlines()) if "level" in line]


def measured(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str | None, float]]:
    """Each metric of the lines since the last look: its name, its invariant, its value."""
    lines = [line for line in map(json.loads, capsys.readouterr().out.splitlines()) if "_aws" in line]
    found = []
    for line in lines:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        (metric,) = directive["Metrics"]
        value = line[metric["Name"]]
        found.append((metric["Name"], line.get("invariant"), value[0] if isinstance(value, list) else value))
    return found


def test_a_failing_steps_line_has_its_request_its_execution_and_its_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(PlanMissing):
        settle_changes({"collection": "words", "plan_key": PLAN_KEY, "report_keys": [], "manifest": {}}, CONTEXT)
    (line,) = logged(capsys)
    assert (line["level"], line["function_request_id"]) == ("ERROR", "request-1")
    assert (line["execution"], line["collection"], line["plan_key"]) == ("words-stream-1", "words", PLAN_KEY)
    assert line["exception_name"] == "PlanMissing"


@pytest.mark.parametrize(
    ("code", "status", "name"),
    [
        ("AccessDeniedException", 400, ServiceRefused),
        ("KMS.DisabledException", 400, ServiceRefused),
        ("KMS.ThrottlingException", 400, TransientServiceError),
        ("TooManyRequests", 429, TransientServiceError),
        ("ResourceNotFoundException", 400, ServiceRefused),
    ],
)
def test_what_a_service_answers_leaves_under_a_name_that_says_what_to_do(
    code: str, status: int, name: type[Exception]
) -> None:
    @step
    def asks(_event: dict[str, object], _context: object) -> dict[str, object]:
        raise ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetItem")

    with pytest.raises(name, match=code):
        asks({}, CONTEXT)


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("libarrow.so.2600: failed to map segment from shared object", MemoryError),
        ("libgomp.so.1: cannot allocate memory in static TLS block", MemoryError),
        ("libarrow.so.2600: cannot open shared object file: No such file or directory", ImportError),
        ("cannot import name 'merge' from 'receipt_chroma'", ImportError),
    ],
)
def test_a_library_that_no_memory_was_left_for_is_an_error_of_memory_and_one_that_is_missing_is_not(
    message: str, name: type[Exception]
) -> None:
    @step
    def loads(_event: dict[str, object], _context: object) -> dict[str, object]:
        raise ImportError(message)

    with pytest.raises(name, match=message.split(":", maxsplit=1)[0]):
        loads({}, CONTEXT)


def test_every_law_that_a_step_checks_is_measured_also_when_it_ends_in_an_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @step
    def checks(event: dict[str, Any], _context: object) -> dict[str, object]:
        for after in event["versions"]:
            versions_only_grow("CURRENT", 3, after)
        return {}

    checks({"versions": [4, 5]}, CONTEXT)
    assert measured(capsys) == [("invariant_checked", "VersionsOnlyGrow", 2)]
    with pytest.raises(InvariantViolated, match=r"^VersionsOnlyGrow: CURRENT went from 3 to 2"):
        checks({"versions": [4, 2, 5]}, CONTEXT)
    assert measured(capsys) == [
        ("invariant_checked", "VersionsOnlyGrow", 2),
        ("invariant_violated", "VersionsOnlyGrow", 1),
        ("invariant_violated", None, 1),  # what the alarm looks at
    ]


def test_an_execution_of_one_event_does_not_stay_for_the_next(capsys: pytest.CaptureFixture[str]) -> None:
    detail = {"executionArn": ARN, "name": "words-a", "status": "ABORTED", "startDate": 1, "stopDate": 2}
    record_execution({"detail": detail}, CONTEXT)
    with pytest.raises(KeyError):
        record_execution({}, CONTEXT)
    done, failed = logged(capsys)
    assert done["execution"] == "words-a"
    assert "execution" not in failed


@pytest.mark.parametrize(
    ("event", "name"),
    [
        ({"execution": "arn:…:words-a", "execution_name": "words-a"}, "words-a"),
        ({"plan_key": PLAN_KEY}, "words-stream-1"),
        ({"plan_key": ""}, None),
        ({"detail": {"name": "words-b"}}, "words-b"),
        ({"detail": {}}, None),
        ({"collection": "words"}, None),
    ],
)
def test_an_event_says_its_execution_in_one_of_three_ways_or_not(event: dict[str, Any], name: str | None) -> None:
    assert execution_of(event) == name

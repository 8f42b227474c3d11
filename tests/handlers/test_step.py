"""What every handler's log lines carry: an operator finds a failing step by its request or its execution."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from receipt_dynamo_stream.errors import PlanMissing, ServiceRefused, TransientServiceError

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

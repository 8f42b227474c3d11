"""RecordExecution: executions that start and end become rows of history, which outlive Step Functions' own 90 days.

Best effort: the protocol never reads these rows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from receipt_dynamo_stream.control.history import IDLE, RUNNING, UNKNOWN_COLLECTION, ExecutionRow
from receipt_dynamo_stream.grain import is_collection

from .border import RecordExecutionInput, RecordExecutionOutput
from .clients import control_table, sns, stepfunctions
from .failure_mail import subject, text
from .settings import settings
from .step import LambdaContext, measure, metrics, step

FENCED = "Fenced"
FAILURES = ("FAILED", "TIMED_OUT")
"""What people are told of. ABORTED is not among them: a person stopped it."""
CAUSE_CHARACTERS = 2_000  # a row stays far below DynamoDB's 400 KB
TOLD_AGAIN = timedelta(hours=1)
"""After which the same error of the same collection is told again: an outage is one mail an hour."""

_BEGINS = re.compile(r"([a-z]+(?:-[1-9][0-9]*)?)-[a-z]+-")
"""The collection or generation, and the trigger, of an execution's name."""


@step
def record_execution(event: RecordExecutionInput, _context: LambdaContext) -> RecordExecutionOutput:
    """A late event never overwrites a newer one; the same event twice writes the same row."""
    row = with_reason(row_of(event["detail"]))
    history = control_table().history(row.collection)
    recorded = history.put(row)
    if row.outcome in IDLE:
        history.fold_idle(datetime.now(UTC))
    if recorded and row.status in FAILURES:
        measure_failure(row)
        tell_people(row)
    return {"recorded": recorded}


def with_reason(row: ExecutionRow) -> ExecutionRow:
    """The row with error and cause. AWS does not document them for the event, so Step Functions is asked; an execution
    that it does not know (any more) has none."""
    if row.status in (RUNNING, "SUCCEEDED") or row.error is not None:
        return row
    try:
        found = stepfunctions().describe_execution(executionArn=row.arn)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ExecutionDoesNotExist":
            raise
        return row
    if found["status"] != row.status:  # it was redriven meanwhile
        return row
    return replace(row, error=_text(found.get("error")), cause=_text((found.get("cause") or "")[:CAUSE_CHARACTERS]))


def tell_people(row: ExecutionRow) -> None:
    """Mail a failure, unless its error was told of this collection within the hour. `Fenced` is none: another
    execution publishes."""
    topic = settings().alerts_topic_arn
    if not topic or row.error == FENCED:
        return
    since = datetime.fromisoformat(row.ended_at or row.started_at) - TOLD_AGAIN
    page = control_table().history(row.collection).page(after=since.isoformat(), before=row.key, limit=100)
    if any(one.status in FAILURES and one.error == row.error for one in page.rows):
        return
    sns().publish(TopicArn=topic, Subject=subject(row), Message=text(row))


def measure_failure(row: ExecutionRow) -> None:
    """Count it under the alarm whose advice fits. Nothing heals what a scrub found (a verification that names no
    version), while the next execution does what a failed compaction left undone."""
    metrics().add_dimension(name="collection", value=row.collection)
    if row.mode == "verify" and row.snapshot_id is None:
        measure("ScrubFailures", 1)
    else:
        measure("ExecutionsFenced" if row.error == FENCED else "ExecutionsFailed", 1)


def row_of(detail: Mapping[str, Any]) -> ExecutionRow:
    """What the event says. Above 248 KB it carries neither input nor output, only a published version has a number, and
    a person may have started the execution with any input."""
    asked, result = _json(detail.get("input")), _json(detail.get("output")).get("result")
    result = result if isinstance(result, dict) else {}
    version = result.get("version")
    return ExecutionRow(
        collection=collection_of(detail["name"], asked),
        name=detail["name"],
        arn=detail["executionArn"],
        status=detail["status"],
        started_at=_time(detail["startDate"]),
        ended_at=_time(detail["stopDate"]) if detail.get("stopDate") and detail["status"] != RUNNING else None,
        mode=_text(asked.get("mode")) or "compact",
        trigger=_text(asked.get("trigger")) or "operator",
        outcome=_text(result.get("outcome")),
        version=version if isinstance(version, int) else None,
        snapshot_id=_text(asked.get("snapshot_id")),
        error=_text(detail.get("error")),
        cause=_text((detail.get("cause") or "")[:CAUSE_CHARACTERS]),
    )


def collection_of(name: str, asked: Mapping[str, Any]) -> str:
    """What the input names, else what the execution's name begins with; `unknown` for an input that names none."""
    begins = _BEGINS.match(name)
    said = asked.get("collection") or (begins[1] if begins else "")
    return said if isinstance(said, str) and is_collection(said) else UNKNOWN_COLLECTION


def _json(text: str | None) -> dict[str, Any]:
    """A JSON object's value; empty for anything else, since a person may start an execution with any input."""
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return None if value in (None, "") else str(value)


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()

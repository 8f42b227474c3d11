"""RecordExecution: executions that start and end become rows of history, which outlive Step Functions' own 90 days.

Best effort: the protocol never reads these rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from receipt_dynamo_stream.control.history import IDLE, RUNNING, UNKNOWN_COLLECTION, ExecutionRow
from receipt_dynamo_stream.names import COLLECTIONS

from .border import RecordExecutionInput, RecordExecutionOutput
from .clients import control_table
from .step import LambdaContext, measure, metrics, step

FENCED = "Fenced"
CAUSE_CHARACTERS = 2_000  # a row stays far below DynamoDB's 400 KB


@step
def record_execution(event: RecordExecutionInput, _context: LambdaContext) -> RecordExecutionOutput:
    """A late event never overwrites a newer one; the same event twice writes the same row."""
    row = row_of(event["detail"])
    history = control_table().history(row.collection)
    recorded = history.put(row)
    if row.outcome in IDLE:
        history.fold_idle(datetime.now(UTC))
    if recorded and row.status in ("FAILED", "TIMED_OUT"):
        measure_failure(row)
    return {"recorded": recorded}


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
    said = asked.get("collection") or name.partition("-")[0]
    return said if said in COLLECTIONS else UNKNOWN_COLLECTION


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

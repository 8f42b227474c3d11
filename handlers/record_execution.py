"""RecordExecution: executions that start and end become rows of history, which outlive Step Functions' own 90 days.

Best effort: the protocol never reads these rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from receipt_dynamo_stream.names import COLLECTIONS

from .clients import client
from .settings import settings
from .step import Event, metrics, step

FENCED = "Fenced"
SOMETIMES = ("ended_at", "outcome", "version", "error", "cause")
"""Attributes that not every row has; an execution has an outcome or an error, never both."""
CAUSE_CHARACTERS = 2_000  # a row stays far below DynamoDB's 400 KB


@step
def record_execution(event: Event, _context: Any) -> Event:
    """An event "Step Functions Execution Status Change" -> {recorded}: whether a row was written.

    A late "it runs" never overwrites how an execution ended; the same event twice writes the same row.
    """
    detail = event["detail"]
    asked = _json(detail.get("input"))
    collection = collection_of(detail, asked)
    recorded = put_row(collection, row_of(detail, asked), ended=detail["status"] != "RUNNING")
    if recorded and detail["status"] in ("FAILED", "TIMED_OUT"):
        metrics().add_dimension(name="collection", value=collection)
        metrics().add_metric(
            name="ExecutionsFenced" if detail.get("error") == FENCED else "ExecutionsFailed",
            unit=MetricUnit.Count,
            value=1,
        )
    return {"recorded": recorded}


def collection_of(detail: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """What the input names, else what the execution's name begins with; `unknown` for an input that names none."""
    said = asked.get("collection") or detail["name"].partition("-")[0]
    return said if said in COLLECTIONS else "unknown"


def row_of(detail: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, str]:
    """The row's attributes, as texts. What the event does not say is left out: above 248 KB it carries neither input
    nor output, and only a published version has a number."""
    result = _json(detail.get("output")).get("result", {})
    row = {
        "name": detail["name"],
        "arn": detail["executionArn"],
        "status": detail["status"],
        "started_at": _time(detail["startDate"]),
        "ended_at": _time(detail["stopDate"]) if detail.get("stopDate") else None,
        "mode": asked.get("mode", "compact"),
        "trigger": asked.get("trigger", "operator"),
        "outcome": result.get("outcome"),
        "version": result.get("version"),
        "error": detail.get("error"),
        "cause": (detail.get("cause") or "")[:CAUSE_CHARACTERS],
    }
    return {name: str(value) for name, value in row.items() if value not in (None, "")}


def put_row(collection: str, row: Mapping[str, str], *, ended: bool) -> bool:
    """Write the row under `EXECUTIONS#{collection}`, `{started_at}#{name}`; False when its end is known already."""
    dynamodb = client("dynamodb")
    gone = [name for name in SOMETIMES if name not in row]  # a redriven execution failed first
    names = {f"#{name}": name for name in (*row, *gone)}
    known = {} if ended else {"ConditionExpression": "attribute_not_exists(PK)"}
    try:
        dynamodb.update_item(
            TableName=settings().control_table,
            Key={"PK": {"S": f"EXECUTIONS#{collection}"}, "SK": {"S": f"{row['started_at']}#{row['name']}"}},
            UpdateExpression=(
                "SET " + ", ".join(f"#{name} = :{name}" for name in row) + " REMOVE " + ", ".join(f"#{n}" for n in gone)
            ),
            ExpressionAttributeNames=names,
            ExpressionAttributeValues={
                f":{name}": {"N" if name == "version" else "S": value} for name, value in row.items()
            },
            **known,
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return False
    return True


def _json(text: str | None) -> dict[str, Any]:
    """A JSON object's value; empty for anything else, since a person may start an execution with any input."""
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()

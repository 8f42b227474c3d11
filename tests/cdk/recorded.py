"""Recorded AWS calls as what IAM asks of them: an action on a resource, and for an item its partition key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from botocore import xform_name

from .calls import CALLS, SERVICES, TRANSACTION_PARTS
from .template import Template, joined


@dataclass(frozen=True)
class Call:
    """One action. `resource` is a table's or queue's name, `bucket`, `bucket/key`, or an ARN; `keys` partition keys."""

    action: str
    resource: str
    keys: tuple[str, ...] = ()


def recorded(folder: Path) -> Iterator[tuple[str, Call]]:
    """(physical function name, call) of every line in a folder."""
    for file in sorted(folder.glob("*.jsonl")):
        for line in map(json.loads, file.read_text().splitlines()):
            for call in calls_of(line["service"], line["operation"], line["request"]):
                yield line["function"], call


_RESOURCES = ("stateMachineArn", "executionArn", "TopicArn")


def calls_of(service: str, operation: str, request: Mapping[str, Any]) -> Iterator[Call]:
    """What one request needs. Raises KeyError for a service or a shape of request that nobody thought of."""
    if operation == "TransactWriteItems":
        for part in request["TransactItems"]:
            for kind, content in part.items():
                yield Call(TRANSACTION_PARTS[kind], content["TableName"], _partition_keys(content))
        return
    (action,) = CALLS[xform_name(operation)] if xform_name(operation) in CALLS else {f"{SERVICES[service]}:{operation}"}
    if operation == "BatchGetItem":
        for table, asked in request["RequestItems"].items():
            yield Call(action, table, tuple(sorted({key["PK"]["S"] for key in asked["Keys"]})))
    elif service == "dynamodb":
        yield Call(action, request["TableName"], _partition_keys(request))
    elif action == "s3:ListBucket":
        yield Call(action, request["Bucket"])
    elif operation == "DeleteObjects":
        yield from (Call(action, f"{request['Bucket']}/{one['Key']}") for one in request["Delete"]["Objects"])
    elif service == "s3":
        yield Call(action, f"{request['Bucket']}/{request['Key']}")
    elif service == "sqs":
        yield Call(action, request["QueueUrl"].rpartition("/")[2])
    else:
        yield Call(action, request[next((key for key in _RESOURCES if key in request), _RESOURCES[0])])


def _partition_keys(request: Mapping[str, Any]) -> tuple[str, ...]:
    if item := request.get("Key") or request.get("Item"):
        return (item["PK"]["S"],)
    name = re.match(r"#?\w+ = (:\w+)", request["KeyConditionExpression"])
    assert name, f"a query begins with its partition key: {request['KeyConditionExpression']}"
    return (request["ExpressionAttributeValues"][name[1]]["S"],)


def is_allowed(call: Call, template: Template, function: str, physical: Mapping[str, str]) -> bool:
    """Whether a statement of the function's role allows the call, as IAM reads it. `physical` maps the logical ids of
    tables, bucket and queue to their names."""
    return any(_allows(s, call, physical) for s in template.statements(template.role_of(function)))


def _allows(statement: Mapping[str, Any], call: Call, physical: Mapping[str, str]) -> bool:
    condition = statement.get("Condition", {})
    assert set(condition) <= {"ForAllValues:StringLike", "StringEquals"}, condition
    leading = condition.get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", ["*"])
    return (
        call.action in statement["Action"]
        and any(fnmatchcase(call.resource, _pattern(resource, physical)) for resource in statement["Resource"])
        and all(any(fnmatchcase(key, pattern) for pattern in leading) for key in call.keys)
    )


def _pattern(resource: Any, physical: Mapping[str, str]) -> str:
    """A statement's resource as a pattern for `Call.resource`."""
    text = re.sub(r"<AWS::\w+>", "*", joined(resource))
    return re.sub(r"<(\w+)(\.Arn)?>", lambda found: physical.get(found[1], found[0]), text)

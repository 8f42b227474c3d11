"""Every call of boto3 passes the gate; moto answers DynamoDB, S3 and SQS, the simulator itself Step Functions."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from urllib.parse import unquote, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ReadTimeoutError
from botocore.retries.quota import RetryQuota
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse

from .effects import AnswerLost, Effect, Gate, Refused, stable
from .tasks import Task, current

READS = ("Get", "Query", "Scan", "BatchGet", "Head", "List", "Describe")
StepFunctions = Callable[[str, dict[str, Any]], tuple[int, dict[str, Any]]]
"""Answers (operation, request) with a status and a body."""


class AwsGate:
    """While entered, in front of moto."""

    def __init__(self, gate: Gate, stepfunctions: StepFunctions, sleep: Callable[[float], None]) -> None:
        self.gate, self.stepfunctions, self.sleep = gate, stepfunctions, sleep
        self._refused: tuple[Task | None, Effect] | None = None

    @contextmanager
    def entered(self) -> Iterator[None]:
        original = BotocoreStubber.__call__

        def call(stubber: BotocoreStubber, event_name: str, request: AWSPreparedRequest, **more: Any) -> Any:
            _, service, operation = event_name.split(".")
            if service == "sfn":
                return self._pass(service, operation, request, lambda: self._ask(operation, request))
            return self._pass(service, operation, request, lambda: original(stubber, event_name, request, **more))

        no_sleep = SimpleNamespace(**{**vars(time), "sleep": self.sleep})
        # A quota that one trial used up would be missing in the next one.
        no_quota = patch.object(RetryQuota, "acquire", lambda _quota, _amount: True)
        with patch.object(BotocoreStubber, "__call__", call), patch("botocore.endpoint.time", no_sleep), no_quota:
            yield

    def _pass(self, service: str, operation: str, request: AWSPreparedRequest, do: Callable[[], Any]) -> Any:
        task = current()
        if task is None:
            return do()
        on = stable(_thing(service, request))
        effect = Effect(task.name, f"{service}.{operation}", on, reads=operation.startswith(READS))
        if self._refused == (task, effect):  # as long as its caller tries again
            return _refusal(service, request, self.gate)
        self._refused = None
        try:
            return self.gate.passing(effect, do)
        except Refused:
            self._refused = (task, effect)
            return _refusal(service, request, self.gate)
        except AnswerLost:
            raise ReadTimeoutError(endpoint_url=request.url) from None

    def _ask(self, operation: str, request: AWSPreparedRequest) -> AWSResponse:
        status, body = self.stepfunctions(operation, json.loads(request.body))
        return _json(request, status, body)


def _thing(service: str, request: AWSPreparedRequest) -> str:
    """What a call is about."""
    if service == "s3":
        parts = urlsplit(request.url)
        return unquote(parts.path).lstrip("/") or parts.query
    body = json.loads(request.body)
    if service == "dynamodb":
        found = body.get("Key") or body.get("Item") or body.get("ExpressionAttributeValues") or {}
        names = [next(iter(value.values())) for name, value in found.items() if name in ("PK", "SK") or name[0] == ":"]
        written = body.get("UpdateExpression", "")
        return f"{body.get('TableName', '')} {' / '.join(map(str, names))} {written}".rstrip()
    return str(body.get("executionArn") or body.get("name") or body.get("QueueUrl") or "").rpartition(":")[2]


_OF_S3 = ((503, "SlowDown"), (500, "InternalError"), (503, "ServiceUnavailable"), (403, "AccessDenied"))
_OF_DYNAMODB = (
    *((400, "ProvisionedThroughputExceededException"), (500, "InternalServerError"), (400, "RequestLimitExceeded")),
    *((400, "TransactionConflictException"), (400, "ThrottlingException"), (400, "AccessDeniedException")),
)
_OF_OTHERS = ((400, "ThrottlingException"), (500, "InternalFailure"), (503, "ServiceUnavailable"))


def _refusal(service: str, request: AWSPreparedRequest, gate: Gate) -> AWSResponse:
    """What each service says when it did not do what it was asked; the last one of each is not tried again."""
    if service == "s3":
        status, code = gate.pick(_OF_S3)
        text = f"<Error><Code>{code}</Code><Message>Not now.</Message></Error>"
        return AWSResponse(request.url, status, {"content-type": "application/xml"}, MockRawResponse(text))
    status, code = gate.pick(_OF_DYNAMODB if service == "dynamodb" else _OF_OTHERS)
    return _json(request, status, {"__type": f"com.amazonaws#{code}", "message": "not now"})


def _json(request: AWSPreparedRequest, status: int, body: dict[str, Any]) -> AWSResponse:
    headers = {"content-type": "application/x-amz-json-1.0", "x-amzn-requestid": "request"}
    return AWSResponse(request.url, status, headers, MockRawResponse(json.dumps(body)))

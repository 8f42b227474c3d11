"""Handlers as Lambda calls them, in this process, against moto: for what the pipeline tests cannot bring about."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws
from receipt_dynamo_stream.control.table import ControlTable

from handlers import clients, settings, step

REGION = "us-east-1"
KEYS = {
    "KeySchema": [{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
    "AttributeDefinitions": [{"AttributeName": n, "AttributeType": "S"} for n in ("PK", "SK")],
    "BillingMode": "PAY_PER_REQUEST",
}
CONTEXT = SimpleNamespace(
    function_name="function",
    memory_limit_in_mb=512,
    invoked_function_arn=f"arn:aws:lambda:{REGION}:123456789012:function:function",
    aws_request_id="request-1",
)


@dataclass(frozen=True)
class Aws:
    """The services that a handler sees, and what it sent to them."""

    dynamodb: Any
    s3: Any
    sqs: Any
    sfn: Any
    queue_url: str
    state_machine_arn: str

    @property
    def control(self) -> ControlTable:
        """The control table as the package has it."""
        return ControlTable(self.dynamodb, "control")

    def executions(self) -> list[str]:
        """The collections that executions were started for, sorted."""
        listed = self.sfn.list_executions(stateMachineArn=self.state_machine_arn)["executions"]
        return sorted(e["name"].split("-")[0] for e in listed)

    def failures(self) -> list[dict[str, Any]]:
        """The bodies of the messages in the failure queue."""
        received = self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10)
        return [json.loads(m["Body"]) for m in received.get("Messages", [])]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Compaction")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "compaction")
    with mock_aws():
        dynamodb, s3, sqs, sfn = (boto3.client(s) for s in ("dynamodb", "s3", "sqs", "stepfunctions"))
        for table in ("receipts", "control"):
            dynamodb.create_table(TableName=table, **KEYS)
        s3.create_bucket(Bucket="bucket")
        queue_url = sqs.create_queue(QueueName="failures")["QueueUrl"]
        definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})
        role = "arn:aws:iam::123456789012:role/role"
        arn = sfn.create_state_machine(name="compaction", definition=definition, roleArn=role)["stateMachineArn"]
        for name, value in {
            "RECEIPTS_TABLE": "receipts",
            "CONTROL_TABLE": "control",
            "BUCKET": "bucket",
            "FAILURE_QUEUE_URL": queue_url,
            "STATE_MACHINE_ARN": arn,
        }.items():
            monkeypatch.setenv(name, value)
        caches = (
            clients.dynamodb,
            clients.s3,
            clients.impatient_s3,
            clients.sqs,
            clients.stepfunctions,
            clients.impatient_stepfunctions,
            settings.settings,
            step.logger,
            step.metrics,
        )
        for cached in caches:
            cached.cache_clear()
        yield Aws(dynamodb, s3, sqs, sfn, queue_url, arn)
        for cached in caches:
            cached.cache_clear()
        for name in step.LIBRARIES:  # whose handler writes to this test's stdout
            library = logging.getLogger(name)
            library.handlers, library.propagate = [], True
            library.setLevel(logging.NOTSET)

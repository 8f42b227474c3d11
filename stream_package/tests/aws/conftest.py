"""One mocked AWS for the session, a fresh pair of tables for each test that asks for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import boto3
import pytest
from moto import mock_aws
from receipt_dynamo_stream.control.table import ControlTable

_numbers = count()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "aws" in item.path.parts:
            item.add_marker("aws")


@dataclass
class Tables:
    """The two tables, and shorthands for what tests write and read."""

    client: Any
    receipts: str
    control: str

    @property
    def control_table(self) -> ControlTable:
        """The control table as the package has it."""
        return ControlTable(self.client, self.control)

    def put(self, *items: dict[str, Any]) -> None:
        for item in items:
            self.client.put_item(TableName=self.receipts, Item=item)

    def receipt_item(self, pk: str, sk: str) -> dict[str, Any] | None:
        return self._get(self.receipts, pk, sk)

    def control_item(self, pk: str, sk: str) -> dict[str, Any] | None:
        return self._get(self.control, pk, sk)

    def put_control(self, pk: str, sk: str, **attributes: Any) -> None:
        self.client.put_item(TableName=self.control, Item={"PK": {"S": pk}, "SK": {"S": sk}, **attributes})

    def _get(self, table: str, pk: str, sk: str) -> dict[str, Any] | None:
        answer = self.client.get_item(TableName=table, Key={"PK": {"S": pk}, "SK": {"S": sk}}, ConsistentRead=True)
        return answer.get("Item")


@pytest.fixture(scope="session")
def aws() -> Iterator[dict[str, Any]]:
    """Low-level clients of a mocked AWS, by service."""
    with mock_aws():
        session = boto3.session.Session(
            region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing"
        )
        yield {service: session.client(service) for service in ("dynamodb", "s3", "sqs", "stepfunctions")}


def make_tables(aws: dict[str, Any]) -> Tables:
    """An empty receipts table and an empty control table."""
    made = Tables(aws["dynamodb"], f"receipts-{next(_numbers)}", f"control-{next(_numbers)}")
    for name in (made.receipts, made.control):
        made.client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("PK", "SK")],
        )
    return made


@pytest.fixture
def tables(aws: dict[str, Any]) -> Tables:
    """Tables of a test's own."""
    return make_tables(aws)


@pytest.fixture
def bucket(aws: dict[str, Any]) -> str:
    """An empty bucket."""
    name = f"bucket-{next(_numbers)}"
    aws["s3"].create_bucket(Bucket=name)
    return name

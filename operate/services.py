"""The services of one stack, and the clock, ids and sleep of whoever asks: what every part of `Stack` works with."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.table import ControlTable

from operate.connection import Connection

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_stepfunctions import SFNClient


def utc_now() -> datetime:
    return datetime.now(UTC)


def new_unique() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True)
class Services:
    """Clients are made when they are first asked for, and shared."""

    connection: Connection
    now: Callable[[], datetime] = utc_now
    new_unique: Callable[[], str] = new_unique
    sleep: Callable[[float], None] = time.sleep

    @cached_property
    def stepfunctions(self) -> "SFNClient":
        client: SFNClient = self.connection.client("stepfunctions")
        return client

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        client: DynamoDBClient = self.connection.client("dynamodb")
        return client

    @cached_property
    def control(self) -> ControlTable:
        return ControlTable(self.dynamodb, self.connection.control_table)

    @cached_property
    def bucket(self) -> Bucket:
        return Bucket(self.connection.client("s3"), self.connection.bucket)

"""The boto3 clients of a function, made once per process and on first use, and what it reaches with them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import boto3
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.retry import client_config

from .settings import settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient


@cache
def dynamodb() -> DynamoDBClient:
    """DynamoDB's client."""
    return boto3.client("dynamodb", config=client_config())


@cache
def s3() -> S3Client:
    """S3's client."""
    # A read may take as long as a part of a snapshot needs.
    return boto3.client("s3", config=client_config(read_timeout=60.0))


@cache
def sns() -> SNSClient:
    """SNS's client."""
    return boto3.client("sns", config=client_config())


@cache
def impatient_s3() -> S3Client:
    """S3's client for who must be done soon: a hanging S3 is given up after half a minute."""
    return boto3.client("s3", config=client_config(read_timeout=10.0, attempts=2))


@cache
def sqs() -> SQSClient:
    """SQS's client."""
    return boto3.client("sqs", config=client_config())


@cache
def stepfunctions() -> SFNClient:
    """Step Functions' client."""
    return boto3.client("stepfunctions", config=client_config())


@cache
def impatient_stepfunctions() -> SFNClient:
    """Step Functions' client for the stream, which waits while it asks: given up after ten seconds and a bit."""
    return boto3.client("stepfunctions", config=client_config(read_timeout=5.0, attempts=2))


def control_table() -> ControlTable:
    """The stack's control table."""
    return ControlTable(dynamodb(), settings().control_table)


def bucket() -> Bucket:
    """The bucket of snapshots, deltas, plans and reports."""
    return Bucket(s3(), settings().bucket)

"""The boto3 clients of a function, made once per process and on first use, and what it reaches with them."""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.retry import client_config

from .settings import settings


@cache
def client(service: str) -> Any:
    """The low-level client of one AWS service; a read may take as long as a part of a snapshot needs."""
    return boto3.client(service, config=client_config(read_timeout=60.0))


def control_table() -> ControlTable:
    """The stack's control table."""
    return ControlTable(client("dynamodb"), settings().control_table)


def bucket() -> Bucket:
    """The bucket of snapshots, deltas, plans and reports."""
    return Bucket(client("s3"), settings().bucket)

"""The boto3 clients of a function, made once per process and on first use."""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3
from receipt_dynamo_stream.retry import client_config


@cache
def client(service: str) -> Any:
    """The low-level client of one AWS service; a read may take as long as a part of a snapshot needs."""
    return boto3.client(service, config=client_config(read_timeout=60.0))

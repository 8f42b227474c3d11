"""A table and a bucket in a moto server, a producer that writes to them, and receipts of a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import boto3
import pytest
from botocore.config import Config

from local.demo.samples.model import Receipt
from local.demo.samples.printing import Sizes
from local.demo.samples.producer import Producer
from local.demo.samples.receipts import sample_receipts

from ..moto_elsewhere import moto_elsewhere

TABLE, BUCKET, DIMENSION = "receipts", "deltas", 16
MIDNIGHT = datetime(2026, 7, 28, tzinfo=UTC)


@dataclass(frozen=True)
class Cloud:
    dynamodb: Any
    s3: Any

    def items(self) -> list[dict[str, Any]]:
        return [
            item for page in self.dynamodb.get_paginator("scan").paginate(TableName=TABLE) for item in page["Items"]
        ]

    def sort_keys(self) -> list[str]:
        return [item["SK"]["S"] for item in self.items()]


@pytest.fixture(scope="session")
def empty_cloud() -> Iterator[Cloud]:
    with moto_elsewhere() as url:
        clients = (
            boto3.client(
                service,
                region_name="us-east-1",
                endpoint_url=url,
                aws_access_key_id="local",
                aws_secret_access_key="local",
                config=Config(s3={"addressing_style": "path"}),
            )
            for service in ("dynamodb", "s3")
        )
        yield Cloud(*clients)


@pytest.fixture
def cloud(empty_cloud: Cloud) -> Iterator[Cloud]:
    """An empty table and an empty bucket."""
    empty_cloud.dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK")],
        BillingMode="PAY_PER_REQUEST",
    )
    empty_cloud.s3.create_bucket(Bucket=BUCKET)
    yield empty_cloud
    empty_cloud.dynamodb.delete_table(TableName=TABLE)
    for found in empty_cloud.s3.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        empty_cloud.s3.delete_object(Bucket=BUCKET, Key=found["Key"])
    empty_cloud.s3.delete_bucket(Bucket=BUCKET)


@pytest.fixture
def producer(cloud: Cloud) -> Producer:
    """A producer whose clock is a minute later with every look."""
    minutes = count(1)
    return Producer(
        cloud.dynamodb,
        cloud.s3,
        table=TABLE,
        bucket=BUCKET,
        dimension=DIMENSION,
        rng=random.Random(7),
        now=lambda: MIDNIGHT + timedelta(hours=1, minutes=next(minutes)),
        monotonic=lambda: 5.0,
    )


@pytest.fixture
def receipts() -> list[Receipt]:
    """Five short receipts: with PLACE, METADATA, neither, both and PLACE; the second and third on one image."""
    return sample_receipts(random.Random(3), 5, MIDNIGHT, Sizes(rows=17, lines=27))

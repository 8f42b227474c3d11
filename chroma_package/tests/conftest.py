"""One S3 in memory, a folder as EFS, real Chroma in vectors of eight dimensions."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import settings
from moto import mock_aws
from receipt_chroma.snapshot.manifest import Manifest

from .history import History, publish_history
from .world import World, create_control_table

_numbers = itertools.count()

settings.register_profile("fast", max_examples=60, deadline=None, database=None)
settings.load_profile("fast")


@pytest.fixture(scope="session")
def aws() -> Iterator[None]:
    """An AWS in memory."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "local")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        # Uploads end with a checksum of boto3's that moto, rarely and under load, fails to decode. S3 proves it on AWS.
        patch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
        yield


@pytest.fixture(scope="session")
def s3(aws: None) -> Any:
    """Its S3."""
    return boto3.client("s3")


@pytest.fixture(scope="session")
def dynamodb(aws: None) -> Any:
    """Its DynamoDB."""
    return boto3.client("dynamodb")


@pytest.fixture
def control_table(dynamodb: Any) -> str:
    """An empty control table."""
    name = f"control-{next(_numbers)}"
    create_control_table(dynamodb, name)
    return name


@pytest.fixture
def world(s3: Any, tmp_path: Path) -> World:
    """A bucket and an EFS folder, both empty."""
    bucket = f"snapshots-and-deltas-{next(_numbers)}"
    s3.create_bucket(Bucket=bucket)
    return World(s3, bucket, tmp_path)


@pytest.fixture(scope="session")
def published_history(s3: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[World, list[Manifest]]:
    """Five published versions; tests get copies."""
    bucket = f"snapshots-and-deltas-{next(_numbers)}"
    s3.create_bucket(Bucket=bucket)
    world = World(s3, bucket, tmp_path_factory.mktemp("history"))
    return world, publish_history(world)


@pytest.fixture
def history(published_history: tuple[World, list[Manifest]], tmp_path: Path) -> History:
    """A copy of them, without CURRENT."""
    world, manifests = published_history
    return History(world.efs, tmp_path, manifests)

"""Both packages over tables, a bucket and a folder as EFS: the steps of rounds, without the state machine."""

import itertools
from collections.abc import Callable, Iterator

import boto3
import pytest
from moto import mock_aws

from .rounds import KEYS, Rounds

NewRounds = Callable[[int], Rounds]


@pytest.fixture(scope="package")
def aws() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "local")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield


@pytest.fixture(scope="package")
def new_rounds(aws: None, tmp_path_factory: pytest.TempPathFactory) -> NewRounds:
    """Makes empty tables, a bucket and an EFS folder for collections with some shards."""
    dynamodb, s3 = boto3.client("dynamodb"), boto3.client("s3")
    numbers = itertools.count()

    def make(shards: int) -> Rounds:
        name = f"snapshots-{next(numbers)}"
        s3.create_bucket(Bucket=name)
        for table in ("receipts", "control"):
            dynamodb.create_table(TableName=f"{name}-{table}", **KEYS)
        return Rounds(dynamodb, s3, name, tmp_path_factory.mktemp("rounds"), shards)

    return make


@pytest.fixture
def rounds(new_rounds: NewRounds) -> Rounds:
    return new_rounds(1)

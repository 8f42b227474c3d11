"""What the pages of those who read find: a deployment of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws
from receipt_dynamo_stream.keys import ReceiptId

from tests.snapshots.rounds import KEYS, Rounds

RECEIPT = ReceiptId("image-a", 1)
WORDS = [(1, 1), (1, 2)]


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rounds]:
    """A deployment with one receipt of two words, in its first version."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "local")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        dynamodb, s3 = boto3.client("dynamodb"), boto3.client("s3")
        s3.create_bucket(Bucket="howto")
        for table in ("receipts", "control"):
            dynamodb.create_table(TableName=f"howto-{table}", **KEYS)
        rounds = Rounds(dynamodb, s3, "howto", tmp_path / "rounds", 1)
        rounds.create(RECEIPT, WORDS)
        rounds.put(RECEIPT, "#LINE#00001#WORD#00001#LABEL#TOTAL", "RECEIPT_WORD_LABEL", validation_status="VALID")
        merchant(rounds, "Sprouts")
        rounds.announce(RECEIPT, WORDS, seed=5)
        rounds.merge_all()
        yield rounds


def merchant(rounds: Rounds, name: str) -> None:
    """An edit that makes a version once it is merged."""
    rounds.put(RECEIPT, "#PLACE", "RECEIPT_PLACE", merchant_name=name)

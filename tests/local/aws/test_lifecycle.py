"""The bucket's lifecycle on one machine: plans, reports and poison go after a time, and nothing else does."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local import names
from local.aws.lifecycle import PREFIXES, Lifecycle

ROOT = Path(__file__).parents[3]
KEYS = (
    "plans/words/e/0-a.json.gz",
    "reports/words/e/0/0-a.json.gz",
    "poison/ab.json",
    "snapshots/words/manifests/a.json",
)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket=names.BUCKET)
        for key in (*KEYS, "words/delta/run/delta.arrow"):
            client.put_object(Bucket=names.BUCKET, Key=key, Body=b"x")
        yield client


def left(s3: Any) -> set[str]:
    return {one["Key"] for one in s3.list_objects_v2(Bucket=names.BUCKET).get("Contents", ())}


def test_what_is_older_than_it_is_kept_goes_and_snapshots_and_deltas_stay(s3: Any) -> None:
    lifecycle = Lifecycle(s3, timedelta(hours=1))
    now = datetime.now(UTC)
    assert lifecycle.delete_old(now + timedelta(minutes=59)) == 0
    assert lifecycle.delete_old(now + timedelta(minutes=61)) == 3
    assert left(s3) == {"snapshots/words/manifests/a.json", "words/delta/run/delta.arrow"}


def test_it_has_the_rules_of_the_deployed_bucket() -> None:
    deployed = (ROOT / "cdk/compaction_cdk/storage.py").read_text()
    assert {f"{name}/" for name in re.findall(r'LifecycleRule\(id="(\w+)", prefix', deployed)} == set(PREFIXES)

"""What a stack has when it stops is there when it starts again, and what a kill loses is the rest."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local.aws.resources import create_bucket, create_tables, enable_stream
from local.errors import KeptUnreadable
from local.kept import Kept, ended
from local.names import BUCKET, CONTROL_TABLE, RECEIPTS_TABLE
from local.stack import LocalStack

from .tools import QUICK, toy_application

NOW = datetime(2026, 7, 28, 12, tzinfo=UTC)
RECEIPT = {
    "PK": {"S": "IMAGE#a"},
    "SK": {"S": "RECEIPT#00001"},
    "line_ids": {"L": [{"N": "1"}]},
    "gone": {"NULL": True},
}
HEAD = {"PK": {"S": "COLLECTION#words"}, "SK": {"S": "HEAD"}, "holder": {"S": "arn"}, "fence": {"N": "7"}}
ROW = {"PK": {"S": "EXECUTIONS#words"}, "SK": {"S": "x"}, "status": {"S": "RUNNING"}}


class Services:
    """Empty tables and an empty bucket."""

    def __init__(self) -> None:
        self.dynamodb, self.s3 = boto3.client("dynamodb", "us-east-1"), boto3.client("s3", "us-east-1")
        create_tables(self.dynamodb)
        create_bucket(self.s3)

    def items(self, table: str) -> list[dict[str, Any]]:
        return sorted(self.dynamodb.scan(TableName=table)["Items"], key=json.dumps)

    def objects(self) -> dict[str, bytes]:
        listed = self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())
        return {one["Key"]: self.s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read() for one in listed}


def saved(folder: Path, *, drained: bool = True) -> Kept:
    """A folder with what a stack kept, which had a receipt, a HEAD and two objects."""
    kept = Kept(folder)
    with mock_aws():
        services = Services()
        kept.begin(folder / "efs")
        (folder / "efs").mkdir(exist_ok=True)
        (folder / "efs" / "CURRENT").touch()
        for table, item in ((RECEIPTS_TABLE, RECEIPT), (CONTROL_TABLE, HEAD), (CONTROL_TABLE, ROW)):
            services.dynamodb.put_item(TableName=table, Item=item)
        for key in ("snapshots/words/a b.json", "words/delta/é/delta.arrow"):
            services.s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode() * 100)
        kept.save(services.dynamodb, services.s3, drained=drained)
    return kept


def test_items_and_objects_come_back_as_they_were(tmp_path: Path) -> None:
    kept = saved(tmp_path)
    assert (kept.saved, kept.killed) == (True, False)
    with mock_aws():
        services = Services()
        kept.load(services.dynamodb, services.s3, NOW)
        assert services.items(RECEIPTS_TABLE) == [RECEIPT]
        assert services.objects() == {
            key: key.encode() * 100 for key in ("snapshots/words/a b.json", "words/delta/é/delta.arrow")
        }
        assert [item["SK"]["S"] for item in services.items(CONTROL_TABLE)] == ["HEAD", "x"]


def test_no_lease_is_held_and_nothing_runs_after_the_end_of_a_stack() -> None:
    assert ended(HEAD, NOW) == {name: value for name, value in HEAD.items() if name != "holder"}
    assert ended(ROW, NOW) == {**ROW, "status": {"S": "ABORTED"}, "ended_at": {"S": NOW.isoformat()}}
    assert ended(RECEIPT, NOW) == RECEIPT


def test_what_the_stream_handler_had_not_seen_is_marked_when_the_stack_starts_again(tmp_path: Path) -> None:
    kept = saved(tmp_path, drained=False)
    with mock_aws():
        services = Services()
        kept.load(services.dynamodb, services.s3, NOW)
        pending = [item for item in services.items(CONTROL_TABLE) if item["PK"]["S"].startswith("PENDING#")]
        assert {item["PK"]["S"] for item in pending} == {"PENDING#lines", "PENDING#words"}


def test_what_was_there_is_no_change_for_the_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")  # or moto does not know the address
    kept = saved(tmp_path)
    with mock_aws():
        services = Services()
        kept.load(services.dynamodb, services.s3, NOW)
        enable_stream(services.dynamodb)
        arn = services.dynamodb.describe_table(TableName=RECEIPTS_TABLE)["Table"]["LatestStreamArn"]
        streams = boto3.client("dynamodbstreams", "us-east-1")
        (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        start = {"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        read = streams.get_records(ShardIterator=streams.get_shard_iterator(**start)["ShardIterator"])
        assert read["Records"] == []


def test_the_file_system_of_a_stack_that_was_killed_is_not_trusted(tmp_path: Path) -> None:
    kept = saved(tmp_path)
    kept.begin(tmp_path / "efs")
    assert (tmp_path / "efs" / "CURRENT").exists()
    again = Kept(tmp_path)  # the one before wrote nothing at its end
    assert (again.saved, again.killed) == (True, True)
    again.begin(tmp_path / "efs")
    assert list((tmp_path / "efs").iterdir()) == []


def test_a_file_that_cannot_be_read_is_refused_by_name_and_nothing_goes(tmp_path: Path) -> None:
    (tmp_path / "kept.zip").write_bytes(b"PK")
    (tmp_path / "efs").mkdir()
    with pytest.raises(KeptUnreadable, match=r"kept\.zip is no whole zip file: move .* away to begin anew"):
        Kept(tmp_path).begin(tmp_path / "efs")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["efs", "kept.zip"]


def test_a_folder_of_a_stack_that_kept_nothing_begins_empty(tmp_path: Path) -> None:
    (tmp_path / "efs").mkdir()
    (tmp_path / "efs" / "CURRENT").touch()
    kept = Kept(tmp_path)
    kept.begin(tmp_path / "efs")
    assert list((tmp_path / "efs").iterdir()) == []
    with mock_aws():
        services = Services()
        kept.load(services.dynamodb, services.s3, NOW)
        assert services.items(RECEIPTS_TABLE) == []


@pytest.mark.slow
def test_a_stack_goes_on_where_it_stopped(tmp_path: Path) -> None:
    for turn in range(3):
        with LocalStack(tmp_path, QUICK, keep=True, application=toy_application(), filters=()) as stack:
            dynamodb = stack.client("dynamodb")
            assert dynamodb.scan(TableName=RECEIPTS_TABLE)["Count"] == turn
            item = {"PK": {"S": f"IMAGE#{turn}"}, "SK": {"S": "RECEIPT#00001"}}
            dynamodb.put_item(TableName=RECEIPTS_TABLE, Item=item)

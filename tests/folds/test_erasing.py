"""A deleted receipt is erased by the commands of docs/erase.md, on the real machine, and only then said to be gone."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from receipt_chroma.remains import Sought
from receipt_dynamo_stream.keys import ReceiptId

from console.cli.main import main
from tests.documented import runner

from .world import FoldWorld, should_be

GONE, STAYS = ReceiptId("aaaa", 1), ReceiptId("bbbb", 1)
LONG_AGO = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
def run(
    world: FoldWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    said = runner(world.stack, tmp_path, monkeypatch, capsys)
    return lambda *command: said(list(command))


def let_a_day_pass(world: FoldWorld) -> None:
    """For everything that is there: rows of versions, files, objects."""
    table = world.names.control_table
    for item in world.dynamodb.scan(TableName=table)["Items"]:
        for name in {"created_at", "expired_at"} & item.keys():
            world.dynamodb.update_item(
                TableName=table,
                Key={"PK": item["PK"], "SK": item["SK"]},
                UpdateExpression=f"SET {name} = :at",
                ExpressionAttributeValues={":at": {"S": LONG_AGO.isoformat()}},
            )
    for path in world.efs.rglob("*"):
        os.utime(path, (LONG_AGO.timestamp(), LONG_AGO.timestamp()))
    for key in s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[world.names.bucket].keys.values():
        key.last_modified = LONG_AGO.replace(tzinfo=None)


def delete(world: FoldWorld, receipt: ReceiptId) -> None:
    table = world.names.receipts_table
    for item in world.dynamodb.scan(TableName=table)["Items"]:
        if item["PK"]["S"] == receipt.pk:
            world.dynamodb.delete_item(TableName=table, Key={"PK": item["PK"], "SK": item["SK"]})
    world.settle_down()


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_a_receipt_is_erased_step_by_step_and_nothing_is_said_to_be_left_only_at_the_end(
    world: FoldWorld, run: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world.published(STAYS)
    world.announce(GONE, seed=50)
    world.put_receipt(GONE)
    world.settle_down()
    deltas: list[str] = []
    for number, one in enumerate(world.s3.list_objects_v2(Bucket=world.names.bucket)["Contents"]):
        if "/delta/" in one["Key"]:
            copy = tmp_path / f"{number}.arrow"
            copy.write_bytes(world.s3.get_object(Bucket=world.names.bucket, Key=one["Key"])["Body"].read())
            deltas += ["--delta", str(copy)] if Sought(GONE).in_file(copy).ids else []
    assert len(deltas) == 4, "of lines and of words"
    for collection in ("lines", "words"):
        run("fold", collection, "--wait")
    delete(world, GONE)

    def left() -> list[dict[str, Any]]:
        assert main(["remains", "aaaa/1", *deltas, "--json"]) == 1
        found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["remnants"]
        return found

    assert any("(current): `compaction fold words --rebuild`" in one["kept_by"] for one in left())
    for collection in ("lines", "words"):
        assert "folded" in run("fold", collection, "--rebuild", "--wait")
        let_a_day_pass(world)
        folded = str(world.head(collection).version)
        run("expire", collection, "--before", folded, "--apply", "--yes")
        let_a_day_pass(world)
        run("expire", collection, "--apply", "--yes")
    for one in left():
        assert one["where"] == "bucket", one
        assert one["path"].split("/")[0] in ("plans", "reports") or "/delta/" in one["path"], one
        world.s3.delete_object(Bucket=world.names.bucket, Key=one["path"])
    assert "Nothing is left of IMAGE#aaaa#RECEIPT#00001." in run("remains", "aaaa/1", *deltas)
    assert world.content() == should_be([STAYS])

"""A deleted receipt is erased by the commands of docs/erase.md, on the real machine, and only then said to be gone."""

import json
import os
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from receipt_dynamo_stream.keys import ReceiptId

from console.cli.main import main
from operate.stack import Stack
from tests.documented import runner

from .world import FoldWorld, should_be

GONE, STAYS = ReceiptId("aaaa", 1), ReceiptId("bbbb", 1)
TWIN = ReceiptId("cccc", 1)
"""A receipt that stays, whose first vector is the last one of the one that goes."""
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


def it_was_published_and_deleted(world: FoldWorld) -> None:
    world.published(STAYS)
    for receipt, seed in ((GONE, 50), (TWIN, 52)):
        world.announce(receipt, seed=seed)
        world.put_receipt(receipt)
    world.settle_down()
    for collection in ("lines", "words"):
        world.stack.wait_for_execution(Stack(world.stack.connection).versions.fold(collection))
    delete(world, GONE)


def erase_json(capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = main(["erase", "aaaa/1", "--yes", "--json", *more])
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, said


def remains_json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["remains", "aaaa/1", "--json"]) == 1, "without its vectors nobody can tell"
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return said


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_a_receipt_is_erased_by_one_command_run_again_until_nothing_is_left(
    world: FoldWorld, run: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    it_was_published_and_deleted(world)
    left = remains_json(capsys)["remnants"]
    assert any("(current): `compaction fold words --rebuild`" in one["kept_by"] for one in left if one["current"])
    code, said = erase_json(capsys)
    assert (code, said["erased_at"], said["remains"]) == (1, None, None)
    folded, waiting = said["folded"], said["waiting"]
    assert set(folded) == set(waiting) == {"lines", "words"}, "nothing is past the grace"
    for _ in range(2):  # past the grace they are marked, and an hour after that deleted
        let_a_day_pass(world)
        code, said = erase_json(capsys)
        assert said["folded"] == folded, "no shard is written twice"
    assert (code, said["waiting"], said["deleted"] > 4) == (0, {}, True)
    assert said["erased_at"]
    assert (said["remains"]["nothing_left"], said["remains"]["vectors"]) == (True, 2), "of three one is its twin's too"
    assert list((tmp_path / ".compaction/erase").iterdir()) == []
    assert remains_json(capsys)["remnants"] == []
    assert world.content() == should_be([STAYS]) | should_be([TWIN], seed=52)


class Died(BaseException):
    """The process is gone."""


@dataclass
class DeathAtEachEffect:
    """Ends the calling thread once before and once after each call that writes; the third time it passes."""

    seen: Counter[str] = field(default_factory=Counter)

    def __call__(self, call: Callable[..., Any], client: Any, operation: str, request: dict[str, Any]) -> Any:
        writes = operation in ("StartExecution", "PutItem", "UpdateItem", "DeleteObjects")
        if not writes or threading.current_thread() is not threading.main_thread():
            return call(client, operation, request)
        place = " ".join(
            [operation, str(request.get("input", "")), *request.get("ExpressionAttributeNames", {}).values()]
        )
        self.seen[place] += 1
        if self.seen[place] == 1:
            raise Died
        answer = call(client, operation, request)
        if self.seen[place] == 2:
            raise Died
        return answer


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_erasure_that_dies_before_and_after_each_of_its_effects_goes_on_and_ends(
    world: FoldWorld, run: Callable[..., str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    it_was_published_and_deleted(world)
    death, deaths, said = DeathAtEachEffect(), 0, dict[str, Any]()
    call = BaseClient._make_api_call  # type: ignore[attr-defined]  # every request goes through it
    while not said.get("erased_at"):
        with monkeypatch.context() as patched:
            patched.setattr(
                BaseClient, "_make_api_call", lambda client, name, request: death(call, client, name, request)
            )
            try:
                _, said = erase_json(capsys)
            except Died:
                deaths += 1
        world.settle_down()
        let_a_day_pass(world)
        assert deaths < 60
    assert {place.split()[0] for place in death.seen} == {"StartExecution", "PutItem", "UpdateItem", "DeleteObjects"}
    assert deaths == 2 * len(death.seen)
    assert said["remains"]["nothing_left"]
    assert world.content() == should_be([STAYS]) | should_be([TWIN], seed=52)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_pinned_older_version_is_refused_by_name_and_nothing_is_deleted(
    world: FoldWorld, run: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    it_was_published_and_deleted(world)
    run("pin", "words", "1", "--why", "an audit")
    assert main(["erase", "aaaa/1", "--yes"]) == 2
    assert "pinned: 1" in capsys.readouterr().err
    keys = [one["Key"] for one in world.s3.list_objects_v2(Bucket=world.names.bucket)["Contents"]]
    assert any("aaaa" in key or "/delta/" in key for key in keys)

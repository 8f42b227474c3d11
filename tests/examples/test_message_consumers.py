"""The consumers of examples/message_consumers take every documented message, and each of them once."""

import json
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/message_consumers"
PAGE = (ROOT / "docs/message-format.md").read_text()
DOCUMENTED = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]
Consumer = Callable[[dict[str, Any], object], Any]


@pytest.fixture
def consumer(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")

    def load(name: str, setting: str, *keys: str) -> Callable[[str], Consumer]:
        kinds = zip(keys, ("HASH", "RANGE"), strict=True)
        boto3.client("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in kinds],
        )
        monkeypatch.setenv(setting, name)
        module = runpy.run_path(str(EXAMPLE / f"{name}.py"))
        return lambda function: module[function]

    with mock_aws():
        yield load


def as_delivered(*bodies: str) -> dict[str, Any]:
    return {"Records": [{"messageId": f"m{number}", "body": body} for number, body in enumerate(bodies)]}


def rows(table: str) -> list[dict[str, Any]]:
    return list(boto3.resource("dynamodb").Table(table).scan()["Items"])


def test_the_audit_has_one_row_for_each_change_though_each_message_comes_twice(consumer: Any) -> None:
    audit = consumer("audit", "AUDIT_TABLE", "receipt", "change")("audit")
    bodies = [json.dumps(one) for one in DOCUMENTED]
    assert audit(as_delivered(*bodies, *bodies), None) == {"batchItemFailures": []}
    kept = rows("audit")
    assert len(kept) == len(DOCUMENTED) > 7
    assert {row["what"] for row in kept} == {f"{one['event_name']} {one['entity_type']}" for one in DOCUMENTED}
    changed = next(row for row in kept if json.loads(row["changes"]))
    assert all(len(old_and_new) == 2 for old_and_new in json.loads(changed["changes"]).values())


def test_the_audit_gives_back_what_is_no_message_and_keeps_the_rest(consumer: Any) -> None:
    audit = consumer("audit", "AUDIT_TABLE", "receipt", "change")("audit")
    answer = audit(as_delivered("no message", json.dumps(DOCUMENTED[0])), None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert len(rows("audit")) == 1


def test_the_counter_counts_each_change_once_though_each_message_comes_twice(consumer: Any) -> None:
    count = consumer("counter", "COUNTS_TABLE", "PK", "SK")("count")
    bodies = [json.dumps(one) for one in DOCUMENTED]
    count(as_delivered(*bodies), None)
    count(as_delivered(*reversed(bodies)), None)
    counted = {row["SK"]: int(row["changes"]) for row in rows("counter") if row["PK"].startswith("DAY#")}
    assert sum(counted.values()) == len(DOCUMENTED)
    assert counted["RECEIPT#INSERT"] == 1


def test_the_counter_leaves_a_batch_in_the_queue_that_it_could_not_count(consumer: Any) -> None:
    count = consumer("counter", "COUNTS_TABLE", "PK", "SK")("count")
    boto3.client("dynamodb").delete_table(TableName="counter")
    with pytest.raises(Exception, match="ResourceNotFound"):
        count(as_delivered(json.dumps(DOCUMENTED[0])), None)

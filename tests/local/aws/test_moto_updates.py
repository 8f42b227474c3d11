"""Updates of moto's tables: one at a time, on a copy of the item."""

import threading
from typing import Any

import pytest

from local.aws.moto_patches import MotoPatches

from .moto_tools import TABLE

UPDATE = {
    "TableName": TABLE,
    "Key": {"PK": {"S": "race"}, "SK": {"S": "x"}},
    "UpdateExpression": "ADD n :one",
    "ExpressionAttributeValues": {":one": {"N": "1"}},
}


def simultaneous_updates(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many updates are between reading and writing at the same time when eight come at once."""
    from moto.dynamodb.models.table import Table

    original = Table.get_item
    now, most = 0, 0
    counting = threading.Lock()
    company = threading.Event()

    def get_item(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal now, most
        with counting:
            now += 1
            most = max(most, now)
            if now > 1:
                company.set()
        company.wait(0.02)  # give the others a chance to come in
        try:
            return original(self, *args, **kwargs)
        finally:
            with counting:
                now -= 1

    with monkeypatch.context() as context:
        context.setattr(Table, "get_item", get_item)
        threads = [threading.Thread(target=lambda: dynamodb.update_item(**UPDATE)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return most


def test_requests_to_tables_run_one_at_a_time(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert simultaneous_updates(dynamodb, monkeypatch) > 1
    patches = MotoPatches()
    patches.apply()
    try:
        assert simultaneous_updates(dynamodb, monkeypatch) == 1
    finally:
        patches.remove()


def test_an_update_leaves_an_item_alone_that_was_read_before(dynamodb: Any) -> None:
    from moto.dynamodb.models import dynamodb_backends

    backend = dynamodb_backends["123456789012"]["us-east-1"]
    dynamodb.update_item(**UPDATE)
    read = backend.get_item(TABLE, UPDATE["Key"])
    dynamodb.update_item(**UPDATE)
    assert read.attrs["n"].value == "2", "moto no longer updates in place: the patch can go"
    patches = MotoPatches()
    patches.apply()
    try:
        read = backend.get_item(TABLE, UPDATE["Key"])
        answer = dynamodb.update_item(**UPDATE, ReturnValues="ALL_NEW")
        assert read.attrs["n"].value == "2"
        assert answer["Attributes"]["n"] == {"N": "3"}
        assert dynamodb.get_item(TableName=TABLE, Key=UPDATE["Key"])["Item"]["n"] == {"N": "3"}
    finally:
        patches.remove()


def test_an_update_that_a_condition_refuses_changes_nothing(dynamodb: Any, patched: None) -> None:
    dynamodb.update_item(**UPDATE)
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.update_item(**UPDATE, ConditionExpression="attribute_not_exists(n)")
    assert dynamodb.get_item(TableName=TABLE, Key=UPDATE["Key"])["Item"]["n"] == {"N": "1"}


def test_what_stands_in_front_of_an_update_may_make_requests_of_its_own(
    dynamodb: Any, patched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.dynamodb.models import DynamoDBBackend

    original = DynamoDBBackend.update_item

    def update_item(self: Any, *args: Any, **kwargs: Any) -> Any:
        with monkeypatch.context() as context:
            context.setattr(DynamoDBBackend, "update_item", original)
            another = threading.Thread(target=lambda: dynamodb.update_item(**UPDATE), daemon=True)
            another.start()
            another.join(10)
            assert not another.is_alive()
        return original(self, *args, **kwargs)

    with monkeypatch.context() as context:
        context.setattr(DynamoDBBackend, "update_item", update_item)
        answer = dynamodb.update_item(**UPDATE, ReturnValues="ALL_NEW")
    assert answer["Attributes"]["n"] == {"N": "2"}

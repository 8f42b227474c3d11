"""What moto answers of a table, patched and not: queries, projections, values."""

from typing import Any

import pytest

from local.aws.moto_patches import MotoPatches

from .moto_tools import TABLE

QUERIES: list[dict[str, Any]] = [
    {"KeyConditionExpression": "PK = :p"},
    {"KeyConditionExpression": "PK = :p", "ScanIndexForward": False},
    {"KeyConditionExpression": "PK = :p AND begins_with(SK, :s)", "values": {":s": {"S": "k0"}}},
    {"KeyConditionExpression": "PK = :p AND SK > :s", "values": {":s": {"S": "k05"}}, "ConsistentRead": True},
    {"KeyConditionExpression": "PK = :p AND SK BETWEEN :s AND :t", "values": {":s": {"S": "k02"}, ":t": {"S": "k04"}}},
    {"KeyConditionExpression": "PK = :p", "FilterExpression": "n > :n", "values": {":n": {"N": "7"}}},
    {"KeyConditionExpression": "PK = :p", "ProjectionExpression": "SK, n"},
    {"KeyConditionExpression": "PK = :p", "Select": "COUNT"},
    {"KeyConditionExpression": "G = :p", "IndexName": "by-g"},
]


def answers(client: Any, query: dict[str, Any], value: str) -> list[Any]:
    """All pages of a query, five items a page."""
    values = {":p": {"S": value}, **query.get("values", {})}
    parameters = {name: argument for name, argument in query.items() if name != "values"}
    pages = client.get_paginator("query").paginate(
        TableName=TABLE, ExpressionAttributeValues=values, PaginationConfig={"PageSize": 5}, **parameters
    )
    return [(page.get("Items"), page["Count"], page["ScannedCount"]) for page in pages]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: " ".join(str(each) for each in query.values()))
def test_a_narrowed_query_answers_as_the_whole_table_does(dynamodb: Any, query: dict[str, Any]) -> None:
    values = ["g0", "g1"] if "IndexName" in query else ["a", "c", "nobody"]
    before = [answers(dynamodb, query, value) for value in values]
    patches = MotoPatches()
    patches.apply()
    try:
        assert [answers(dynamodb, query, value) for value in values] == before
    finally:
        patches.remove()


def items_looked_at(client: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many items a query of one partition sorts."""
    from moto.dynamodb.models.table import Table

    seen: list[int] = []
    original = Table.all_items

    def all_items(self: Any) -> Any:
        items = original(self)
        seen.append(len(items))
        return items

    with monkeypatch.context() as context:
        context.setattr(Table, "all_items", all_items)
        answers(client, {"KeyConditionExpression": "PK = :p", "Select": "COUNT"}, "a")
    return max(seen)


def test_a_query_looks_at_its_own_partition_only(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert items_looked_at(dynamodb, monkeypatch) == 36
    patches = MotoPatches()
    patches.apply()
    try:
        assert items_looked_at(dynamodb, monkeypatch) == 12
    finally:
        patches.remove()


def test_a_query_of_a_partition_that_is_not_there_leaves_no_trace(dynamodb: Any, patched: None) -> None:
    from moto.dynamodb.models import dynamodb_backends

    answers(dynamodb, {"KeyConditionExpression": "PK = :p"}, "nobody")
    table = dynamodb_backends["123456789012"]["us-east-1"].get_table(TABLE)
    assert [key.value for key in table.items] == ["a", "b", "c"]


VALUES: dict[str, Any] = {
    "text": {"S": "ünï"},
    "number": {"N": "1.50"},
    "true": {"BOOL": True},
    "null": {"NULL": True},
    "binary": {"B": b"\x00\xff"},
    "set": {"SS": ["a", "b"]},
    "list": {"L": [{"N": "1"}, {"M": {"deep": {"S": "x"}}}]},
    "map": {"M": {"S": {"S": "a key named like a type"}, "empty": {"L": []}}},
}


@pytest.mark.parametrize("name", sorted(VALUES))
def test_every_type_of_value_is_answered_as_without_the_patch(name: str, dynamodb: Any) -> None:
    key = {"PK": {"S": "values"}, "SK": {"S": name}}
    dynamodb.put_item(TableName=TABLE, Item={**key, "value": VALUES[name]})
    plain = dynamodb.get_item(TableName=TABLE, Key=key)["Item"]
    patches = MotoPatches()
    patches.apply()
    try:
        assert dynamodb.get_item(TableName=TABLE, Key=key)["Item"] == plain == {**key, "value": VALUES[name]}
    finally:
        patches.remove()


def test_a_scalar_is_answered_without_a_search_for_its_type(
    dynamodb: Any, patched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.core.serialize import ResponseSerializer

    searched: list[str] = []
    original = ResponseSerializer.get_value

    def get_value(self: Any, value: Any, key: str, shape: Any) -> Any:
        searched.append(key)
        return original(self, value, key, shape)

    monkeypatch.setattr(ResponseSerializer, "get_value", get_value)
    dynamodb.get_item(TableName=TABLE, Key={"PK": {"S": "a"}, "SK": {"S": "k01"}})
    assert "Item" in searched
    assert "BOOL" not in searched


@pytest.mark.parametrize("projection", ["PK, SK", "SK, n", "G, nowhere", "deep.inside, n", "steps[0]"])
def test_a_projection_answers_as_without_the_patch(projection: str, dynamodb: Any) -> None:
    item = {"PK": {"S": "p"}, "SK": {"S": "s"}, "n": {"N": "1"}, "G": {"S": "g"}, "more": {"S": "x"}}
    nested = {"deep": {"M": {"inside": {"S": "y"}, "other": {"S": "z"}}}, "steps": {"L": [{"S": "0"}, {"S": "1"}]}}
    dynamodb.put_item(TableName=TABLE, Item={**item, **nested})
    request = {
        "TableName": TABLE,
        "KeyConditionExpression": "PK = :pk",
        "ExpressionAttributeValues": {":pk": {"S": "p"}},
        "ProjectionExpression": projection,
    }
    plain = dynamodb.query(**request)["Items"]
    patches = MotoPatches()
    patches.apply()
    try:
        assert dynamodb.query(**request)["Items"] == plain
        assert "more" not in plain[0]
    finally:
        patches.remove()


def test_a_projection_of_whole_attributes_turns_no_item_into_python(
    dynamodb: Any, patched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.dynamodb.models.dynamo_type import Item

    monkeypatch.setattr(Item, "to_regular_json", lambda self: pytest.fail(f"{self} was converted"))
    request = {"ExpressionAttributeValues": {":pk": {"S": "a"}}, "ProjectionExpression": "SK, n"}
    assert dynamodb.query(TableName=TABLE, KeyConditionExpression="PK = :pk", **request)["Count"] == 12

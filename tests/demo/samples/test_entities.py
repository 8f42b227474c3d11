from datetime import timedelta
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer
from receipt_dynamo_stream.keys import parse_item_key

from local.demo.samples.attributes import attribute
from local.demo.samples.entities import receipt_items, run_item
from local.demo.samples.model import Receipt
from tests.demo.conftest import MIDNIGHT


def plain(item: dict[str, Any]) -> dict[str, Any]:
    return {name: TypeDeserializer().deserialize(value) for name, value in item.items()}


def test_every_item_is_classified_by_its_key_as_its_type_says(receipts: list[Receipt]) -> None:
    items = [item for receipt in receipts for item in receipt_items(receipt)]
    items.append(run_item(receipts[0], "run-1", {"words": "words/delta/run-1/"}, MIDNIGHT))
    seen = set()
    for item in items:
        assert parse_item_key(item["PK"]["S"], item["SK"]["S"]).entity_type == item["TYPE"]["S"]
        seen.add(item["TYPE"]["S"])
    assert seen == {"RECEIPT", "RECEIPT_LINE", "RECEIPT_WORD", "RECEIPT_WORD_LABEL", "RECEIPT_PLACE",
                    "RECEIPT_METADATA", "RECEIPT_SECTION", "COMPACTION_RUN"}  # fmt: skip


def test_a_receipt_has_one_item_for_each_thing_it_has(receipts: list[Receipt]) -> None:
    for receipt in receipts:
        items = receipt_items(receipt)
        things = len(receipt.lines) + len(receipt.words) + len(receipt.labels) + len(receipt.sections)
        places = (receipt.place is not None) + (receipt.metadata is not None)
        assert len(items) == 1 + things + places
        assert len({(item["PK"]["S"], item["SK"]["S"]) for item in items}) == len(items)


def test_ids_are_five_digits_in_keys() -> None:
    assert parse_item_key("IMAGE#a", "RECEIPT#00001#LINE#00002").line_id == 2


def test_empty_optionals_are_null(receipts: list[Receipt]) -> None:
    items = [item for receipt in receipts for item in receipt_items(receipt)]
    assert all(value != {"S": ""} for item in items for value in item.values())
    assert any(value == {"NULL": True} for item in items for value in item.values())


def test_a_run_announces_both_deltas_as_pending(receipts: list[Receipt]) -> None:
    prefixes = {"lines": "lines/delta/r/", "words": "words/delta/r/"}
    run = plain(run_item(receipts[0], "r", prefixes, MIDNIGHT + timedelta(hours=1)))
    assert run["created_at"] == "2026-07-28T01:00:00+00:00"
    assert {name: run[name] for name in run if "_" in name and name.split("_")[0] in prefixes} == {
        f"{collection}_{name}": value
        for collection in prefixes
        for name, value in {
            "delta_prefix": f"{collection}/delta/r/",
            "state": "PENDING",
            "merged_vectors": 0,
            "started_at": None,
            "finished_at": None,
            "error": None,
        }.items()
    }


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (None, {"NULL": True}),
        ("a", {"S": "a"}),
        (True, {"BOOL": True}),
        (3, {"N": "3"}),
        (0.1, {"N": "0.1"}),
        ([1], {"L": [{"N": "1"}]}),
        ({"x": "y"}, {"M": {"x": {"S": "y"}}}),
        (MIDNIGHT, {"S": "2026-07-28T00:00:00+00:00"}),
    ],
)
def test_values_are_written_as_low_level_attributes(value: Any, encoded: dict[str, Any]) -> None:
    assert attribute(value) == encoded

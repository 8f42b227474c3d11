from typing import Any

import pytest
from botocore.exceptions import ClientError
from receipt_dynamo_stream import ReceiptId, TransientServiceError
from receipt_dynamo_stream.read_facts import facts_of, read_facts, read_many_facts

from ..samples import IMAGE, NOW, item, number, run_item
from .conftest import Tables


def receipt_items(receipt: ReceiptId) -> list[dict[str, object]]:
    sk = receipt.sk
    return [
        item(sk, image=receipt.image_id, timestamp_added=NOW, TYPE="RECEIPT"),
        item(f"{sk}#LINE#00001", image=receipt.image_id, text="TOTAL 3.49"),
        item(f"{sk}#LINE#00001#WORD#00001", image=receipt.image_id, text="TOTAL"),
        item(f"{sk}#LINE#00001#WORD#00001#LABEL#PLACE_NAME", image=receipt.image_id, validation_status="VALID"),
        item(f"{sk}#PLACE", image=receipt.image_id, merchant_name=f"Shop {receipt.receipt_id}", place_id="p"),
        item(f"{sk}#METADATA", image=receipt.image_id, canonical_merchant_name="Shop"),
        item(f"{sk}#SECTION#HEADER", image=receipt.image_id, line_ids={"L": [number(1)]}, confidence=number("0.5")),
        run_item(sk=f"{sk}#COMPACTION_RUN#run", image=receipt.image_id),
    ]


@pytest.mark.parametrize("collection", ["lines", "words"])
def test_what_is_read_is_what_the_items_say(tables: Tables, collection: str) -> None:
    receipt = ReceiptId(IMAGE, 1)
    items = receipt_items(receipt)
    tables.put(*items)
    found = read_facts(tables.client, tables.receipts, receipt, collection)
    assert found == facts_of(receipt, items[0], items[1:], collection)
    assert found.exists
    assert found.runs[0].delta_prefix == f"{collection}/delta/run/"
    assert found.labels[0].status == "VALID"


def test_receipt_10000_is_not_a_prefix_of_receipt_100000(tables: Tables) -> None:
    small, large = ReceiptId(IMAGE, 10000), ReceiptId(IMAGE, 100000)
    tables.put(*receipt_items(large))
    assert read_facts(tables.client, tables.receipts, small, "lines").exists is False
    assert read_facts(tables.client, tables.receipts, small, "lines").lines == frozenset()
    tables.put(*receipt_items(small))
    found = read_many_facts(tables.client, tables.receipts, [large, small], "lines")
    assert {receipt: one.place for receipt, one in found.items()} == {
        small: {"merchant_name": "Shop 10000", "place_id": "p"},
        large: {"merchant_name": "Shop 100000", "place_id": "p"},
    }


def test_the_other_receipts_items_are_not_even_read(tables: Tables) -> None:
    tables.put(*receipt_items(ReceiptId(IMAGE, 100000)))
    counted: list[int] = []

    class Counting:
        get_item = tables.client.get_item

        def query(self, **request: Any) -> Any:
            answer = tables.client.query(**request)
            counted.append(answer["ScannedCount"])
            return answer

    read_facts(Counting(), tables.receipts, ReceiptId(IMAGE, 10000), "lines")
    assert counted == [0]


def test_a_receipt_of_many_pages_is_read_whole(tables: Tables) -> None:
    receipt = ReceiptId(IMAGE, 1)
    tables.put(*(item(f"RECEIPT#00001#LINE#{line:05d}", text="x" * 350_000) for line in range(5)))
    assert read_facts(tables.client, tables.receipts, receipt, "lines").lines == {0, 1, 2, 3, 4}


def test_many_receipts_are_read_in_parallel_and_missing_ones_have_facts_too(tables: Tables) -> None:
    receipts = [ReceiptId(f"image-{number}", 1) for number in range(6)]
    for receipt in receipts[:4]:
        tables.put(*receipt_items(receipt))
    found = read_many_facts(tables.client, tables.receipts, [*receipts, receipts[0]], "words", workers=3)
    assert [found[receipt].exists for receipt in receipts] == [True] * 4 + [False] * 2
    assert read_many_facts(tables.client, tables.receipts, [], "words") == {}


def test_a_throttled_read_is_raised_as_transient() -> None:
    class Throttled:
        def get_item(self, **_: object) -> None:
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, "GetItem")

    with pytest.raises(TransientServiceError, match="ThrottlingException"):
        read_facts(Throttled(), "receipts", ReceiptId(IMAGE, 1), "lines")

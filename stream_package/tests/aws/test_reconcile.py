from itertools import count
from typing import Any

import pytest
from botocore.exceptions import ClientError
from receipt_dynamo_stream import ReceiptId, TransientServiceError
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.reconcile import reconcile

from ..samples import NOW, item
from .conftest import Tables

IN_TABLE = [ReceiptId("a", 1), ReceiptId("a", 2), ReceiptId("b", 1)]
GONE = ReceiptId("c", 1)


@pytest.fixture
def world(tables: Tables) -> Tables:
    """Receipts among the items that one finds beside them."""
    for receipt in IN_TABLE:
        tables.put(
            item(receipt.sk, image=receipt.image_id, TYPE="RECEIPT"),
            item(f"{receipt.sk}#LINE#00001#WORD#00001#LABEL#RECEIPT", image=receipt.image_id),
            item(f"{receipt.sk}#PLACE", image=receipt.image_id),
        )
    tables.put({"PK": {"S": "IMAGE#a"}, "SK": {"S": "IMAGE#a"}}, {"PK": {"S": "JOB#1"}, "SK": {"S": "RECEIPT#00001"}})
    return tables


def run(tables: Tables, client: Any = None, **changes: Any) -> int:
    numbers = count()
    control = ControlTable(client or tables.client, tables.control)
    arguments: dict[str, Any] = {"collections": ["lines", "words"], "now": NOW} | changes
    return reconcile(
        [control.pending(collection) for collection in arguments.pop("collections")],
        receipts_table=tables.receipts,
        new_token=lambda: f"t{next(numbers)}",
        **arguments,
    )


def waiting(tables: Tables, collection: str) -> list[ReceiptId]:
    return [one.receipt for one in tables.control_table.pending(collection).read()]


def test_every_receipt_of_the_table_is_marked_in_every_collection(world: Tables) -> None:
    progress: list[int] = []
    assert run(world, progress=progress.append) == 3
    assert waiting(world, "lines") == waiting(world, "words") == IN_TABLE
    assert progress == [3]
    (first, *_) = world.control_table.pending("words").read()
    assert first.reasons == {"RECONCILE"}


def test_a_receipt_that_only_a_snapshot_knows_is_marked_too_and_none_twice(world: Tables) -> None:
    assert run(world, collections=["words"], snapshot_receipts=[GONE, IN_TABLE[0]]) == 4
    assert waiting(world, "words") == [*IN_TABLE, GONE]
    assert waiting(world, "lines") == []


def test_one_image_is_reconciled_alone(world: Tables) -> None:
    assert run(world, image_id="a", snapshot_receipts=[GONE, ReceiptId("a", 9)]) == 3
    assert waiting(world, "lines") == [*IN_TABLE[:2], ReceiptId("a", 9)]


def test_an_empty_table_marks_nothing(tables: Tables) -> None:
    assert run(tables) == 0


def test_a_large_table_is_read_page_by_page(tables: Tables) -> None:
    tables.put(*(item("RECEIPT#00001", image=f"image-{number}", text="x" * 350_000) for number in range(5)))
    assert run(tables, collections=["words"]) == 5


def test_a_failed_mark_is_raised_after_all_others_were_tried(world: Tables) -> None:
    class Throttled:
        scan = world.client.scan

        def update_item(self, **request: Any) -> Any:
            if request["Key"]["SK"]["S"] == IN_TABLE[0].key:
                raise ClientError({"Error": {"Code": "ThrottlingException"}}, "UpdateItem")
            return world.client.update_item(**request)

    with pytest.raises(TransientServiceError):
        run(world, client=Throttled())
    assert waiting(world, "lines") == waiting(world, "words") == IN_TABLE[1:]

import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from receipt_chroma import read_delta
from receipt_chroma.errors import DeltaRefused
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.keys import ReceiptId

from local.demo.samples.catalog import MERCHANTS
from local.demo.samples.delta_files import CORRUPT_KINDS, GOOD_KINDS, CorruptKind, GoodKind
from local.demo.samples.entities import receipt_items
from local.demo.samples.model import Receipt
from local.demo.samples.producer import COLLECTIONS, Producer, Upload
from local.demo.samples.records import records_of
from local.demo.samples.table_writes import WritesRefused, write_batches
from tests.demo.conftest import BUCKET, DIMENSION, TABLE, Cloud


def read(cloud: Cloud, receipt: Receipt, run_id: str, collection: str, folder: Path) -> list[Any]:
    prefix = f"{collection}/delta/{run_id}/"
    owner = ReceiptId(receipt.image_id, receipt.receipt_id)
    bucket = Bucket(cloud.s3, BUCKET)
    return read_delta(bucket, prefix, collection=collection, receipt=owner, dimension=DIMENSION)


def test_a_receipt_is_in_the_table_whole_with_its_run(
    cloud: Cloud, producer: Producer, receipts: list[Receipt]
) -> None:
    written = producer.put_receipt(Upload(receipts[0], "run-1"))
    keys = {item["SK"]["S"] for item in receipt_items(receipts[0])}
    assert set(cloud.sort_keys()) == keys | {"RECEIPT#00001#COMPACTION_RUN#run-1"}
    assert (written.receipt, written.run_id, written.finished) == (receipts[0], "run-1", 5.0)


@pytest.mark.parametrize("kind", GOOD_KINDS)
@pytest.mark.parametrize("collection", COLLECTIONS)
def test_a_delta_in_every_format_is_read_back_as_it_was_embedded(
    kind: GoodKind, collection: str, cloud: Cloud, producer: Producer, receipts: list[Receipt], tmp_path: Path
) -> None:
    producer.put_receipt(Upload(receipts[0], "run-1", kind))
    expected = {record.id: record for record in records_of(receipts[0], collection, DIMENSION)}
    seen = {record.id: record for record in read(cloud, receipts[0], "run-1", collection, tmp_path)}
    assert seen.keys() == expected.keys()
    for record_id, record in expected.items():
        assert seen[record_id].embedding.tobytes() == record.embedding.tobytes()
        assert seen[record_id].document == record.document


@pytest.mark.parametrize("kind", CORRUPT_KINDS)
def test_a_delta_corrupted_in_any_way_is_refused(
    kind: CorruptKind, cloud: Cloud, producer: Producer, receipts: list[Receipt], tmp_path: Path
) -> None:
    run_id = producer.announce(receipts[0], kind).run_id
    assert run_id is not None
    for collection in COLLECTIONS:
        with pytest.raises(DeltaRefused):
            read(cloud, receipts[0], run_id, collection, tmp_path)


def test_uploads_use_all_three_formats_and_some_runs_come_first(producer: Producer, receipts: list[Receipt]) -> None:
    uploads = producer.plan_uploads(receipts * 4)
    assert {upload.kind for upload in uploads} == set(GOOD_KINDS)
    assert {upload.run_first for upload in uploads} == {True, False}
    assert len({upload.run_id for upload in uploads}) == len(uploads)


@pytest.mark.parametrize("run_first", [True, False])
def test_a_run_comes_before_its_words_only_when_asked_to(
    run_first: bool, producer: Producer, receipts: list[Receipt], monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def seen(_client: Any, _table: str, requests: list[dict[str, Any]]) -> None:
        order.extend(request["PutRequest"]["Item"]["TYPE"]["S"] for request in requests)

    monkeypatch.setattr("local.demo.samples.producer.write_batches", seen)
    producer.put_receipt(Upload(receipts[0], "run-1", run_first=run_first))
    assert (order.index("COMPACTION_RUN") < order.index("RECEIPT_WORD")) is run_first


def test_receipts_written_together_are_all_there_in_the_order_given(
    cloud: Cloud, producer: Producer, receipts: list[Receipt]
) -> None:
    written = producer.put_receipts(producer.plan_uploads(receipts), workers=3)
    assert [one.receipt for one in written] == receipts
    wanted = {(item["PK"]["S"], item["SK"]["S"]) for receipt in receipts for item in receipt_items(receipt)}
    assert wanted <= {(item["PK"]["S"], item["SK"]["S"]) for item in cloud.items()}


def test_a_relabel_removes_one_item_and_inserts_another(
    cloud: Cloud, producer: Producer, receipts: list[Receipt]
) -> None:
    producer.put_receipt(Upload(receipts[0], "run-1"))
    before = set(cloud.sort_keys())
    label = receipts[0].labels[0]
    changed = producer.relabel(receipts[0], label, "STORE_NAME").receipt
    stem = f"RECEIPT#00001#LINE#{label.line_id:05d}#WORD#{label.word_id:05d}#LABEL#"
    assert before - set(cloud.sort_keys()) == {f"{stem}{label.label}"}
    assert set(cloud.sort_keys()) - before == {f"{stem}STORE_NAME"}
    assert changed.labels[0].label == "STORE_NAME"


@pytest.mark.parametrize(("index", "entity"), [(0, "PLACE"), (1, "METADATA"), (2, "PLACE"), (3, "PLACE")])
def test_a_changed_merchant_is_written_where_the_receipt_keeps_its_place(
    index: int, entity: str, cloud: Cloud, producer: Producer, receipts: list[Receipt]
) -> None:
    producer.change_merchant(receipts[index], MERCHANTS[6])
    (item,) = cloud.items()
    assert item["SK"]["S"] == f"{receipts[index].sk}#{entity}"
    assert item["merchant_name"]["S"].title() == MERCHANTS[6].name


def test_a_deleted_receipt_leaves_its_neighbours_alone(
    cloud: Cloud, producer: Producer, receipts: list[Receipt]
) -> None:
    first, second = receipts[1:3]  # on one image
    producer.put_receipts(producer.plan_uploads([first, second]))
    producer.delete_receipt(first)
    assert {key.split("#")[1] for key in cloud.sort_keys()} == {f"{second.receipt_id:05d}"}


def test_a_recreated_receipt_is_younger_than_the_runs_that_were_forgotten(
    cloud: Cloud, producer: Producer, receipts: list[Receipt]
) -> None:
    producer.put_receipt(Upload(receipts[0], "run-1"))
    again = producer.recreate(receipts[0], receipts[3]).receipt
    assert (again.key, again.lines) == (receipts[0].key, receipts[3].lines)
    items = {item["SK"]["S"]: item for item in cloud.items()}
    runs = {key: item["created_at"]["S"] for key, item in items.items() if "#COMPACTION_RUN#" in key}
    added = items["RECEIPT#00001"]["timestamp_added"]["S"]
    assert sorted(created < added for created in runs.values()) == [False, True]
    words = {key for key in items if items[key]["TYPE"]["S"] == "RECEIPT_WORD"}
    assert len(words) == len(receipts[3].words)
    assert again.added_at > receipts[0].added_at + timedelta(hours=1)


def test_writes_that_the_table_leaves_over_are_sent_again_and_at_last_given_up() -> None:
    class Full:
        calls = 0

        def batch_write_item(self, RequestItems: dict[str, list[Any]]) -> dict[str, Any]:  # noqa: N803
            self.calls += 1
            (requests,) = RequestItems.values()
            assert len(requests) <= 25
            return {"UnprocessedItems": {TABLE: requests[:1]} if self.calls != 4 else {}}

    table = Full()
    write_batches(table, TABLE, [{"PutRequest": {}}] * 2)
    assert table.calls == 4
    with pytest.raises(WritesRefused):
        write_batches(table, TABLE, [{"PutRequest": {}}] * 30)


def test_run_ids_come_from_the_seed(cloud: Cloud, receipts: list[Receipt]) -> None:
    def run_ids() -> list[str]:
        producer = Producer(cloud.dynamodb, cloud.s3, TABLE, BUCKET, DIMENSION, random.Random(1))
        return [upload.run_id for upload in producer.plan_uploads(receipts)]

    assert run_ids() == run_ids()

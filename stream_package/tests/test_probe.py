"""Receipts of probes touch the probe's generation alone, where a deployment takes probes."""

from dataclasses import replace
from typing import Any

import pytest
from receipt_dynamo_stream import stream_batch
from receipt_dynamo_stream.generations import number_of
from receipt_dynamo_stream.grain import COLLECTIONS, grain_of
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.probe import PROBE_GENERATION, PROBE_IMAGES
from receipt_dynamo_stream.stream_batch import publish_messages, read_batch

PROBES, OTHERS = ReceiptId(f"{PROBE_IMAGES}1", 1), ReceiptId("3f52804b-2fad-4e00-92c8-b593da3a8ed3", 1)


def inserted(receipt: ReceiptId) -> dict[str, Any]:
    item = {"PK": {"S": receipt.pk}, "SK": {"S": receipt.sk}, "TYPE": {"S": "RECEIPT"}}
    keys = {name: item[name] for name in ("PK", "SK")}
    return {
        "eventID": receipt.key,
        "eventName": "INSERT",
        "dynamodb": {"Keys": keys, "NewImage": item, "SequenceNumber": "1"},
    }


def touched(batch: stream_batch.StreamBatch) -> dict[ReceiptId, frozenset[str]]:
    return {change.receipt: change.collections for _, change in batch.changes.values()}


def test_a_probes_receipt_is_turned_to_its_own_generation_and_no_other_is() -> None:
    both = frozenset(COLLECTIONS)
    batch = read_batch([inserted(PROBES), inserted(OTHERS)])
    assert touched(batch) == {PROBES: both, OTHERS: both}, "where no probes are taken it is an ordinary receipt"
    aside = stream_batch.aside(batch)
    assert touched(aside) == {PROBES: {PROBE_GENERATION}, OTHERS: both}
    assert aside.collections(but=[OTHERS]) == [PROBE_GENERATION]
    assert aside == replace(batch, changes=aside.changes)


def test_the_probes_generation_is_one_of_words_that_no_renewal_ever_makes() -> None:
    assert grain_of(PROBE_GENERATION) == grain_of("words")
    with pytest.raises(ValueError, match="no collection"):
        number_of(PROBE_GENERATION + "0")


def test_other_services_are_told_of_no_probe() -> None:
    class Queue:
        def __init__(self) -> None:
            self.sent: list[str] = []

        def send_message_batch(self, *, Entries: list[dict[str, Any]], **_: Any) -> dict[str, Any]:  # noqa: N803
            self.sent += [entry["MessageBody"] for entry in Entries]
            return {"Successful": [{"Id": entry["Id"]} for entry in Entries], "Failed": []}

    queue: Any = Queue()
    batch = stream_batch.aside(read_batch([inserted(PROBES), inserted(OTHERS)]))
    publish_messages(batch, queue, "https://queue", measure=lambda *_: None)
    assert len(queue.sent) == 1
    assert OTHERS.image_id in queue.sent[0]

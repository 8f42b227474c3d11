"""Receipts of probes touch the probe's generation alone, where a deployment takes probes."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from receipt_dynamo_stream import stream_batch
from receipt_dynamo_stream.errors import TransientServiceError
from receipt_dynamo_stream.generations import number_of
from receipt_dynamo_stream.grain import COLLECTIONS, grain_of
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.probe import PROBE_GENERATION, PROBE_IMAGES, REFUSED_SECONDS, raise_where_asked
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


def asking(receipt: ReceiptId, seconds: Any, *, created: Any = 1_000) -> dict[str, Any]:
    record = inserted(receipt)
    record["dynamodb"]["NewImage"][REFUSED_SECONDS] = {"S": seconds}
    record["dynamodb"]["ApproximateCreationDateTime"] = created
    return record


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def test_a_batch_is_refused_as_long_as_a_probes_record_in_it_asks_for_it_and_never_longer_than_a_minute() -> None:
    batch = [inserted(OTHERS), asking(PROBES, "20")]
    for moment in (1_000, 1_019.9):
        with pytest.raises(TransientServiceError, match="20 seconds"):
            raise_where_asked(batch, at(moment))
    raise_where_asked(batch, at(1_020))
    with pytest.raises(TransientServiceError):
        raise_where_asked([asking(PROBES, "86400")], at(1_059.9))
    raise_where_asked([asking(PROBES, "86400")], at(1_060))


@pytest.mark.parametrize(
    "record",
    [
        asking(OTHERS, "20"),
        asking(PROBES, "soon"),
        asking(PROBES, None),
        asking(PROBES, "20", created="1000"),
        {**asking(PROBES, "20"), "dynamodb": None},
        {**inserted(PROBES), "dynamodb": {"OldImage": asking(PROBES, "20")["dynamodb"]["NewImage"]}},
        {},
    ],
    ids=["of another", "no number", "no text", "no time", "no images", "removed", "empty"],
)
def test_nothing_else_in_a_batch_has_it_refused(record: dict[str, Any]) -> None:
    raise_where_asked([record], at(1_001))

"""Ids and names that somebody chose to hurt stay in their place: in keys, in messages, in queues, in lines."""

import re

import pytest
from receipt_dynamo_stream import ReceiptId, SqsPublisher, StreamMessage, build_message, detect_change
from receipt_dynamo_stream.keys import (
    IMAGE_ID_BYTES,
    line_record_id,
    parse_item_key,
    parse_record_id,
    word_record_id,
)
from receipt_dynamo_stream.runs import run_key
from receipt_dynamo_stream.stream_record import parse_stream_record
from receipt_dynamo_stream.texts import one_line

from .samples import SORT_KEYS, stream_record
from .test_publisher import FIFO, Queue

ODD = (
    "a/b",
    "../..",
    "%2F?x=1&y",
    "a b",
    "ünï✓字",
    "'\"<script>",
    "\x00\x1b[31m\x9b2J",
    "\u202edlrow",
    'x\r\n{"level": "ERROR"}\u2028',
)
NAMES = (*ODD, "#", "A#LABEL#B", "#PLACE", "RECEIPT#00002")


@pytest.mark.parametrize("image", ODD)
def test_an_image_id_is_read_back_from_every_key_that_it_is_in(image: str) -> None:
    receipt = ReceiptId(image, 1)
    assert ReceiptId.parse(receipt.key) == receipt
    assert parse_item_key(receipt.pk, receipt.sk).receipt == receipt
    for record_id, word in ((line_record_id(receipt, 2), None), (word_record_id(receipt, 2, 3), 3)):
        found = parse_record_id(record_id)
        assert (found.receipt, found.line_id, found.word_id) == (receipt, 2, word)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_at_the_end_of_a_key_is_the_whole_rest(name: str) -> None:
    sk = run_key(ReceiptId("a", 1), name)["SK"]["S"]
    assert parse_item_key("IMAGE#a", sk).run_id == name
    assert parse_item_key("IMAGE#a", f"RECEIPT#00001#SECTION#{name}").section_type == name
    label = parse_item_key("IMAGE#a", f"RECEIPT#00001#LINE#00002#WORD#00003#LABEL#{name}")
    assert (label.entity_type, label.label) == ("RECEIPT_WORD_LABEL", name)


def test_an_image_id_whose_mark_would_be_refused_for_ever_is_none_of_ours() -> None:
    """A mark's key is a sort key, which holds less than the partition key that the id came in."""
    longest = "é" * (IMAGE_ID_BYTES // 2)
    assert len(f"{ReceiptId(longest, 10**17).key}".encode()) <= 1024
    assert parse_item_key(f"IMAGE#{longest}", "RECEIPT#00001").image_id == longest
    assert parse_item_key(f"IMAGE#{longest}x", "RECEIPT#00001").entity_type is None
    record = parse_stream_record(stream_record("INSERT", SORT_KEYS["RECEIPT"], image=f"{longest}x"))
    assert detect_change(record) is None


def message(image: str, name: str = "a") -> StreamMessage:
    sk = f"RECEIPT#00001#LINE#00002#WORD#00003#LABEL#{name}"
    record = parse_stream_record(stream_record("INSERT", sk, image=image, new={"reasoning": name}))
    change = detect_change(record)
    assert change is not None
    return build_message(record, change)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("image", ODD[-3:])
def test_a_message_is_one_line_of_ascii_with_the_ids_as_they_are(image: str, name: str) -> None:
    text = message(image, name).to_json()
    assert text.isascii()
    assert text.isprintable()
    data = StreamMessage.from_json(text).entity_data
    assert (data["image_id"], data["label"]) == (image, name)


def test_the_groups_of_a_fifo_queue_are_in_its_alphabet_and_one_for_each_receipt() -> None:
    queue = Queue()
    images = (*ODD, "x" * 200, "é" * 200, "plain")
    SqsPublisher(queue, FIFO).publish([message(image) for image in images])
    # All of these records have one id, so each is sent in a call of its own.
    for image in images[1:]:
        SqsPublisher(queue, FIFO).publish([message(image)])
    groups = {entry["MessageGroupId"] for call in queue.calls for entry in call}
    assert all(re.fullmatch("[!-~]{1,128}", group) for group in groups)
    assert len(groups) == len(images)
    assert "plain_1" in groups


@pytest.mark.parametrize("text", NAMES)
def test_in_one_line_everything_can_be_read_and_nothing_acts(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert (line == text) == text.isprintable()

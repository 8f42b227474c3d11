from typing import Any

import pytest
from receipt_dynamo_stream import SqsPublisher, StreamMessage

from ..test_publisher import message


@pytest.mark.parametrize("name", ["changes", "changes.fifo"])
def test_a_queue_receives_every_message_as_it_was_sent(aws: dict[str, Any], name: str) -> None:
    sqs = aws["sqs"]
    attributes = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    sent = [message(number, image=f"image-{number % 3}", size=40_000) for number in range(12)]
    assert SqsPublisher(sqs, url).publish(sent) == 12
    received = []
    while answer := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for one in answer:
            received.append(StreamMessage.from_json(one["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
    assert sorted(received, key=lambda one: one.stream_record_id) == sent

from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st
from receipt_dynamo_stream import PublishFailed, SqsPublisher, StreamMessage, build_message, detect_change
from receipt_dynamo_stream.publisher import BATCH_BYTES, MAX_ENTRIES, MESSAGE_BYTES, _Entry, batches
from receipt_dynamo_stream.stream_record import parse_stream_record

from .samples import SORT_KEYS, stream_record

STANDARD = "https://sqs.us-east-1.amazonaws.com/123456789012/changes"
FIFO = STANDARD + ".fifo"


def message(number: int, *, image: str = "a", size: int = 0) -> StreamMessage:
    raw = stream_record(
        "INSERT", SORT_KEYS["RECEIPT_WORD_LABEL"], image=image, number=number, new={"reasoning": "x" * size or "y"}
    )
    record = parse_stream_record(raw)
    change = detect_change(record)
    assert change is not None
    return build_message(record, change)


class Queue:
    """Stands in for SQS: takes entries, except as `answers` says for the first calls."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[list[dict[str, str]]] = []
        self.taken: list[str] = []

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        assert QueueUrl in (STANDARD, FIFO)
        self.calls.append(Entries)
        answer = self.answers.pop(0) if self.answers else {}
        if isinstance(answer, Exception):
            raise answer
        refused = {Entries[place]["Id"]: fault for place, fault in answer.items()}
        self.taken += [one["MessageBody"] for one in Entries if one["Id"] not in refused]
        return {
            "Successful": [{"Id": one["Id"]} for one in Entries if one["Id"] not in refused],
            "Failed": [{"Id": place, "Code": "Refused", "SenderFault": fault} for place, fault in refused.items()],
        }


def publisher(queue: Queue, url: str = STANDARD) -> tuple[SqsPublisher, list[float]]:
    waits: list[float] = []
    return SqsPublisher(queue, url, attempts=3, sleep=waits.append, jitter=lambda: 0.5), waits


def test_messages_go_in_batches_of_ten_in_order() -> None:
    queue = Queue()
    sent = [message(number) for number in range(23)]
    assert publisher(queue)[0].publish(sent) == 23
    assert [len(call) for call in queue.calls] == [10, 10, 3]
    assert queue.taken == [one.to_json() for one in sent]


def test_a_message_given_twice_is_sent_once_and_both_collections_of_one_record_are_sent() -> None:
    queue = Queue()
    one = message(1)
    assert publisher(queue)[0].publish([one, one, one.for_collection("lines"), one.for_collection("words")]) == 3
    assert len(queue.taken) == 3


def test_only_the_refused_part_of_a_batch_is_sent_again_after_a_wait_with_jitter() -> None:
    queue = Queue({1: False, 2: False}, {0: False})
    sent = [message(number) for number in range(4)]
    sender, waits = publisher(queue)
    assert sender.publish(sent) == 4
    assert [len(call) for call in queue.calls] == [4, 2, 1]
    assert sorted(queue.taken) == sorted(one.to_json() for one in sent)
    assert waits == [0.1, 0.2]


def test_what_is_refused_every_time_is_raised_by_its_ids_after_all_others_were_sent() -> None:
    queue = Queue({0: False}, {0: False}, {0: False})
    sent = [message(number) for number in range(12)]
    with pytest.raises(PublishFailed, match="Refused") as caught:
        publisher(queue)[0].publish(sent)
    assert caught.value.failed_ids == (sent[0].stream_record_id,)
    assert queue.taken == [one.to_json() for one in sent[1:]]


def test_a_message_at_fault_itself_is_not_sent_again() -> None:
    queue = Queue({0: True})
    with pytest.raises(PublishFailed):
        publisher(queue)[0].publish([message(1), message(2)])
    assert len(queue.calls) == 1


def test_a_call_that_fails_for_a_passing_reason_is_made_again() -> None:
    throttled = ClientError({"Error": {"Code": "RequestThrottled"}}, "SendMessageBatch")
    queue = Queue(throttled, ReadTimeoutError(endpoint_url=STANDARD))
    assert publisher(queue)[0].publish([message(1)]) == 1
    assert len(queue.calls) == 3


def test_a_call_that_can_never_work_is_made_once() -> None:
    gone = ClientError({"Error": {"Code": "AWS.SimpleQueueService.NonExistentQueue"}}, "SendMessageBatch")
    queue = Queue(gone)
    with pytest.raises(PublishFailed, match="NonExistentQueue"):
        publisher(queue)[0].publish([message(1)])
    assert len(queue.calls) == 1


def test_a_message_larger_than_the_service_takes_is_named_and_never_sent() -> None:
    queue = Queue()
    large = message(1, size=MESSAGE_BYTES)
    with pytest.raises(PublishFailed, match="larger") as caught:
        publisher(queue)[0].publish([large, message(2)])
    assert caught.value.failed_ids == (large.stream_record_id,)
    assert len(queue.taken) == 1


def test_a_fifo_queue_gets_a_group_per_receipt_and_an_id_per_record() -> None:
    queue = Queue()
    publisher(queue, FIFO)[0].publish([message(1, image="a"), message(2, image="b"), message(3, image="a")])
    groups = [one["MessageGroupId"] for one in queue.calls[0]]
    assert groups == ["a_1", "b_1", "a_1"]
    assert len({one["MessageDeduplicationId"] for one in queue.calls[0]}) == 3


def test_a_fifo_group_stops_where_a_message_failed() -> None:
    queue = Queue(*[{0: False}] * 3)
    sent = [message(0, image="a")] + [message(number, image="b") for number in range(1, 10)] + [message(10, image="a")]
    with pytest.raises(PublishFailed) as caught:
        publisher(queue, FIFO)[0].publish(sent)
    assert caught.value.failed_ids == (sent[0].stream_record_id, sent[10].stream_record_id)


def test_nothing_to_publish_makes_no_call() -> None:
    queue = Queue()
    assert publisher(queue)[0].publish([]) == 0
    assert queue.calls == []


@given(st.lists(st.integers(1, BATCH_BYTES + 10_000), max_size=40))
def test_batches_keep_order_and_are_as_full_as_a_naive_packer_makes_them(sizes: list[int]) -> None:
    entries = [_Entry(str(place), "x" * size, "g") for place, size in enumerate(sizes)]
    made = [[len(one.body) for one in batch] for batch in batches(entries)]
    model: list[list[int]] = []
    for size in sizes:
        if not model or len(model[-1]) == MAX_ENTRIES or sum(model[-1]) + size > BATCH_BYTES:
            model.append([])
        model[-1].append(size)
    assert made == model
    assert all(len(batch) == 1 or sum(batch) <= BATCH_BYTES for batch in made)

"""Publish messages to an SQS queue for other services."""

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from receipt_dynamo_stream.errors import PublishFailed
from receipt_dynamo_stream.messages import StreamMessage
from receipt_dynamo_stream.retry import is_transient

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

MAX_ENTRIES: Final = 10
"""Entries that SendMessageBatch takes."""

BATCH_BYTES: Final = 262_144
"""Bytes of bodies put together in one batch: what every queue takes, whenever it was made and in whatever region."""

MESSAGE_BYTES: Final = 1_048_576
"""Bytes of one body: the service's limit since August 2025. A body above BATCH_BYTES travels alone."""

GROUP_LENGTH: Final = 128
_GROUP: Final = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class _Entry:
    message_id: str
    body: str
    group: str


class SqsPublisher:
    """Sends StreamMessages in batches; an id here is a message's `message_id`.

    A queue whose URL ends in `.fifo` gets one message group per receipt, so that a receipt's messages keep their
    order (its ids, or their digest where SQS does not take the characters), and the message's id as deduplication id. A
    standard queue may deliver twice, as SQS does; this class sends an id only once in a call, and again only when the
    queue said that it did not take it or did not answer.
    """

    def __init__(
        self,
        client: "SQSClient",
        queue_url: str,
        *,
        attempts: int = 4,
        backoff_seconds: float = 0.1,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._queue_url = queue_url
        self._fifo = queue_url.endswith(".fifo")
        self._attempts = attempts
        self._backoff = backoff_seconds
        self._sleep = sleep
        self._jitter = jitter

    def publish(self, messages: Iterable[StreamMessage]) -> int:
        """Send messages, the first of each id; returns how many the queue took.

        All batches are tried before PublishFailed is raised with the ids that were not taken. On a FIFO queue a
        message is not sent after an earlier one of its group failed: it counts as failed as well.
        """
        entries: dict[str, _Entry] = {}
        for message in messages:
            entries.setdefault(message.message_id, _entry(message))
        failed: dict[str, str] = {}
        for batch in batches(list(entries.values())):
            if self._fifo:
                stopped = {entries[one].group for one in failed}
                held = [one.message_id for one in batch if one.group in stopped]
                failed |= dict.fromkeys(held, "an earlier message of its group failed")
                batch = [one for one in batch if one.group not in stopped]
            failed |= self._send(batch)
        if failed:
            raise PublishFailed(list(failed), next(iter(failed.values())))
        return len(entries)

    def _send(self, batch: Sequence[_Entry]) -> dict[str, str]:
        """Send one batch until every entry is taken or refused for good; returns problems by message id."""
        refused: dict[str, str] = {}
        left = [one for one in batch if len(one.body) <= MESSAGE_BYTES]
        refused |= {one.message_id: "the message is larger than the service takes" for one in batch if one not in left}
        problems: dict[str, str] = {}
        for attempt in range(self._attempts):
            if not left:
                return refused
            if attempt:
                self._sleep(self._backoff * 2**attempt * self._jitter())
            left, problems, final = self._try(left)
            refused |= final
        return refused | {one.message_id: problems[one.message_id] for one in left}

    def _try(self, left: Sequence[_Entry]) -> tuple[list[_Entry], dict[str, str], dict[str, str]]:
        """One SendMessageBatch: the entries to try again, why, and the problems of those that are refused for good."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._client.send_message_batch(
                QueueUrl=self._queue_url, Entries=[self._wire(place, one) for place, one in enumerate(left)]
            )
        except (BotoCoreError, ClientError) as error:
            problems = {one.message_id: f"{type(error).__name__}: {error}" for one in left}
            return (list(left), problems, {}) if is_transient(error) else ([], {}, problems)
        again: dict[str, str] = {}
        final: dict[str, str] = {}
        for failure in answer.get("Failed", ()):
            one = left[int(failure["Id"])]
            problem = f"{failure.get('Code')}: {failure.get('Message', '')}"
            (final if failure.get("SenderFault") else again)[one.message_id] = problem
        return [one for one in left if one.message_id in again], again, final

    def _wire(self, place: int, entry: _Entry) -> "SendMessageBatchRequestEntryTypeDef":
        # The batch's own ids allow 80 letters of a small alphabet; a record id need not fit them, its place does.
        wire: SendMessageBatchRequestEntryTypeDef = {"Id": str(place), "MessageBody": entry.body}
        if self._fifo:
            wire |= {"MessageGroupId": entry.group, "MessageDeduplicationId": entry.message_id[:128]}
        return wire


def batches(entries: Sequence[_Entry]) -> Iterator[list[_Entry]]:
    """Entries in order, in batches of at most MAX_ENTRIES and BATCH_BYTES; a larger one is alone."""
    batch: list[_Entry] = []
    size = 0
    for entry in entries:
        length = len(entry.body)  # ASCII: characters are bytes
        if batch and (len(batch) == MAX_ENTRIES or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += length
    if batch:
        yield batch


def _entry(message: StreamMessage) -> _Entry:
    data = message.entity_data
    group = f"{data.get('image_id', '')}_{data.get('receipt_id', '')}"[-GROUP_LENGTH:]
    if not _GROUP.fullmatch(group):  # one id that SQS does not take would have it refuse the whole batch
        group = sha256(group.encode("utf-8", "surrogatepass")).hexdigest()
    return _Entry(message.message_id, message.to_json(), group)

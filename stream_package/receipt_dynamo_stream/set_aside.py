"""Where a stream record goes that cannot be parsed: to the failure queue as it came, or what identifies it.

A record has two images of up to 400 KB, and JSON escapes other scripts sixfold; a message holds far less. What is too
large for the queue lies in the bucket, and the message says where.
"""

import json
import logging
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.errors import StreamRecordError, TransientServiceError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

log = logging.getLogger(__name__)

PREFIX: Final = "poison/"
MESSAGE_BYTES: Final = 250_000
"""Larger bodies go to the bucket. SQS takes 256 KiB at least, more where the queue says so."""

_PART_CHARACTERS: Final = 20_000
"""Keys have 3 KB at most, and JSON escapes them sixfold."""


class FailureQueue:
    """The failure queue of one batch, and the bucket for what does not fit into it."""

    def __init__(self, sqs: "SQSClient", queue_url: str, bucket: Bucket) -> None:
        self._sqs = sqs
        self._queue_url = queue_url
        self._bucket = bucket
        self._refused: str | None = None

    def set_aside(self, raw: Mapping[str, Any], error: StreamRecordError) -> None:
        """Keep a record that cannot be parsed beside what is wrong with it; may run twice.

        A message has either `record`, or `stored` with the object that has the record, or `not_stored` with the reason
        for which there is none; then, too, it tells keys and sequence number, by which `compaction reconcile` finds
        what is true. Raises what the queue raises.
        """
        log.error("record set aside: %s", error)
        problem = {"error": type(error).__name__, "message": _short(str(error))}
        body = json.dumps({**problem, "record": raw}, default=str)
        if len(body) > MESSAGE_BYTES:  # it is ASCII: as many bytes
            body = json.dumps({**problem, **_identity(raw), **self._stored(body)})
        self._sqs.send_message(QueueUrl=self._queue_url, MessageBody=body)

    def _stored(self, body: str) -> dict[str, str]:
        """The object with this body. A bucket that refused once is not asked again: a batch must be done in time."""
        from botocore.exceptions import BotoCoreError, ClientError

        key = f"{PREFIX}{sha256(body.encode()).hexdigest()}.json"
        if self._refused is None:
            try:
                self._bucket.put(key, body.encode())
            except (BotoCoreError, ClientError, TransientServiceError) as error:
                log.exception("a record of %d bytes was not stored", len(body))
                self._refused = f"{type(error).__name__}: {error}"[:_PART_CHARACTERS]
            else:
                return {"stored": f"s3://{self._bucket.name}/{key}"}
        return {"not_stored": self._refused}


def _identity(raw: Mapping[str, Any]) -> dict[str, object]:
    """Which record it is, as far as it tells."""
    change = raw.get("dynamodb")
    change = change if isinstance(change, Mapping) else {}
    said = {
        "event_id": raw.get("eventID"),
        "event_name": raw.get("eventName"),
        "stream": raw.get("eventSourceARN"),
        "keys": change.get("Keys"),
        "sequence_number": change.get("SequenceNumber"),
    }
    return {name: _short(value) for name, value in said.items() if value is not None}


def _short(value: object) -> object:
    """A value as it is, or the beginning of its text: a record may be of any size and shape."""
    text = json.dumps(value, default=str)
    return value if len(text) <= _PART_CHARACTERS else text[:_PART_CHARACTERS]

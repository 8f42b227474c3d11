"""Waiting for a run of one's own to be merged."""

import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.served import served_in

from receipt_chroma.errors import SnapshotUnavailable, VersionNotServed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_POLL_SECONDS: Final = 0.5
"""A read of the table is paid for, and a run takes seconds."""


def when_merged(
    dynamodb: "DynamoDBClient",
    receipts_table: str,
    receipt: ReceiptId,
    run_id: str,
    collection: str,
    *,
    timeout: timedelta,
    closing: threading.Event,
) -> tuple[str, int]:
    """The generation and version that a run is visible in, as soon as its item says so.

    closing: set when nobody waits any more. Raises VersionNotServed after the timeout, SnapshotUnavailable when it is
    closed, RunRefused, TransientServiceError.
    """
    deadline = time.monotonic() + timeout.total_seconds()
    while (found := served_in(dynamodb, receipts_table, receipt, run_id, collection)) is None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise VersionNotServed(
                f"{collection}: run {run_id} of {receipt.key} was not merged in {timeout.total_seconds():g} s"
            )
        if closing.wait(min(_POLL_SECONDS, left)):
            raise SnapshotUnavailable(f"the reader of {collection} is closed")
    return found

"""What an event source mapping does with a function's answer to a batch: pure, so that it can be tested as a table.

https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from local.lambdas.invocation import InvocationResult
from local.mapping.stream_records import sequence_number

Record = dict[str, Any]


@dataclass(frozen=True)
class Batch:
    """Records of one shard, in order. `failures` counts how often the first of them has failed."""

    records: tuple[Record, ...]
    failures: int = 0


@dataclass(frozen=True)
class Verdict:
    """`again` is to be delivered next, in this order; `discarded` goes to the failure queue."""

    again: tuple[Batch, ...] = ()
    discarded: Batch | None = None


def judge(batch: Batch, result: InvocationResult, *, retry_attempts: int, bisect: bool) -> Verdict:
    """What is left to do after the function answered. `retry_attempts` -1 means for ever.

    - A function error fails the whole batch: halved (at no cost in attempts) if it can be, or else tried again.
    - `batchItemFailures` fails everything from the lowest sequence number in it on: that part is tried again.
    - An answer that names no valid record fails the whole batch, as a function error does.
    """
    reported = result.function_error is None
    failed_from = first_failure(batch.records, result.payload) if reported else 0
    if failed_from == len(batch.records):
        return Verdict()
    if failed_from > 0:
        return _retry(Batch(batch.records[failed_from:], failures=1), retry_attempts)
    if bisect and len(batch.records) > 1 and not reported:
        middle = len(batch.records) // 2
        return Verdict(again=(replace(batch, records=batch.records[:middle]), Batch(batch.records[middle:])))
    return _retry(replace(batch, failures=batch.failures + 1), retry_attempts)


def first_failure(records: Sequence[Record], payload: bytes) -> int:
    """The index of the first record that failed; len(records) when none did, 0 when the answer makes no sense."""
    try:
        answer = json.loads(payload)
    except ValueError:
        return 0
    failures = answer.get("batchItemFailures") if isinstance(answer, dict) else None
    if not failures:
        return len(records)  # an answer that reports nothing, whatever it is, reports success
    places = {sequence_number(record): index for index, record in enumerate(records)}
    named = (failure.get("itemIdentifier") if isinstance(failure, dict) else None for failure in failures)
    return min(places.get(str(number), 0) for number in named)


def _retry(batch: Batch, retry_attempts: int) -> Verdict:
    if 0 <= retry_attempts < batch.failures:
        return Verdict(discarded=batch)
    return Verdict(again=(batch,))


def failure_message(
    batch: Batch, *, result: InvocationResult, function_arn: str, stream_arn: str, shard_id: str, timestamp: str
) -> dict[str, Any]:
    """What the on-failure destination gets: where the records are, not what is in them."""
    first, last = batch.records[0]["dynamodb"], batch.records[-1]["dynamodb"]
    return {
        "requestContext": {
            "requestId": result.request_id,
            "functionArn": function_arn,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": batch.failures,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": result.function_error,
        },
        "version": "1.0",
        "timestamp": timestamp,
        "DDBStreamBatchInfo": {
            "shardId": shard_id,
            "startSequenceNumber": first["SequenceNumber"],
            "endSequenceNumber": last["SequenceNumber"],
            "approximateArrivalOfFirstRecord": _iso(first),
            "approximateArrivalOfLastRecord": _iso(last),
            "batchSize": len(batch.records),
            "streamArn": stream_arn,
        },
    }


def _iso(images: dict[str, Any]) -> str:
    return datetime.fromtimestamp(images["ApproximateCreationDateTime"], UTC).isoformat()

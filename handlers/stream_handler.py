"""StreamHandler: what changed in the receipts table becomes pending receipts, and an execution is asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from receipt_dynamo_stream import stream_batch
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.errors import TransientServiceError
from receipt_dynamo_stream.probe import raise_where_asked
from receipt_dynamo_stream.set_aside import FailureQueue

from .border import StreamHandlerInput, StreamHandlerOutput
from .clients import control_table, impatient_s3, impatient_stepfunctions, sqs
from .settings import settings
from .step import LambdaContext, measure, step

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord


@step
def stream_handler(event: StreamHandlerInput, context: LambdaContext) -> StreamHandlerOutput:
    """Only transient failures are delivered again: as long as they last, and without a part of the batch being lost."""
    records = event["Records"]
    if not records:
        return {"batchItemFailures": []}  # Powertools takes an empty batch for one of an unknown kind
    batch, control, now = stream_batch.read_batch(records), control_table(), datetime.now(UTC)
    if settings().probe == "on":
        raise_where_asked(records, now)
        batch = stream_batch.aside(batch)
    active = stream_batch.active_generations(batch.collections(), control)
    failed = stream_batch.mark_pending(batch, active, control, now=now, new_token=new_token, measure=measure)
    marked = [generation for collection in batch.collections(but=failed) for generation in active[collection]]
    machine = settings().state_machine_arn
    stream_batch.start_executions(
        marked, control, impatient_stepfunctions(), machine, new_token=new_token, measure=measure
    )
    if queue_url := settings().messages_queue_url:
        stream_batch.publish_messages(batch, sqs(), queue_url, measure=measure)
    stream_batch.measure_batch(batch, len(failed), now=now, measure=measure)
    failures = FailureQueue(sqs(), settings().failure_queue_url, Bucket(impatient_s3(), settings().bucket))
    places = {id(raw): place for place, raw in enumerate(records)}

    def outcome_of(record: DynamoDBRecord) -> None:
        """Raise what became of one record, for Powertools to report."""
        place = places[id(record.raw_event)]
        if place in batch.broken:
            failures.set_aside(record.raw_event, batch.broken[place])
        elif place in batch.changes:
            _, change = batch.changes[place]
            if error := failed.get(change.receipt):
                raise TransientServiceError(f"{change.receipt.key} could not be marked pending") from error

    processor = BatchProcessor(event_type=EventType.DynamoDBStreams, raise_on_entire_batch_failure=False)
    response = process_partial_response(dict(event), outcome_of, processor, context)
    return {
        "batchItemFailures": [{"itemIdentifier": str(one["itemIdentifier"])} for one in response["batchItemFailures"]]
    }


def new_token() -> str:
    """Unique for ever: a change token, or the end of an execution's name."""
    return uuid4().hex

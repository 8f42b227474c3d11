"""StreamHandler: what changed in the receipts table becomes pending receipts, and an execution is asked for."""

from __future__ import annotations

import json
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from botocore.exceptions import BotoCoreError, ClientError
from receipt_dynamo_stream import Change, ReceiptId, StreamRecordError, detect_change, parse_stream_record
from receipt_dynamo_stream.errors import PublishFailed, TransientServiceError
from receipt_dynamo_stream.messages import build_message
from receipt_dynamo_stream.retry import is_transient
from receipt_dynamo_stream.stream_record import StreamRecord

from .clients import client, control_table
from .settings import settings
from .step import Event, metrics, step

log = logging.getLogger(__name__)

Reasons = dict[ReceiptId, set[str]]


@step
def stream_handler(event: Event, context: Any) -> Event:
    """A DynamoDB stream event -> {"batchItemFailures": […]}, transient failures only.

    The whole batch is folded first, so that a receipt is marked once for each collection. A record that cannot be
    parsed would never heal and would hold its shard: it goes raw to the failure queue and counts as done.
    """
    records = event["Records"]
    if not records:
        return {"batchItemFailures": []}  # Powertools takes an empty batch for one of an unknown kind
    parsed, changes, poison = read_changes(records)
    failed = mark_pending(changes.values())
    start_executions({collection for change in changes.values() for collection in change.collections})

    def outcome_of(record: Any) -> None:
        """Raise what became of one record, for Powertools to report."""
        identity = id(record.raw_event)
        if identity in poison:
            send_to_failure_queue(record.raw_event, poison[identity])
        elif identity in changes and (error := failed.get(changes[identity].receipt)):
            raise TransientServiceError(f"{changes[identity].receipt.key} could not be marked pending") from error

    publish_messages((parsed[identity], change) for identity, change in changes.items())
    measure(records, changes, poison, failed)
    processor = BatchProcessor(event_type=EventType.DynamoDBStreams, raise_on_entire_batch_failure=False)
    return dict(process_partial_response(event, outcome_of, processor, context))


def read_changes(
    records: Iterable[Mapping[str, Any]],
) -> tuple[dict[int, StreamRecord], dict[int, Change], dict[int, StreamRecordError]]:
    """What could be parsed, the relevant changes, and the errors of the rest, by the identity of the raw record."""
    parsed: dict[int, StreamRecord] = {}
    changes: dict[int, Change] = {}
    poison: dict[int, StreamRecordError] = {}
    for raw in records:
        try:
            record = parsed[id(raw)] = parse_stream_record(raw)
        except StreamRecordError as error:
            poison[id(raw)] = error
            continue
        if (change := detect_change(record)) is not None:
            changes[id(raw)] = change
    return parsed, changes, poison


def mark_pending(changes: Iterable[Change]) -> dict[ReceiptId, Exception]:
    """Mark every touched receipt once per collection; the receipts whose mark failed for a passing reason.

    A mark that fails for another reason is a fault of the deployment and fails the invocation.
    """
    reasons: dict[str, Reasons] = defaultdict(lambda: defaultdict(set))
    for change in changes:
        for collection in change.collections:
            reasons[collection][change.receipt].add(change.reason)
    metrics().add_metric(name="PendingMarks", unit=MetricUnit.Count, value=sum(map(len, reasons.values())))
    now = datetime.now(UTC).isoformat()
    failed: dict[ReceiptId, Exception] = {}
    for collection, marks in sorted(reasons.items()):
        pending = control_table().pending(collection)
        failed |= pending.mark(marks, now=now, new_token=lambda: uuid4().hex)
    for error in failed.values():
        if not is_transient(error):
            raise error
    return failed


def start_executions(collections: Iterable[str]) -> None:
    """One execution per touched collection, under a fresh name; none where the holder is asked for another round.

    A start that fails costs promptness only, since the marks stand and the schedule goes on: it is logged and counted.
    """
    sfn = client("stepfunctions")
    for collection in sorted(collections):
        head = control_table().head(collection).read()
        if head is not None and head.holder is not None and head.rerun is not None:
            continue
        try:
            sfn.start_execution(
                stateMachineArn=settings().state_machine_arn,
                name=f"{collection}-stream-{uuid4().hex}",
                input=json.dumps({"collection": collection, "mode": "compact", "trigger": "stream"}),
            )
        except (BotoCoreError, ClientError) as error:
            log.exception("no execution started for %s: %s", collection, error)
            metrics().add_metric(name="ExecutionStartFailures", unit=MetricUnit.Count, value=1)
        else:
            metrics().add_metric(name="ExecutionsStarted", unit=MetricUnit.Count, value=1)


def publish_messages(relevant: Iterable[tuple[StreamRecord, Change]]) -> None:
    """Tell other services, where a queue for them is deployed. They get no say in the marks: a failure is logged."""
    queue_url = settings().messages_queue_url
    if not queue_url:
        return
    from receipt_dynamo_stream.publisher import SqsPublisher  # most deployments have no such queue

    messages = [build_message(record, change) for record, change in relevant]
    try:
        sent = SqsPublisher(client("sqs"), queue_url).publish(messages)
    except (PublishFailed, BotoCoreError, ClientError) as error:
        log.exception("messages for other services were not published: %s", error)
        metrics().add_metric(name="PublishFailures", unit=MetricUnit.Count, value=1)
    else:
        metrics().add_metric(name="MessagesPublished", unit=MetricUnit.Count, value=sent)


def send_to_failure_queue(raw: Mapping[str, Any], error: StreamRecordError) -> None:
    """Keep a record that cannot be parsed, as it came, beside what is wrong with it."""
    log.error("record set aside: %s", error)
    body = json.dumps({"error": type(error).__name__, "message": str(error), "record": raw}, default=str)
    client("sqs").send_message(QueueUrl=settings().failure_queue_url, MessageBody=body)


def measure(
    records: list[Mapping[str, Any]],
    changes: Mapping[int, Change],
    poison: Mapping[int, StreamRecordError],
    failed: Mapping[ReceiptId, Exception],
) -> None:
    """Count the batch. Ages are in seconds, from the oldest record's ApproximateCreationDateTime."""
    add = metrics().add_metric
    add(name="StreamRecords", unit=MetricUnit.Count, value=len(records))
    add(name="RelevantChanges", unit=MetricUnit.Count, value=len(changes))
    for entity, count in Counter(change.entity_type for change in changes.values()).items():
        add(name=f"{entity.title().replace('_', '')}Changes", unit=MetricUnit.Count, value=count)
    add(name="UnparsableRecords", unit=MetricUnit.Count, value=len(poison))
    add(name="FailedMarks", unit=MetricUnit.Count, value=len(failed))
    created = [t for raw in records if isinstance(t := _created(raw), int | float)]
    if created:
        age = max(0.0, datetime.now(UTC).timestamp() - min(created))
        add(name="OldestRecordAge", unit=MetricUnit.Seconds, value=age)


def _created(raw: Mapping[str, Any]) -> Any:
    image = raw.get("dynamodb")
    return image.get("ApproximateCreationDateTime") if isinstance(image, Mapping) else None

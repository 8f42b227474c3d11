"""A batch of stream records, folded: each receipt is marked once for each collection, whatever happened to it.

A record that cannot be parsed would never heal and would hold its shard: it is set aside and counts as done.
"""

import json
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from receipt_dynamo_stream.changes import Change, detect_change
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.errors import PublishFailed, StreamRecordError
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.measuring import Measure
from receipt_dynamo_stream.messages import build_message
from receipt_dynamo_stream.probe import PROBE_GENERATION, turned
from receipt_dynamo_stream.retry import is_transient, transient_errors
from receipt_dynamo_stream.stream_record import StreamRecord, parse_stream_record

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

log = logging.getLogger(__name__)

Raw = Mapping[str, Any]
Active = Mapping[str, tuple[str, ...]]
"""By collection, the generations that are kept up."""


@dataclass(frozen=True)
class StreamBatch:
    """The raw records of a batch, what each relevant one means, and what is wrong with those that are broken.

    Both are keyed by a raw record's place in the batch.
    """

    raws: Sequence[Raw]
    changes: Mapping[int, tuple[StreamRecord, Change]]
    broken: Mapping[int, StreamRecordError]

    def collections(self, *, but: Collection[ReceiptId] = ()) -> list[str]:
        """The collections that some change touches, sorted; not those that only these receipts' changes touch."""
        changes = (change for _, change in self.changes.values() if change.receipt not in but)
        return sorted({collection for change in changes for collection in change.collections})

    def reasons(self, active: Active) -> dict[str, dict[ReceiptId, set[str]]]:
        """Why each receipt is marked, by generation: in each that is kept up of the collections that it touches."""
        found: dict[str, dict[ReceiptId, set[str]]] = defaultdict(lambda: defaultdict(set))
        for _, change in self.changes.values():
            for generation in (one for collection in change.collections for one in active[collection]):
                found[generation][change.receipt].add(change.reason)
        return found


def read_batch(raws: Sequence[Raw]) -> StreamBatch:
    """Parse every record and detect what it means."""
    changes: dict[int, tuple[StreamRecord, Change]] = {}
    broken: dict[int, StreamRecordError] = {}
    for place, raw in enumerate(raws):
        try:
            record = parse_stream_record(raw)
        except StreamRecordError as error:
            broken[place] = error
            continue
        if (change := detect_change(record)) is not None:
            changes[place] = record, change
    return StreamBatch(raws, changes, broken)


def aside(batch: StreamBatch) -> StreamBatch:
    """The same batch, in which the receipts of probes touch the probe's generation alone."""
    return replace(
        batch, changes={place: (record, turned(change)) for place, (record, change) in batch.changes.items()}
    )


def active_generations(collections: Iterable[str], control: ControlTable) -> Active:
    """The generations that are kept up of each collection, by a consistent read. Raises TransientServiceError: without
    knowing them nothing can be marked."""
    with transient_errors():
        return {collection: control.generations(collection).read().active for collection in collections}


def mark_pending(
    batch: StreamBatch,
    active: Active,
    control: ControlTable,
    *,
    now: datetime,
    new_token: Callable[[], str],
    measure: Measure,
) -> dict[ReceiptId, Exception]:
    """Mark every touched receipt once per generation; the receipts whose mark failed for a passing reason.

    A mark that fails for another reason is a fault of the deployment and is raised.
    """
    reasons = batch.reasons(active)
    measure("PendingMarks", sum(map(len, reasons.values())))
    failed: dict[ReceiptId, Exception] = {}
    for collection, marks in sorted(reasons.items()):
        failed |= control.pending(collection).mark(marks, now=now.isoformat(), new_token=new_token)
    for error in failed.values():
        if not is_transient(error):
            raise error
    return failed


def start_executions(
    collections: Iterable[str],
    control: ControlTable,
    sfn: "SFNClient",
    machine_arn: str,
    *,
    new_token: Callable[[], str],
    measure: Measure,
) -> None:
    """One execution per touched generation, under a fresh name; none where the holder is asked for another round.

    A start that fails, or a HEAD that cannot be read, costs promptness only, since the marks stand and the schedule
    goes on: it is logged and counted. `sfn` should give up soon: the stream waits for it.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    for collection in collections:
        try:
            head = control.head(collection).read()
            if head is not None and head.holder is not None and head.rerun is not None:
                continue
            sfn.start_execution(
                stateMachineArn=machine_arn,
                name=f"{collection}-stream-{new_token()}",
                input=json.dumps({"collection": collection, "mode": "compact", "trigger": "stream"}),
            )
        except (BotoCoreError, ClientError) as error:
            log.exception("no execution started for %s: %s", collection, error)
            measure("ExecutionStartFailures", 1)
        else:
            measure("ExecutionsStarted", 1)


def publish_messages(batch: StreamBatch, sqs: "SQSClient", queue_url: str, *, measure: Measure) -> None:
    """Tell other services of every change but a probe's. They get no say in the marks: a failure is logged."""
    from botocore.exceptions import BotoCoreError, ClientError

    from receipt_dynamo_stream.publisher import SqsPublisher  # most deployments have no such queue

    told = [one for one in batch.changes.values() if PROBE_GENERATION not in one[1].collections]
    messages = [build_message(record, change) for record, change in told]
    try:
        sent = SqsPublisher(sqs, queue_url).publish(messages)
    except (PublishFailed, BotoCoreError, ClientError) as error:
        log.exception("messages for other services were not published: %s", error)
        measure("PublishFailures", 1)
    else:
        measure("MessagesPublished", sent)


def measure_batch(batch: StreamBatch, failed_marks: int, *, now: datetime, measure: Measure) -> None:
    """Count the batch. Its age is from the oldest record's ApproximateCreationDateTime."""
    measure("StreamRecords", len(batch.raws))
    measure("RelevantChanges", len(batch.changes))
    for entity, count in Counter(change.entity_type for _, change in batch.changes.values()).items():
        measure(f"{entity.title().replace('_', '')}Changes", count)
    measure("UnparsableRecords", len(batch.broken))
    measure("FailedMarks", failed_marks)
    created = [moment for raw in batch.raws if isinstance(moment := _created(raw), int | float)]
    if created:
        measure("OldestRecordAge", max(0.0, now.timestamp() - min(created)), "Seconds")


def _created(raw: Raw) -> object:
    image = raw.get("dynamodb")
    return image.get("ApproximateCreationDateTime") if isinstance(image, Mapping) else None

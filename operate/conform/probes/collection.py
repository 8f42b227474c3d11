"""The probe's own generation while a report is made: receipts put, executions started, and all of it removed."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import count
from typing import Any, Final, TypeVar

import numpy as np
from receipt_chroma.announcing import announce_run
from receipt_chroma.delta.read import DeltaRecord
from receipt_dynamo_stream import names
from receipt_dynamo_stream.attributes import number, string
from receipt_dynamo_stream.conditions import query_all, update_if
from receipt_dynamo_stream.control.head import Head, head_key
from receipt_dynamo_stream.control.pending import PendingReceipt
from receipt_dynamo_stream.keys import ReceiptId, word_record_id
from receipt_dynamo_stream.probe import PROBE_GENERATION, PROBE_IMAGES, PROBE_MODEL

from operate.conform.probes.errors import ProbeFailed, ProbesTaken
from operate.conform.probes.instances import Instances
from operate.models import Execution
from operate.services import Services
from operate.stack import Stack

T = TypeVar("T")

DIMENSION: Final = 1536
GIVEN_UP_AFTER: Final = timedelta(hours=2)
"""A report that has held the generation for longer was killed: what it left is removed."""
WAIT_SECONDS: Final = 180.0
"""For what the machine does: a few cold starts of containers."""
_PARTITIONS: Final = (
    *("COLLECTION", "PENDING", "QUARANTINE", "NOTES", "VERSIONS_EXPIRED", "EXECUTIONS", "EXECUTIONS_IDLE"),
)
_TRIES: Final = 5
_AT_ONCE: Final = 8
"""Calls of DynamoDB and S3 side by side, below what a client has connections for."""


@dataclass(frozen=True)
class ProbeCollection:
    """Receipts of one image, so that the table's stream has their changes in order, and the generation they are in."""

    stack: Stack
    instances: Instances
    image: str
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @cached_property
    def services(self) -> Services:
        return Services(self.stack.connection)

    # -- what is put

    def new_receipts(self, how_many: int = 1) -> list[ReceiptId]:
        """Ids that were not given before; nothing is put."""
        return [ReceiptId(self.image, next(self._numbers)) for _ in range(how_many)]

    def put(self, receipt: ReceiptId, words: int = 3) -> None:
        """A receipt's items, and a run with a vector for each of its words."""
        self.put_item(receipt, "", names.RECEIPT, timestamp_added="2026-01-01T00:00:00+00:00")
        self.put_item(receipt, "#LINE#00001", names.RECEIPT_LINE)
        for word in range(1, words + 1):
            self.put_item(receipt, f"#LINE#00001#WORD#{word:05d}", names.RECEIPT_WORD)
        vectors = np.random.default_rng(receipt.receipt_id).standard_normal((words, DIMENSION)).astype(np.float32)
        ids = (word_record_id(receipt, 1, word) for word in range(1, words + 1))
        rows = [DeltaRecord(one, vector, one, {}) for one, vector in zip(ids, vectors, strict=True)]
        announce_run(
            self.services.dynamodb,
            self.stack.connection.receipts_table,
            self.services.bucket,
            receipt,
            run_id=f"{self.image}-{self.services.new_unique()}",
            created_at=self.services.now().isoformat(),
            dimension=DIMENSION,
            models={"words": PROBE_MODEL, "lines": PROBE_MODEL},
            words=rows,
        )

    def put_item(self, receipt: ReceiptId, below: str, entity_type: str, **more: str) -> None:
        """One item of a receipt; `below`: how its sort key goes on."""
        text = {"PK": receipt.pk, "SK": receipt.sk + below, "TYPE": entity_type, **more}
        self.services.dynamodb.put_item(
            TableName=self.stack.connection.receipts_table, Item={name: string(value) for name, value in text.items()}
        )

    def delete_item(self, receipt: ReceiptId, below: str) -> None:
        """Delete one."""
        self.services.dynamodb.delete_item(
            TableName=self.stack.connection.receipts_table,
            Key={"PK": string(receipt.pk), "SK": string(receipt.sk + below)},
        )

    # -- what is there

    @property
    def head(self) -> Head:
        head = self.stack.collections.head(PROBE_GENERATION)
        if head is None:
            raise ProbeFailed(f"HEAD of {PROBE_GENERATION} is gone: another report has removed it")
        return head

    def change_head(self, expression: str, **values: Mapping[str, Any]) -> None:
        """Change HEAD by hand, as another execution or an operator would."""
        more = {"ExpressionAttributeValues": {f":{name}": value for name, value in values.items()}} if values else {}
        self.services.dynamodb.update_item(
            TableName=self.stack.connection.control_table,
            Key=head_key(PROBE_GENERATION),
            UpdateExpression=expression,
            **more,  # type: ignore[arg-type]
        )

    def pending(self) -> dict[ReceiptId, PendingReceipt]:
        """What waits, by receipt."""
        return {one.receipt: one for one in self.services.control.pending(PROBE_GENERATION).read()}

    def running(self) -> list[str]:
        """The ARNs of the generation's executions that run."""
        pages = self.services.stepfunctions.get_paginator("list_executions").paginate(
            stateMachineArn=self.stack.connection.state_machine_arn, statusFilter="RUNNING"
        )
        rows = [row for page in pages for row in page["executions"]]
        return [row["executionArn"] for row in rows if row["name"].startswith(f"{PROBE_GENERATION}-")]

    # -- what is waited for

    def until(self, look: Callable[[], T | None], what: str, seconds: float = WAIT_SECONDS) -> T:
        """What `look` answers once it is true. Raises ProbeFailed."""
        ends = time.monotonic() + seconds
        while not (found := look()):
            if time.monotonic() > ends:
                raise ProbeFailed(f"waited {seconds:g} seconds for {what}")
            time.sleep(self._look_seconds)
        return found

    @property
    def _look_seconds(self) -> float:
        """AWS lets histories be asked for some times a second only."""
        return 0.25 if self.stack.connection.endpoint_url is None else 0.02

    def deadline(self, seconds: float) -> Callable[[], bool]:
        """Whether so long has passed since now."""
        ends = time.monotonic() + seconds
        return lambda: time.monotonic() > ends

    def start(self, mode: str = "compact", **more: str | bool | int) -> str:
        """An execution's ARN."""
        return self.stack.executions.start(PROBE_GENERATION, mode, trigger="operator", **more)

    def end_of(self, arn: str, wait: float = WAIT_SECONDS) -> Execution:
        """The execution, once it has ended. Raises ProbeFailed."""

        def ended() -> Execution | None:
            found = self.stack.executions.describe(arn)
            return None if found.status == "running" else found

        return self.until(ended, f"the end of {arn}", wait)

    def run(self, mode: str = "compact", wait: float = WAIT_SECONDS, **more: str | bool | int) -> Execution:
        """Start an execution and wait for its end, so many seconds at most."""
        return self.end_of(self.start(mode, **more), wait)

    def events(self, arn: str) -> list[Mapping[str, Any]]:
        """The history of an execution so far."""
        return list(self.stack.executions.events(arn, 5_000).events)

    def states_of(self, arn: str) -> list[str]:
        """The states that it entered so far, in order."""
        details = (event.get("stateEnteredEventDetails") for event in self.events(arn))
        return [one["name"] for one in details if one]

    def enters(self, arn: str, state: str) -> bool:
        """Wait until an execution enters a state; False where it ended before it was seen there."""

        def look() -> str | None:
            return self.stack.executions.describe(arn).status if state not in self.states_of(arn) else "entered"

        return self.until(lambda: None if (found := look()) == "running" else found, state) == "entered"

    def quiet(self) -> None:
        """Wait until nothing of the generation runs."""
        self.until(lambda: not self.running(), "the generation's executions to end")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Changes are marked in the block, and none is published."""
        self.change_head("SET paused = :why", why=string("held by compaction conform"))
        try:
            yield
            self.quiet()
        finally:
            self.change_head("REMOVE paused")

    def caught(self, state: str, act: Callable[[str], object]) -> str:
        """Do something to an execution with changes that is in a state before its commit; its ARN.

        A worker is quick: who was past its commit by then is not the one, and another one is tried. Raises ProbeFailed.
        """
        for _ in range(_TRIES):
            self.put_aside(self.new_receipts(2))
            started = self.start()
            arn = self._holder_after(started)
            if self.enters(arn, state):
                act(arn)
                if "CommitSnapshot" not in self.states_of(arn):
                    return arn
                self.end_of(arn)
        raise ProbeFailed(f"no execution was caught in {state} in {_TRIES} tries")

    def _holder_after(self, started: str) -> str:
        return self.until(lambda: self.head.holder or self._ended(started), "somebody to hold the lease")

    def _ended(self, arn: str) -> str | None:
        return None if self.stack.executions.describe(arn).status == "running" else arn

    def put_aside(self, receipts: Iterable[ReceiptId], words: int = 3) -> None:
        """Put receipts and wait until the stream has marked them. What it started may publish them any time now."""
        with self.waiting(receipts, words):
            pass

    @contextmanager
    def waiting(self, receipts: Iterable[ReceiptId], words: int = 3, wait: float = WAIT_SECONDS) -> Iterator[None]:
        """Put receipts, which the stream has marked, and which nobody publishes before the block ends."""
        wanted = set(receipts)
        with self.held():
            side_by_side(lambda receipt: self.put(receipt, words), wanted)

            def marked() -> bool:
                reasons = {one: found.reasons for one, found in self.pending().items()}
                return all("INSERT COMPACTION_RUN" in reasons.get(receipt, ()) for receipt in wanted)

            self.until(marked, "the stream to mark the receipts that were put", wait)
            yield

    # -- beginning and end

    def begin(self) -> None:
        """Make HEAD. Raises ProbesTaken while another report has it; what a killed one left is removed first."""
        item = self.services.dynamodb.get_item(
            TableName=self.stack.connection.control_table, Key=head_key(PROBE_GENERATION), ConsistentRead=True
        ).get("Item")
        if item is not None:
            made = item.get("made_at", {}).get("S", "2026-01-01T00:00:00+00:00")
            if datetime.now(UTC) - datetime.fromisoformat(made) < GIVEN_UP_AFTER:
                raise ProbesTaken(f"another report of this stack began at {made}: wait for it, or for two hours")
            ProbeCollection(self.stack, self.instances, item.get("probe_image", {}).get("S", self.image)).remove()
        applied, _ = update_if(
            self.services.dynamodb,
            table=self.stack.connection.control_table,
            key=head_key(PROBE_GENERATION),
            condition="attribute_not_exists(PK)",
            UpdateExpression="SET model = :model, dimension = :dimension, shards = :one, made_at = :now,"
            " probe_image = :image",
            ExpressionAttributeValues={
                ":model": string(PROBE_MODEL),
                ":dimension": number(DIMENSION),
                ":one": number(1),
                ":now": string(self.services.now().isoformat()),
                ":image": string(self.image),
            },
        )
        if not applied:
            raise ProbesTaken("another report of this stack began just now: wait for it")

    def remove(self) -> None:
        """Remove every item, object, file and row. May be repeated."""
        self.change_head("SET paused = :why", why=string("removed by compaction conform"))
        for arn in self.running():
            self.services.stepfunctions.stop_execution(
                executionArn=arn, error="StoppedByOperator", cause="conform ends"
            )
        before = self._names()
        self._remove_items()
        self._wait_for_the_streams_last(before)
        self.quiet()
        self._remove_objects()
        self.instances.remove("forget", folder=self.image.removeprefix(PROBE_IMAGES))
        for _ in range(20):  # the last executions' ends are still being recorded
            if not self._remove_rows():
                return
            time.sleep(0.5)

    def _remove_items(self) -> None:
        """The last to go is a receipt that is put for it: its removal is the stream's last word of this image."""
        table = self.stack.connection.receipts_table
        last = ReceiptId(self.image, 99_999)
        self.put_item(last, "", names.RECEIPT, timestamp_added="2026-01-01T00:00:00+00:00")
        keys = [key for key in self._keys(table, f"IMAGE#{self.image}") if key["SK"] != string(last.sk)]
        side_by_side(lambda key: self.services.dynamodb.delete_item(TableName=table, Key=key), keys)
        self.delete_item(last, "")

        def heard() -> bool:
            found = self.pending().get(last)
            return found is not None and "REMOVE RECEIPT" in found.reasons

        self.until(heard, "the stream to hear of what was removed", WAIT_SECONDS + len(keys) / 100)

    def _names(self) -> set[str]:
        answer = self.services.stepfunctions.list_executions(
            stateMachineArn=self.stack.connection.state_machine_arn, maxResults=100
        )
        return {row["name"] for row in answer["executions"] if row["name"].startswith(f"{PROBE_GENERATION}-stream-")}

    def _wait_for_the_streams_last(self, before: set[str]) -> None:
        """The stream marks first and starts then: an execution that comes when HEAD is gone would fail for want of it.
        It may also start none, where the holder was asked for another round."""
        ends = time.monotonic() + 5
        while not self._names() - before and time.monotonic() < ends:
            time.sleep(self._look_seconds)

    def _remove_objects(self) -> None:
        bucket = self.services.bucket
        prefixes = [f"{place}/{PROBE_GENERATION}/" for place in ("snapshots", "plans", "reports")]
        prefixes += [f"{one}/delta/{PROBE_IMAGES}" for one in ("words", "lines")]
        for prefix in prefixes:
            keys = [found.key for found in bucket.list(prefix)]
            if keys:
                bucket.delete_all(keys)

    def _remove_rows(self) -> int:
        table, removed = self.stack.connection.control_table, 0
        for partition in _PARTITIONS:
            for key in self._keys(table, f"{partition}#{PROBE_GENERATION}"):
                self.services.dynamodb.delete_item(TableName=table, Key=key)
                removed += 1
        return removed

    def _keys(self, table: str, partition: str) -> list[dict[str, Any]]:
        items = query_all(
            self.services.dynamodb,
            TableName=table,
            KeyConditionExpression="PK = :pk",
            ExpressionAttributeValues={":pk": string(partition)},
        )
        return [{name: item[name] for name in ("PK", "SK")} for item in items]


def side_by_side(act: Callable[[T], object], what: Iterable[T]) -> None:
    """Do it to each, some at once. Raises the first error, or KeyboardInterrupt, and begins no more of them then."""
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        try:
            for _ in threads.map(act, what):
                pass
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def probe_collection(stack: Stack, instances: Instances) -> Iterator[ProbeCollection]:
    """The probe's generation, made and removed."""
    collection = ProbeCollection(stack, instances, f"{PROBE_IMAGES}{instances.folder}")
    collection.begin()
    try:
        yield collection
    finally:
        collection.remove()

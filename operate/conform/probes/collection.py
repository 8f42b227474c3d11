"""The probe's own generation while a report is made: receipts that are put, and executions that are started."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import Any, Final, TypeVar

import numpy as np
from receipt_chroma.announcing import announce_run
from receipt_chroma.delta.read import DeltaRecord
from receipt_dynamo_stream import names
from receipt_dynamo_stream.attributes import string
from receipt_dynamo_stream.control.head import Head, head_key
from receipt_dynamo_stream.control.pending import PendingReceipt
from receipt_dynamo_stream.keys import ReceiptId, word_record_id
from receipt_dynamo_stream.probe import PROBE_GENERATION, PROBE_MODEL

from operate.conform.probes.errors import ProbeFailed
from operate.conform.probes.instances import Instances
from operate.models import Execution
from operate.services import Services
from operate.stack import Stack

T = TypeVar("T")

DIMENSION: Final = 1536
WAIT_SECONDS: Final = 180.0
"""For what the machine does: a few cold starts of containers."""
_TRIES: Final = 5
_IMAGES: Final = 100
_AT_ONCE: Final = 8
"""Calls of DynamoDB and S3 side by side, below what a client has connections for."""


@dataclass(frozen=True)
class ProbeCollection:
    """Receipts, most of one image, so that the table's stream has their changes in order, and their generation."""

    stack: Stack
    instances: Instances
    image: str
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @cached_property
    def services(self) -> Services:
        return Services(self.stack.connection)

    # -- what is put

    @property
    def images(self) -> list[str]:
        """Every image that a receipt of this report may have: its own, and those of `spread_receipts`."""
        return [self.image, *(f"{self.image}-{number:03d}" for number in range(_IMAGES))]

    def new_receipts(self, how_many: int = 1) -> list[ReceiptId]:
        """Ids that were not given before, of one image; nothing is put."""
        return [ReceiptId(self.image, next(self._numbers)) for _ in range(how_many)]

    def spread_receipts(self, how_many: int) -> list[ReceiptId]:
        """The same over many images: a partition of the table takes 1,000 writes a second, and moto looks through all
        of one for each query."""
        numbers = (next(self._numbers) for _ in range(how_many))
        return [ReceiptId(self.images[1 + number % _IMAGES], number) for number in numbers]

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
            time.sleep(self.look_seconds)
        return found

    @property
    def look_seconds(self) -> float:
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

    def quiet(self, wait: float = WAIT_SECONDS) -> None:
        """Wait until nothing of the generation runs."""
        self.until(lambda: not self.running(), "the generation's executions to end", wait)

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


def side_by_side(act: Callable[[T], object], what: Iterable[T]) -> None:
    """Do it to each, some at once. Raises the first error, or KeyboardInterrupt, and begins no more of them then."""
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        try:
            for _ in threads.map(act, what):
                pass
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise

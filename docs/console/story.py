"""What happened on the stack of the pictures: a believable afternoon, told through a producer and a few mishaps."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from receipt_chroma.batch import announce_batch
from receipt_chroma.records import Record
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.table import ControlTable

from local.aws.executions import wait_until
from local.demo.samples.catalog import MERCHANTS
from local.demo.samples.embedding import DIMENSION
from local.demo.samples.model import Receipt
from local.demo.samples.producer import Producer
from local.demo.samples.receipts import sample_receipts
from local.demo.samples.records import word_records
from local.stack import LocalStack
from operate.services import utc_now
from operate.stack import Stack
from tests.browser.troubles import announce_broken, frozen, lost_shards

SEED = 7
NEW_MODEL, NEW_DIMENSION = "model-b", 512
_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Told:
    """The names of what the pictures show: executions of `words`, and a version of it whose labels changed."""

    published: str
    failed: str
    relabelled: int


class Story:
    """Tells itself on a fresh stack whose schedule is off."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self._operator = Stack(stack.connection)
        rng = random.Random(SEED)
        self._receipts = sample_receipts(rng, 24, utc_now() - timedelta(minutes=10))
        self._producer = Producer(
            stack.client("dynamodb"),
            stack.client("s3"),
            table=stack.connection.receipts_table,
            bucket=stack.connection.bucket,
            dimension=DIMENSION,
            rng=rng,
        )

    def tell(self) -> Told:
        """All of it; afterwards nothing runs, and the last changes of `words` wait for a re-run of what failed."""
        burst, more, (late, broken), others, last = (
            self._receipts[start:end] for start, end in ((0, 12), (12, 15), (15, 17), (17, 20), (20, 24))
        )
        self._write(*burst)
        self._stack.wait_for_execution(self._operator.versions.fold("words"))
        self._write(*more)
        self._relabel(burst[0], "STORE_NAME", "LOYALTY_ID", "DISCOUNT")
        self._settle_down()
        relabelled = self._operator.versions.find("words", None).version
        with self._in_one_batch():
            self._producer.change_merchant(burst[1], MERCHANTS[3])
            self._producer.delete_receipt(burst[2])

        with lost_shards(self._stack, "lines"):
            self._producer.change_merchant(burst[3], MERCHANTS[5])
            self._settle_down(but="lines")
        self._stack.wait_for_execution(self._operator.executions.rerun(self._last("lines", "FAILED")))
        self._settle_down()

        self._producer.put_receipts(self._producer.plan_uploads([late, broken]))
        with frozen(self._stack, "MergeDeltas", "lines") as name:
            self._operator.executions.stop(name, "Started before the labels of that day were there.")
        self._operator.executions.start("lines")
        self._settle_down()

        with self._in_one_batch():
            announce_broken(self._stack, self._producer, broken)
            self._producer.put_receipts(self._producer.plan_uploads(others))
        published = self._last("words", "SUCCEEDED", "published")
        with lost_shards(self._stack), self._in_one_batch(but="words"):
            self._producer.put_receipts(self._producer.plan_uploads(last))
        return Told(_name(published), _name(self._last("words", "FAILED")), relabelled)

    def renew(self) -> None:
        """Then another model for `words`: most receipts are announced for it, and merged."""
        renewing = self._operator.renewing
        plan = renewing.to_begin("words", model=NEW_MODEL, dimension=NEW_DIMENSION)
        renewing.begin(plan)
        again = (*self._receipts[:2], *self._receipts[3:15])  # one was deleted
        records = [record for one in again for record in word_records(one, NEW_DIMENSION)]
        with self._in_one_batch(but="words"):
            announce_batch(
                self._stack.client("dynamodb"),
                self._stack.connection.receipts_table,
                Bucket(self._stack.client("s3"), self._stack.connection.bucket),
                created_at=utc_now().isoformat(),
                models={"words": NEW_MODEL},
                words=[Record(one.id, one.embedding, one.document, one.metadata) for one in records],
            )

    def _write(self, *receipts: Receipt) -> None:
        with self._in_one_batch():
            self._producer.put_receipts(self._producer.plan_uploads(receipts))

    @contextmanager
    def _in_one_batch(self, but: str | None = None) -> Iterator[None]:
        """What is written in the block is seen together; afterwards it is merged, but for a collection that fails."""
        self._stack.poller.pause()
        try:
            yield
        finally:
            self._stack.poller.resume()
        self._settle_down(but)

    def _relabel(self, receipt: Receipt, *names: str) -> None:
        words = [label for label in receipt.labels if not receipt.word(label.line_id, label.word_id).noise]
        for old, name in zip(words, names, strict=False):
            receipt = self._producer.relabel(receipt, old, name).receipt

    def _settle_down(self, but: str | None = None) -> None:
        self._stack.poller.wait_caught_up(_PATIENCE_SECONDS)
        names = self._operator.collections.names()
        client, table = self._stack.client("dynamodb"), self._stack.connection.control_table
        wait_until(
            lambda: (
                None
                if any(ControlTable(client, table).pending(one).read() for one in names if one != but)
                else not self._stack.executions.running or None
            ),
            _PATIENCE_SECONDS,
            "the stack is still at work",
        )

    def _last(self, collection: str, status: str, outcome: str | None = None) -> str:
        found = reversed(self._stack.executions.find(collection))
        return next(one.arn for one in found if (one.status, one.outcome) == (status, outcome))


def _name(arn: str) -> str:
    return arn.rpartition(":")[2]

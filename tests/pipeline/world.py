"""What a pipeline test says: put receipts, start and stop executions, look at what was published."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import numpy as np
from receipt_chroma.delta.read import DeltaRecord
from receipt_chroma.delta.write import write_arrow_delta_to
from receipt_chroma.reader import SnapshotReader
from receipt_chroma.snapshot.pointer import Current
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Head, Pointer, parse_head
from receipt_dynamo_stream.control.pending import PendingReceipt, PendingReceipts
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.keys import ReceiptId, line_record_id, word_record_id
from receipt_dynamo_stream.runs import delta_location

from local.aws.executions import Execution
from local.stack import LocalStack

DIMENSION = 8
CREATED = "2026-01-01T00:00:00+00:00"


def vector(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(DIMENSION).astype(np.float32)


class World:
    """One emptied stack, and the words of the tests for it."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        self.names = stack.connection
        self.dynamodb, self.s3, self.sfn = (stack.client(s) for s in ("dynamodb", "s3", "stepfunctions"))
        self.control = ControlTable(self.dynamodb, self.names.control_table)
        self.inside = boto3.client("dynamodb")  # answered by moto in the calling thread, also from within an update
        self.efs = Path(self.names.efs_root or "")

    # -- producing

    def put_items(self, *items: Mapping[str, Any]) -> None:
        for item in items:
            self.dynamodb.put_item(TableName=self.names.receipts_table, Item=item)

    def put_receipt(self, receipt: ReceiptId, *, words: int = 3) -> None:
        """A receipt with one line of `words` words, and no run yet."""
        pk = {"S": receipt.pk}
        line = f"{receipt.sk}#LINE#00001"
        self.put_items(
            {"PK": pk, "SK": {"S": receipt.sk}, "TYPE": {"S": "RECEIPT"}, "timestamp_added": {"S": CREATED}},
            {"PK": pk, "SK": {"S": line}, "TYPE": {"S": "RECEIPT_LINE"}},
            *(
                {"PK": pk, "SK": {"S": f"{line}#WORD#{w:05d}"}, "TYPE": {"S": "RECEIPT_WORD"}}
                for w in range(1, words + 1)
            ),
        )

    def announce(
        self,
        receipt: ReceiptId,
        *,
        words: int = 3,
        seed: int = 1,
        body: bytes | None = None,
        created_at: str = "2026-01-01T00:00:01+00:00",
        dimension: int | None = None,
        words_model: str | None = None,
    ) -> str:
        """Upload a run's deltas (`body`: these bytes instead of a good words delta) and put its item; the run's id.

        words_model: of the words' vectors, whose dimension is the one that is given; those of lines stay as they are.
        """
        run_id = str(uuid4())
        scale = (dimension or DIMENSION) // DIMENSION
        for collection, ids in (
            ("lines", [line_record_id(receipt, 1)]),
            ("words", [word_record_id(receipt, 1, w) for w in range(1, words + 1)]),
        ):
            times = 1 if words_model and collection == "lines" else scale
            records = [
                DeltaRecord(i, np.tile(vector(seed + n), times), f"text {n}", {"seed": seed}) for n, i in enumerate(ids)
            ]
            location = delta_location(f"{collection}/delta/{run_id}/", self.names.bucket)
            if collection == "words" and body is not None:
                self.s3.put_object(Bucket=location.bucket, Key=f"{location.prefix}delta.arrow", Body=body)
            else:
                write_arrow_delta_to(Bucket(self.s3, location.bucket), location.prefix, records)
        text = {
            "PK": receipt.pk,
            "SK": f"{receipt.sk}#COMPACTION_RUN#{run_id}",
            "TYPE": "COMPACTION_RUN",
            "run_id": run_id,
            "image_id": receipt.image_id,
            "lines_delta_prefix": f"lines/delta/{run_id}/",
            "words_delta_prefix": f"words/delta/{run_id}/",
            "lines_state": "PENDING",
            "words_state": "PENDING",
            "created_at": created_at,
            **({"words_model": words_model} if words_model else {}),
        }
        numbers = {"receipt_id": receipt.receipt_id, "lines_merged_vectors": 0, "words_merged_vectors": 0}
        self.put_items({**{k: {"S": v} for k, v in text.items()}, **{k: {"N": str(v)} for k, v in numbers.items()}})
        return run_id

    def mark(self, receipt: ReceiptId, collection: str = "words") -> None:
        """Mark a receipt pending as the stream function does, without starting anything."""
        pending = ControlTable(self.inside, self.names.control_table).pending(collection)
        pending.mark({receipt: {"test"}}, now=CREATED, new_token=lambda: uuid4().hex)

    def published(self, *receipts: ReceiptId) -> None:
        """Bring receipts all the way into both collections' snapshots."""
        for receipt in receipts:
            self.put_receipt(receipt)
            self.announce(receipt)
        self.settle_down()

    # -- executions

    def start(self, collection: str = "words", **more: Any) -> str:
        """Start an execution with the least input that there is; its ARN."""
        return self.stack.executions.start_with({"collection": collection, **more})

    def run(self, collection: str = "words", **more: Any) -> Execution:
        """Start an execution and wait for its end."""
        return self.end_of(self.start(collection, **more))

    def run_arn(self, **more: Any) -> str:
        """The same; its ARN."""
        arn = self.start(**more)
        self.end_of(arn)
        return arn

    def end_of(self, arn: str) -> Execution:
        return self.stack.wait_for_execution(arn, timeout=60)

    @contextmanager
    def frozen(self, function: str, *, start: Callable[[], Any] = lambda: None, **asked: Any) -> Iterator[str]:
        """An execution of `words` whose worker in `function` is stopped by a signal while the block runs.

        A worker is quick, so it is caught by stopping every process of the function as soon as one is at work.
        """
        start()
        arn = self.start(**asked)
        caught = self.until(lambda: self.stack.workers.in_flight(function), f"a worker in {function}")
        for worker in caught:
            os.kill(worker.pid, signal.SIGSTOP)
        try:
            yield arn
        finally:
            for worker in caught:
                with suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGCONT)

    def states_of(self, arn: str) -> list[str]:
        """The names of the states that an execution entered, in order."""
        return self.stack.executions.states_entered(arn)

    def settle_down(self) -> None:
        """Until the stream is read to its end, nothing runs and nothing is pending."""
        self.stack.poller.wait_caught_up(timeout=60)
        self.until(self._quiet, "the stack to settle down")

    def _quiet(self) -> bool:
        busy = self.stack.executions.running or any(self.pending(c) for c in ("lines", "words"))
        return not busy

    @staticmethod
    def until(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
        """Poll until the condition is true; its value."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := condition():
                return value
            time.sleep(0.02)
        raise AssertionError(f"waited {seconds} s for {what}")

    # -- looking

    def head(self, collection: str = "words") -> Head:
        head = self.control.head(collection).read()
        assert head is not None
        return head

    def change_head(self, expression: str, values: Mapping[str, Any] | None = None, collection: str = "words") -> None:
        """Change HEAD by hand, as an operator or another execution would."""
        more = {"ExpressionAttributeValues": values} if values else {}
        key = {"PK": {"S": f"COLLECTION#{collection}"}, "SK": {"S": "HEAD"}}
        self.inside.update_item(TableName=self.names.control_table, Key=key, UpdateExpression=expression, **more)

    def head_item(self) -> dict[str, Any]:
        """HEAD and the VERSION rows as a backup of the control table has them, without whoever holds the lease."""
        key = {"PK": {"S": "COLLECTION#words"}, "SK": {"S": "HEAD"}}
        item: dict[str, Any] = self.inside.get_item(TableName=self.names.control_table, Key=key)["Item"]
        return {name: value for name, value in item.items() if name not in ("holder", "rerun", "waiting")}

    def put_head(self, item: Mapping[str, Any]) -> None:
        """A restored control table: HEAD as it was, and no row of a later version."""
        for row in self.control.versions("words").list():
            if row.snapshot_id > item["snapshot_id"]["S"]:
                self._forget(f"VERSION#{row.snapshot_id}")
        self.inside.put_item(TableName=self.names.control_table, Item=dict(item))

    def forget_head(self) -> None:
        """A new control table: neither HEAD nor VERSION rows."""
        for row in self.control.versions("words").list():
            self._forget(f"VERSION#{row.snapshot_id}")
        self._forget("HEAD")

    def _forget(self, sort_key: str) -> None:
        key = {"PK": {"S": "COLLECTION#words"}, "SK": {"S": sort_key}}
        self.inside.delete_item(TableName=self.names.control_table, Key=key)

    def put_current(self, current: Current) -> None:
        """CURRENT, written by hand."""
        (self.efs / "words/CURRENT").write_text(json.dumps(asdict(current)) + "\n")

    @staticmethod
    def pointer_in(item: Mapping[str, Any]) -> Pointer:
        pointer = parse_head("words", item).pointer
        assert pointer is not None
        return pointer

    def pending_of(self, collection: str) -> PendingReceipts:
        return self.control.pending(collection)

    def pending(self, collection: str = "words") -> list[PendingReceipt]:
        return self.pending_of(collection).read()

    def ids(self, collection: str = "words") -> set[str]:
        """The ids that a reader sees now."""
        with SnapshotReader(self.efs, collection) as reader:
            return {record.id for record in reader.records()}

    def run_item(self, receipt: ReceiptId, run_id: str) -> dict[str, Any]:
        key = {"PK": {"S": receipt.pk}, "SK": {"S": f"{receipt.sk}#COMPACTION_RUN#{run_id}"}}
        return dict(self.dynamodb.get_item(TableName=self.names.receipts_table, Key=key)["Item"])


def word_ids(receipt: ReceiptId, words: int = 3) -> set[str]:
    return {word_record_id(receipt, 1, w) for w in range(1, words + 1)}

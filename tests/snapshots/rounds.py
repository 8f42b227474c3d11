"""Receipts as producers write them, and the steps of a round in order, for both collections."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from receipt_chroma import DeltaRecord, download_snapshot, merge_deltas, swap_pointer, validate_shard, write_manifest
from receipt_chroma.delta.write import write_arrow_delta_to
from receipt_chroma.folding import ALWAYS, FoldBound
from receipt_chroma.snapshot.stored_pointer import swap_stored_pointer
from receipt_chroma.stage import Attempt
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Pointer, head_key, snapshot_id_of
from receipt_dynamo_stream.control.pending import PendingReceipt, PendingReceipts
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.keys import ReceiptId, line_record_id, word_record_id
from receipt_dynamo_stream.read_facts import read_many_facts
from receipt_dynamo_stream.round.plan import Plan, PlannedReceipt
from receipt_dynamo_stream.round.report import ShardReport
from receipt_dynamo_stream.round.settle import settle_changes
from receipt_dynamo_stream.sharding import shard_of

from local.demo.exporting import export_current
from local.demo.naive.model import check_collection, expect
from local.demo.naive.table import scan_receipts

COLLECTIONS = ("lines", "words")
DIMENSION = 4
KEYS: dict[str, Any] = {
    "KeySchema": [{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK")],
    "BillingMode": "PAY_PER_REQUEST",
}


def vector(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(DIMENSION).astype(np.float32)


@dataclass
class Rounds:
    """One empty deployment; every write of a receipt marks it pending in both collections."""

    dynamodb: Any
    s3: Any
    bucket: str
    folder: Path
    shards: int
    pointers: dict[str, Pointer] = field(default_factory=dict)
    planned: dict[str, Plan] = field(default_factory=dict)
    bound: FoldBound = ALWAYS
    shards_now: dict[str, int] = field(default_factory=dict)
    _numbers: Iterable[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def efs(self) -> Path:
        return self.folder / "efs"

    @property
    def receipts_table(self) -> str:
        return f"{self.bucket}-receipts"

    @property
    def control(self) -> ControlTable:
        """The control table as the package has it."""
        return ControlTable(self.dynamodb, self.control_table)

    @property
    def control_table(self) -> str:
        return f"{self.bucket}-control"

    # -- producing

    def put(self, receipt: ReceiptId, below: str, kind: str, **texts: str) -> None:
        """Write one item below a receipt ("" is the receipt's own) and mark the receipt."""
        item = {"PK": receipt.pk, "SK": receipt.sk + below, "TYPE": kind, **texts}
        self.dynamodb.put_item(TableName=self.receipts_table, Item={key: {"S": text} for key, text in item.items()})
        self.mark(receipt)

    def remove(self, receipt: ReceiptId, below: str) -> None:
        key = {"PK": {"S": receipt.pk}, "SK": {"S": receipt.sk + below}}
        self.dynamodb.delete_item(TableName=self.receipts_table, Key=key)
        self.mark(receipt)

    def create(self, receipt: ReceiptId, words: Iterable[tuple[int, int]]) -> None:
        self.put(receipt, "", "RECEIPT", timestamp_added=self.time())
        for line, word in words:
            self.put(receipt, f"#LINE#{line:05d}", "RECEIPT_LINE")
            self.put(receipt, f"#LINE#{line:05d}#WORD#{word:05d}", "RECEIPT_WORD")

    def delete(self, receipt: ReceiptId) -> None:
        """The receipt and everything below it, its runs too."""
        found = self.dynamodb.query(
            TableName=self.receipts_table,
            KeyConditionExpression="PK = :pk",
            ExpressionAttributeValues={":pk": {"S": receipt.pk}},
        )
        for sort_key in (item["SK"]["S"] for item in found["Items"]):
            if sort_key == receipt.sk or sort_key.startswith(f"{receipt.sk}#"):
                self.remove(receipt, sort_key.removeprefix(receipt.sk))

    def announce(
        self, receipt: ReceiptId, words: Iterable[tuple[int, int]], *, seed: int, days: int = 0, document: str = ""
    ) -> None:
        """Upload both deltas of a run and announce it, with a time that may be earlier than now."""
        run_id = f"run-{next(self._numbers):04d}"
        ids = {
            "words": [word_record_id(receipt, line, word) for line, word in words],
            "lines": [line_record_id(receipt, line) for line in sorted({line for line, _ in words})],
        }
        for collection, names in ids.items():
            records = [
                DeltaRecord(name, vector(seed + n), document or f"text {seed}", {"seed": seed})
                for n, name in enumerate(names)
            ]
            write_arrow_delta_to(Bucket(self.s3, self.bucket), f"{collection}/delta/{run_id}/", records)
        prefixes = {f"{one}_delta_prefix": f"{one}/delta/{run_id}/" for one in COLLECTIONS}
        states = {f"{one}_state": "PENDING" for one in COLLECTIONS}
        created = {"run_id": run_id, "created_at": self.time(days)}
        self.put(receipt, f"#COMPACTION_RUN#{run_id}", "COMPACTION_RUN", **prefixes, **states, **created)

    def mark(self, receipt: ReceiptId) -> None:
        for collection in COLLECTIONS:
            failed = self.pending(collection).mark(
                {receipt: {"test"}}, now=self.time(), new_token=lambda: f"token-{next(self._numbers)}"
            )
            assert not failed

    def time(self, days: int = 0) -> str:
        """A time later than all before it."""
        moment = datetime(2026, 1, 20, tzinfo=UTC) + timedelta(minutes=next(self._numbers), days=days)
        return moment.isoformat()

    # -- compacting

    def pending(self, collection: str) -> PendingReceipts:
        return self.control.pending(collection)

    def plan(self, collection: str, receipts: int) -> None:
        """PlanCompaction: tokens first, then the facts; a plan that was not merged is lost."""
        chosen = self.pending(collection).read()[:receipts]
        facts = read_many_facts(
            self.dynamodb, self.receipts_table, [one.receipt for one in chosen], collection, workers=2
        )
        fence, base = next(self._numbers), self.pointers.get(collection)
        shards = self.shards_now.get(collection, self.shards)
        self.planned[collection] = Plan(
            collection=collection,
            execution=f"execution-{fence}",
            execution_arn="arn:aws:states:execution",
            trigger="stream",
            round=1,
            fence=fence,
            base=base,
            snapshot_id=snapshot_id_of(base.version + 1 if base else 1, fence, 1),
            shards=shards,
            planned_at=self.time(),
            receipts=tuple(self._planned(one, facts[one.receipt], shards) for one in chosen),
        )

    def _planned(self, one: PendingReceipt, facts: Any, shards: int) -> PlannedReceipt:
        shard = shard_of(one.receipt.image_id, one.receipt.receipt_id, shards)
        return PlannedReceipt(shard, one.change, one.attempts, one.first_changed_at, facts)

    def merge(self, collection: str) -> bool:
        """Everything after the plan, to SettleChanges; True when a version came of it."""
        plan = self.planned.pop(collection, None)
        if plan is None or not plan.receipts:
            return False
        here: dict[str, Any] = {"bucket": Bucket(self.s3, self.bucket), "efs_root": self.efs}
        work = {"workdir": self.folder / "work"}
        reports = [
            merge_deltas(
                plan=plan,
                plan_key=plan.plan_key("a"),
                attempt=Attempt.of(plan, shard, "a"),
                bound=self.bound,
                **here,
                **work,
            )
            for shard in plan.touched_shards()
        ]
        self.reported(reports)
        pointer = None
        if any(report.changed for report in reports):
            for report in reports:
                validate_shard(plan=plan, report=report, **here, **work)
            pointer, manifest = write_manifest(plan=plan, reports=reports, **here)
            download_snapshot(Bucket(self.s3, self.bucket), self.efs, collection, manifest)
            self._commit(collection, plan.fence, pointer)
            assert swap_pointer(self.efs, collection, pointer)
            assert swap_stored_pointer(Bucket(self.s3, self.bucket), collection, pointer)
        settle_changes(
            self.control,
            receipts_table=self.receipts_table,
            plan=plan,
            reports=reports,
            pointer=pointer,
            now=self.time(),
        )
        return pointer is not None

    def reported(self, reports: Sequence[ShardReport]) -> None:
        """What the merge said; nobody keeps it here."""

    def merge_all(self) -> None:
        for collection in COLLECTIONS:
            while self.pending(collection).read():
                self.plan(collection, 100)
                self.merge(collection)

    def _commit(self, collection: str, fence: int, pointer: Pointer) -> None:
        self.pointers[collection] = pointer
        item = {
            **head_key(collection),
            **{key: {"S": text} for key, text in pointer.to_json().items() if key != "version"},
            "version": {"N": str(pointer.version)},
            "fence": {"N": str(fence)},
        }
        self.dynamodb.put_item(TableName=self.control_table, Item=item)

    # -- looking

    def differences(self, collection: str) -> list[str]:
        """The published snapshot against the naive model, which reads table, deltas and files by itself."""
        receipts = scan_receipts(self.dynamodb, self.receipts_table)
        asked: dict[str, Any] = {"bucket": self.bucket, "collection": collection, "dimension": DIMENSION}
        if collection not in self.pointers:  # nothing was ever published, so nothing may be wanted
            return sorted(expect(receipts, self.s3, **asked).records)
        exported = self.folder / f"export-{next(self._numbers)}"
        export_current(self.efs, collection, exported)
        return list(check_collection(receipts, self.s3, efs=self.efs, exported=exported, **asked).differences)

"""A producer of receipts, as the systems around the receipts table are: it writes items and deltas, and that is all."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local.demo.samples.attributes import Item
from local.demo.samples.catalog import Merchant
from local.demo.samples.delta_files import DeltaKind, delta_files
from local.demo.samples.entities import label_item, metadata_item, place_item, receipt_items, run_item
from local.demo.samples.model import Label, Receipt
from local.demo.samples.receipts import draw_uuid, metadata_attributes, place_attributes
from local.demo.samples.table_writes import delete_keys, keys_of_receipt, write_batches

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

COLLECTIONS = ("lines", "words")


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Written:
    """One thing a producer did: the receipt as it is now, its new run if any, and when the last write returned.

    `finished` is in seconds of the producer's monotonic clock.
    """

    receipt: Receipt
    run_id: str | None
    finished: float


@dataclass(frozen=True)
class Upload:
    """How a receipt is to be written. `run_first`: the run is announced before the items it is about are there."""

    receipt: Receipt
    run_id: str
    kind: DeltaKind = "arrow"
    run_first: bool = False


@dataclass(frozen=True)
class Producer:
    """Writes to the receipts table and to the bucket of deltas; safe to use from several threads but for `rng`."""

    dynamodb: DynamoDBClient
    s3: S3Client
    table: str
    bucket: str
    dimension: int
    rng: random.Random
    now: Callable[[], datetime] = utc_now
    monotonic: Callable[[], float] = time.monotonic

    def plan_uploads(self, receipts: Sequence[Receipt]) -> list[Upload]:
        """Decide how to write these: a fourth as Chroma tars, some as loose files, a fifth with the run first."""
        return [
            Upload(receipt, draw_uuid(self.rng), _kind(index), run_first=index % 5 == 1)
            for index, receipt in enumerate(receipts)
        ]

    def put_receipts(self, uploads: Sequence[Upload], workers: int = 8) -> list[Written]:
        """Write several receipts at once, each as `put_receipt` does; in the order given."""
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(self.put_receipt, uploads))

    def put_receipt(self, upload: Upload) -> Written:
        """Write a receipt's delta, items and run. Its word items come last when the run comes first."""
        receipt = upload.receipt
        prefixes = self._upload_delta(receipt, upload.run_id, upload.kind)
        run = run_item(receipt, upload.run_id, prefixes, self.now())
        items = receipt_items(receipt)
        for batch in ([run], items) if upload.run_first else (items, [run]):
            self._put(batch)
        return Written(receipt, upload.run_id, self.monotonic())

    def announce(self, receipt: Receipt, kind: DeltaKind = "arrow") -> Written:
        """Embed a receipt that is already there once more: a new delta and its run. The corrupt kinds are for tests."""
        run_id = draw_uuid(self.rng)
        self._put([run_item(receipt, run_id, self._upload_delta(receipt, run_id, kind), self.now())])
        return Written(receipt, run_id, self.monotonic())

    def relabel(self, receipt: Receipt, old: Label, name: str, status: str = "VALID") -> Written:
        """Give a word another label. The name is part of the key, so one item goes and another comes, in one batch."""
        new = replace(old, label=name, status=status, proposed_by="user", timestamp_added=self.now())
        going = label_item(receipt, old)
        requests = [{"DeleteRequest": {"Key": {"PK": going["PK"], "SK": going["SK"]}}}]
        self._write([*requests, {"PutRequest": {"Item": label_item(receipt, new)}}])
        kept = tuple(new if label == old else label for label in receipt.labels)
        return Written(replace(receipt, labels=kept), None, self.monotonic())

    def change_merchant(self, receipt: Receipt, merchant: Merchant) -> Written:
        """Say that a receipt is of another shop, in the place item that it has; PLACE if it has none."""
        if receipt.place is None and receipt.metadata is not None:
            changed = replace(receipt, metadata=metadata_attributes(merchant, self.rng))
            self._put([metadata_item(receipt, changed.metadata or {})])
        else:
            changed = replace(receipt, place=place_attributes(merchant))
            self._put([place_item(receipt, changed.place or {})])
        return Written(changed, None, self.monotonic())

    def delete_receipt(self, receipt: Receipt, *, keep_runs: bool = False) -> Written:
        """Delete all items of a receipt; with `keep_runs` as careless producers do, who forget the runs."""
        keys = keys_of_receipt(self.dynamodb, self.table, receipt)
        gone = [key for key in keys if not (keep_runs and "#COMPACTION_RUN#" in key["SK"]["S"])]
        delete_keys(self.dynamodb, self.table, gone)
        return Written(receipt, None, self.monotonic())

    def recreate(self, old: Receipt, new: Receipt) -> Written:
        """Delete a receipt and put another one under its ids at once. The old runs stay, and must not count again."""
        again = replace(new, image_id=old.image_id, receipt_id=old.receipt_id, added_at=self.now())
        self.delete_receipt(old, keep_runs=True)
        return self.put_receipt(Upload(again, draw_uuid(self.rng)))

    def _upload_delta(self, receipt: Receipt, run_id: str, kind: DeltaKind) -> dict[str, str]:
        prefixes = {collection: f"{collection}/delta/{run_id}/" for collection in COLLECTIONS}
        for collection, prefix in prefixes.items():
            for name, content in delta_files(receipt, collection, self.dimension, kind).items():
                self.s3.put_object(Bucket=self.bucket, Key=f"{prefix}{name}", Body=content)
        return prefixes

    def _put(self, items: Iterable[Item]) -> None:
        self._write([{"PutRequest": {"Item": item}} for item in items])

    def _write(self, requests: Sequence[dict[str, Any]]) -> None:
        write_batches(self.dynamodb, self.table, requests)


def _kind(index: int) -> DeltaKind:
    if index % 4 == 2:
        return "tar"
    return "loose" if index % 16 == 5 else "arrow"

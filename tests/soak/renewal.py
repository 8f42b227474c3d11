"""A second generation of words, of another embedding model: what a producer of its runs does, and what it must hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from receipt_dynamo_stream.generations import collection_of

from local.demo.naive.table import TableReceipt
from local.demo.samples.attributes import Item
from local.demo.samples.delta_files import DeltaKind, delta_files
from local.demo.samples.model import Receipt
from local.demo.samples.producer import COLLECTIONS, Producer
from operate.stack import Stack

WORDS, BESIDE = "words", "words-2"
MODEL, MORE_DIMENSIONS = "a later model", 24


class LaterProducer(Producer):
    """Its words are embedded by the later model, its lines as ever."""

    def _upload_delta(self, receipt: Receipt, run_id: str, kind: DeltaKind) -> dict[str, str]:
        prefixes = {collection: f"{collection}/delta/{run_id}/" for collection in COLLECTIONS}
        for collection, prefix in prefixes.items():
            dimension = MORE_DIMENSIONS if collection == WORDS else self.dimension
            for name, content in delta_files(receipt, collection, dimension, kind).items():
                self.s3.put_object(Bucket=self.bucket, Key=f"{prefix}{name}", Body=content)
        return prefixes

    def _put(self, items: Iterable[Item]) -> None:
        super()._put(
            [{**one, f"{WORDS}_model": {"S": MODEL}} if one["TYPE"]["S"] == "COMPACTION_RUN" else one for one in items]
        )


def begin(stack: Stack) -> None:
    """`compaction renew words --model … --dimension …`, whose runs a producer announces from then on."""
    stack.renewing.begin(stack.renewing.to_begin(WORDS, model=MODEL, dimension=MORE_DIMENSIONS))


def receipts_of(receipts: Sequence[TableReceipt], generation: str) -> list[TableReceipt]:
    """With those of their runs that belong into it: a run's words are of one model, its lines of none."""
    if collection_of(generation) != WORDS:
        return list(receipts)
    model = MODEL if generation == BESIDE else None
    return [
        replace(one, runs={name: run for name, run in one.runs.items() if run.get(f"{WORDS}_model") == model})
        for one in receipts
    ]

"""A collection changes its embedding model under traffic, on the local stack: `make bench-campaign`.

805 receipts of 87 words in 1,536 dimensions are published, then embedded again in 3,072 while a writer labels a word of
a receipt each second and readers ask without pause. Then the switch, and the way back. Every hit is held against the
space that the reader said it answers from: a record says in its metadata which model made its vector.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from freshness_stack import Producer
from merge_data import COLLECTION
from publish_data import FIRST_NEW
from receipt_chroma import SnapshotReader, write_arrow_delta_to
from receipt_chroma.errors import WrongModel
from receipt_chroma.records import Record, Vector
from receipt_dynamo_stream.attributes import string
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.keys import ReceiptId, word_record_id
from receipt_dynamo_stream.reconcile import reconcile

from local.settings import StackSettings
from local.stack import LocalStack

RECEIPTS, WORDS, OLD, NEW = 805, 87, 1_536, 3_072
MODEL, RENEWED = "model-b", f"{COLLECTION}-2"
DIMENSION_OF: Final = {"": OLD, MODEL: NEW}
READERS: Final = 2
PATIENCE: Final = 1_800.0


def vector(seed: int, dimension: int) -> Vector:
    """One of 2,000 directions with noise of half its length, of length 1."""
    direction = np.random.default_rng(seed % 2_000).standard_normal(dimension)
    noise = np.random.default_rng(10**6 + seed).standard_normal(dimension)
    values = direction + noise / 2
    return np.asarray(values / np.linalg.norm(values), np.float32)


def receipt_of(number: int) -> ReceiptId:
    return ReceiptId(f"{FIRST_NEW + number:08x}-2fad-4e00-92c8-b593da3a8ed3", 1)


@dataclass
class Answers:
    """What the readers were told. mixed: hits of another space than was asked in; renewed: questions that a switch
    crossed, refused by name and asked again."""

    asked: Counter[str] = field(default_factory=Counter)
    mixed: int = 0
    renewed: int = 0
    errors: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


class Questions:
    """Readers that ask without pause, each in a thread of its own, and refresh before every question."""

    def __init__(self, efs: Path, cache: Path) -> None:
        self.answers = Answers()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._ask, args=(efs, cache, one), daemon=True) for one in range(READERS)
        ]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, efs: Path, cache: Path, which: int) -> None:
        rng = np.random.default_rng(which)
        with SnapshotReader(efs, COLLECTION, cache_dir=cache) as reader:
            while not self._ended.is_set():
                try:
                    reader.refresh()
                    model = reader.model
                    asked = vector(int(rng.integers(RECEIPTS * WORDS)), DIMENSION_OF[model])
                    begun = time.perf_counter()
                    hits = reader.nearest(asked, 10, model=model)
                    self._count(model, [hit.metadata["space"] for hit in hits], time.perf_counter() - begun)
                except WrongModel:
                    self.answers.renewed += 1
                except Exception as error:  # noqa: BLE001 (whatever it is, it is counted and printed)
                    self.answers.errors.append(f"{type(error).__name__}: {error}")

    def _count(self, model: str, spaces: list[Any], seconds: float) -> None:
        with self._lock:
            self.answers.asked[model] += 1
            self.answers.mixed += sum(space != (model or "first") for space in spaces)
            self.answers.seconds.append(seconds)


class Writer:
    """Labels a word of a receipt each second, until it is ended."""

    def __init__(self, stack: LocalStack, receipts: int) -> None:
        self.edits = 0
        self._dynamodb, self._table = stack.client("dynamodb"), stack.connection.receipts_table
        self._receipts = receipts
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _write(self) -> None:
        while not self._ended.wait(1.0):
            receipt = receipt_of(self.edits % self._receipts)
            label = f"{receipt.sk}#LINE#00001#WORD#00001#LABEL#EDIT_{self.edits}"
            item = {"PK": string(receipt.pk), "SK": string(label), "TYPE": string("RECEIPT_WORD_LABEL")}
            status = {"validation_status": string("VALID"), "label": string(f"EDIT_{self.edits}")}
            self._dynamodb.put_item(TableName=self._table, Item={**item, **status})
            self.edits += 1


class Campaign:
    """The steps, each with the seconds that it takes."""

    def __init__(self, stack: LocalStack, receipts: int) -> None:
        self.stack, self.receipts = stack, receipts
        self.control = ControlTable(stack.client("dynamodb"), stack.connection.control_table)
        self._bucket = Bucket(stack.client("s3"), stack.connection.bucket)

    def publish(self) -> None:
        """The first generation, through the machine; the producer's own records are replaced by ones with a space."""
        producer = Producer(self.stack)
        for number in range(self.receipts):
            producer.prepare()
            self._announce(number, "", OLD)
        self._settled(COLLECTION)

    def renew(self) -> None:
        """A second generation, and a run of the new model for every receipt, in one burst."""
        self.control.generations(COLLECTION).begin(
            model=MODEL, dimension=NEW, shards=1, now="2026-07-28T12:00:00+00:00"
        )
        reconcile(
            [self.control.pending(RENEWED)],
            receipts_table=self.stack.connection.receipts_table,
            now="2026-07-28T12:00:00+00:00",
            new_token=iter(map(str, range(10**9))).__next__,
        )
        for number in range(self.receipts):
            self._announce(number, MODEL, NEW)
        self._settled(RENEWED)

    def switch(self, generation: str, reader: SnapshotReader) -> tuple[float, float]:
        """Switch, and the seconds of the execution, and of the first refresh after it, which has to see it."""
        begun = time.perf_counter()
        asked = {"collection": COLLECTION, "mode": "switch", "generation": generation}
        done = self.stack.wait_for_execution(self.stack.executions.start_with(asked), timeout=PATIENCE)
        if done.outcome != "switched":
            raise RuntimeError(f"the switch to {generation} ended as {done.outcome or done.error}")
        switched = time.perf_counter()
        reader.refresh()
        if reader.generation != generation:
            raise RuntimeError(f"one refresh after the switch {reader.generation} is served")
        return switched - begun, time.perf_counter() - switched

    def _announce(self, number: int, model: str, dimension: int) -> None:
        receipt, name = receipt_of(number), f"{FIRST_NEW + number:08x}-{model or 'first'}"
        records = [
            Record(
                word_record_id(receipt, 1 + word // 10, 1 + word % 10),
                vector(number * WORDS + word, dimension),
                f"word {word}",
                {"space": model or "first"},
            )
            for word in range(WORDS)
        ]
        prefixes = {"words": f"words/delta/{name}/", "lines": f"lines/delta/{name}/"}
        write_arrow_delta_to(self._bucket, prefixes["words"], records)
        write_arrow_delta_to(self._bucket, prefixes["lines"], [])
        item = {
            "PK": string(receipt.pk),
            "SK": string(f"{receipt.sk}#COMPACTION_RUN#{name}"),
            "TYPE": string("COMPACTION_RUN"),
            "created_at": string("2026-07-28T12:00:00+00:00"),
            **{f"{collection}_delta_prefix": string(prefix) for collection, prefix in prefixes.items()},
            **({"words_model": string(model)} if model else {}),
        }
        self.stack.client("dynamodb").put_item(TableName=self.stack.connection.receipts_table, Item=item)

    def _settled(self, collection: str) -> None:
        self.stack.poller.wait_caught_up(timeout=PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while self._records(collection) < self.receipts * WORDS:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{collection} has {self._records(collection)} records after {PATIENCE:g} s")
            time.sleep(0.2)

    def _records(self, collection: str) -> int:
        head = self.control.head(collection).read()
        rows = self.control.versions(collection)
        row = rows.read(head.pointer.snapshot_id) if head and head.pointer else None
        return row.records if row and head and head.projected_version == head.version else 0


def main() -> int:
    """Print the table; the exit code says whether every bound holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--receipts", type=int, default=RECEIPTS, help="how many receipts of 87 words (805)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-campaign-") as name:
        folder = Path(name)
        with LocalStack(folder / "stack", StackSettings(schedule_seconds=None)) as stack:
            campaign = Campaign(stack, options.receipts)
            begun = time.perf_counter()
            campaign.publish()
            published = time.perf_counter() - begun
            questions, writer = Questions(stack.efs, folder / "cache"), Writer(stack, options.receipts)
            with SnapshotReader(stack.efs, COLLECTION, cache_dir=folder / "cache") as reader:
                begun = time.perf_counter()
                campaign.renew()
                renewed, load = time.perf_counter() - begun, os.getloadavg()[0]
                there, seen = campaign.switch(RENEWED, reader)
                time.sleep(10)
                back, seen_back = campaign.switch(COLLECTION, reader)
                time.sleep(10)
            writer.end()
            questions.end()
            answers = questions.answers
            versions = {one: campaign.control.head(one).read() for one in (COLLECTION, RENEWED)}
    print("| what | |\n|---|--:|")
    for what, value in (
        (f"first generation published, {options.receipts} receipts at once", f"{published:.0f} s"),
        (f"embedded again in {NEW:,} dimensions, merged beside readers and the writer", f"{renewed:.0f} s"),
        ("edits meanwhile, one a second", f"{writer.edits}"),
        ("versions of both", ", ".join(f"{one} {head.version if head else 0}" for one, head in versions.items())),
        ("questions answered, of either model", ", ".join(f"{m or 'first'} {n:,}" for m, n in answers.asked.items())),
        ("a question, p50 and p99", "{:.1f} and {:.1f} ms".format(*np.percentile(answers.seconds, [50, 99]) * 1e3)),
        ("switch, and the refresh that sees it", f"{there:.2f} s, {seen:.2f} s"),
        ("back, and the refresh that sees it", f"{back:.2f} s, {seen_back:.2f} s"),
        ("questions that a switch crossed: refused, and asked again", f"{answers.renewed}"),
        ("answers of another space", f"{answers.mixed}"),
        ("errors", f"{len(answers.errors)}"),
    ):
        print(f"| {what} | {value} |")
    print(f"load of this machine {load:.1f} on {os.cpu_count()} cores")
    print("\n".join(sorted(set(answers.errors))[:5]))
    return int(bool(answers.mixed or answers.errors))


if __name__ == "__main__":
    sys.exit(main())

"""The ground of the publication benchmark: a published base of receipts with 87 words each, and what changes in it.

A base is built once and stays in its folder; a measurement works in a copy of hard links, in which everything that
exists already keeps its bytes (whatever is published is immutable, and CURRENT is replaced by a rename).
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from folder_s3 import FolderS3
from merge_data import COLLECTION, Sizes, delta_of, facts_of, plan_of
from receipt_chroma import download_snapshot, load_manifest, swap_pointer, write_arrow_delta_to
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.facts import ReceiptFacts
from receipt_dynamo_stream.round.plan import Plan
from receipt_dynamo_stream.sharding import shard_of

BUCKET: Final = "bucket"
WORDS: Final = 87
SIZES: Final = Sizes(0)
"""Structured vectors; the number is for merge_data's own cases."""
FIRST_NEW: Final = 1_000_000
"""Number of the first receipt that no base has."""


@dataclass(frozen=True)
class Scale:
    """Receipts of the bases, fresh records of the queries, and how often something is done."""

    receipts: int = 805
    small: int = 230
    large: int = 2_299
    fresh: tuple[int, int] = (2_000, 10_000)
    many: int = 1_000
    queries: int = 200
    shards: int = 16
    least_bound: int = 2_000
    most_bound: int = 30_000


QUICK: Final = Scale(
    receipts=12, small=4, large=24, fresh=(100, 300), many=12, queries=20, shards=2, least_bound=400, most_bound=400
)


@dataclass
class Ground:
    """A folder with an EFS folder and a bucket, and what HEAD would say."""

    folder: Path
    shards: int = 1

    @property
    def bucket(self) -> Bucket:
        """The folder that stands in for S3."""
        s3: Any = FolderS3(self.folder / "s3")
        return Bucket(s3, BUCKET)

    @property
    def efs(self) -> Path:
        """The file system that stands in for EFS."""
        return self.folder / "efs"

    @property
    def pointer(self) -> Pointer | None:
        """What HEAD says."""
        path = self.folder / "pointer.json"
        return Pointer.from_json(json.loads(path.read_text())) if path.exists() else None

    def commit(self, pointer: Pointer) -> None:
        """CommitSnapshot: an item of a table, so no file of EFS or S3."""
        (self.folder / "pointer.partial").write_text(json.dumps(pointer.to_json()))
        (self.folder / "pointer.partial").replace(self.folder / "pointer.json")

    def places(self) -> dict[str, Any]:
        """Where the steps read and write."""
        return {"bucket": self.bucket, "efs_root": self.efs, "workdir": self.folder / "work"}

    def plan(self, facts: Sequence[ReceiptFacts]) -> Plan:
        """The plan of a new execution over what is published."""
        pointer = self.pointer
        plan = plan_of(facts, pointer, pointer.version + 1 if pointer else 1)
        planned = tuple(
            replace(one, shard=shard_of(one.facts.receipt.image_id, one.facts.receipt.receipt_id, self.shards))
            for one in plan.receipts
        )
        return replace(plan, shards=self.shards, receipts=planned)

    def upload(self, facts: Sequence[ReceiptFacts]) -> None:
        """What a producer does before: the delta of each run."""
        for one in facts:
            for number, run in enumerate(one.runs, 1):
                records = delta_of(SIZES, replace(one, runs=one.runs[:number]))
                write_arrow_delta_to(self.bucket, run.delta_prefix, records)


def base_facts(receipts: int) -> list[ReceiptFacts]:
    """The receipts of a base."""
    return [facts_of(number, WORDS) for number in range(receipts)]


def new_facts(count: int, first: int = 0) -> list[ReceiptFacts]:
    """Receipts that no base has."""
    return [facts_of(FIRST_NEW + first + number, WORDS) for number in range(count)]


def changes() -> dict[str, list[ReceiptFacts]]:
    """What is published beside the base, one at a time."""
    gone = replace(facts_of(1, WORDS), exists=False, lines=frozenset(), words=frozenset(), place=None)
    return {
        "new": new_facts(1),
        "edited": [facts_of(0, WORDS, merchant="Market Hall")],
        "deleted": [gone],
        "embedded again": [facts_of(2, WORDS, runs=2)],
    }


def build(folder: Path, receipts: int, shards: int) -> None:
    """Publish a base; one copy of its files serves as both EFS's and S3's, and its deltas are deleted."""
    from publish_steps import build_base

    folder.mkdir(parents=True)
    ground = Ground(folder, shards)
    facts = base_facts(receipts)
    ground.upload(facts)
    pointer = build_base(ground, facts)
    ground.commit(pointer)
    manifest = load_manifest(ground.bucket, pointer)
    download_snapshot(ground.bucket, ground.efs, COLLECTION, manifest)
    swap_pointer(ground.efs, COLLECTION, pointer)
    shutil.rmtree(folder / "s3" / BUCKET / COLLECTION)
    for path in (ground.efs / COLLECTION).rglob("*"):
        copy = folder / "s3" / BUCKET / "snapshots" / COLLECTION / path.relative_to(ground.efs / COLLECTION)
        if copy.is_file():
            copy.unlink()
            os.link(path, copy)


@contextmanager
def copy_of(ground: Ground) -> Iterator[Ground]:
    """The same ground to work in: hard links, removed in the end."""
    parent = ground.folder.parent
    with tempfile.TemporaryDirectory(dir=parent, prefix=f"{ground.folder.name}-") as name:
        copy = Path(name) / "ground"
        shutil.copytree(ground.folder, copy, copy_function=os.link)
        yield Ground(copy, ground.shards)

"""One measurement of the merge benchmark, in a process of its own: prints JSON.

    python benchmarks/merge_measure.py prepare|ours|naive FOLDER RECORDS VECTORS [CASE]

prepare makes the base and all deltas; ours and naive merge one case. VECTORS is structured or unstructured.

Ours is merge_deltas and then validate_shard. Naive is what one writes first: per delta unpack the Chroma tar.gz, get
its rows, upsert them 250 at a time into the snapshot's directory, in place; it stages, uploads, hashes and validates
nothing, and may leave its last vectors in Chroma's queue.
"""

from __future__ import annotations

import io
import json
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chromadb
import pyarrow  # loaded before anything is measured
import pyarrow.ipc  # noqa: F401
from chromadb.config import Settings
from folder_s3 import FolderS3
from measured import measured
from merge_data import (
    COLLECTION,
    Sizes,
    added_facts,
    base_facts,
    chroma_tar,
    delta_of,
    plan_of,
    relabelled_facts,
    replaced_facts,
    upsert,
    whole_records,
)
from receipt_chroma import load_manifest, merge_deltas, validate_shard, write_arrow_delta_to, write_manifest
from receipt_chroma.digests import add_digests
from receipt_chroma.records import Record, record_hash
from receipt_chroma.shard.chroma_dir import ChromaDir, batches
from receipt_chroma.stage import Attempt
from receipt_chroma.storage.files import sha256_file
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.facts import ReceiptFacts

BUCKET = "bucket"
NAIVE_BATCH = 250
CASES = ("added", "added-in-10", "replaced", "metadata")


@dataclass
class Ground:
    """The folder of a benchmark: a bucket, an EFS folder, and the naive snapshot's directory."""

    folder: Path
    sizes: Sizes

    @property
    def s3(self) -> Any:
        """S3's stand-in."""
        return FolderS3(self.folder / "s3")

    @property
    def pointer(self) -> Pointer:
        """What HEAD would say."""
        return Pointer.from_json(json.loads((self.folder / "pointer.json").read_text()))

    @property
    def bucket(self) -> Bucket:
        """The folder that stands in for S3, as merge and validation have it."""
        return Bucket(self.s3, BUCKET)

    def places(self) -> dict[str, Any]:
        """Where merge and validation read and write."""
        return {"bucket": self.bucket, "efs_root": self.folder / "efs", "workdir": self.folder / "work"}

    def facts(self, case: str) -> list[ReceiptFacts]:
        """The planned receipts of a case."""
        if case == "added":
            return added_facts(self.sizes, 100)
        if case == "added-in-10":
            return added_facts(self.sizes, 10)
        return replaced_facts(self.sizes) if case == "replaced" else relabelled_facts(self.sizes)


def prepare(ground: Ground) -> None:
    """Publish the base with this package, copy it for naive with Chroma's own settings, and upload all deltas."""
    facts = base_facts(ground.sizes)
    for one in facts:
        write_arrow_delta_to(ground.bucket, one.runs[0].delta_prefix, delta_of(ground.sizes, one))
    for case in ("added", "added-in-10", "replaced"):
        for one in ground.facts(case):
            prefix = one.runs[-1].delta_prefix
            write_arrow_delta_to(ground.bucket, prefix, delta_of(ground.sizes, one))
            tar = chroma_tar(whole_records(ground.sizes, one))
            ground.s3.put_object(Bucket=BUCKET, Key=f"{prefix}delta.tar.gz", Body=tar)
    plan = plan_of(facts, None, 1)
    report = merge_deltas(plan=plan, plan_key="plan", attempt=Attempt.of(plan, 0, "base"), **ground.places())
    pointer, manifest = write_manifest(
        plan=plan, reports=[report], bucket=ground.bucket, efs_root=ground.folder / "efs"
    )
    (ground.folder / "pointer.json").write_text(json.dumps(pointer.to_json()))
    naive = ground.folder / "naive"
    shutil.copytree(ground.folder / "efs" / COLLECTION / str(manifest.shards[0].path), naive)
    with closing(_client(naive)) as client:  # 1,000 is what a directory has that nobody configured
        client.get_collection(COLLECTION, embedding_function=None).modify(
            configuration={"hnsw": {"sync_threshold": 1000}}
        )


def ours(ground: Ground, case: str) -> dict[str, Any]:
    """Merge and validate a case."""
    plan = plan_of(ground.facts(case), ground.pointer, 2)
    with tempfile.TemporaryDirectory(dir=ground.folder) as private:
        attempt = Path(private).name
        with measured() as merge:
            report = merge_deltas(plan=plan, plan_key="plan", attempt=Attempt.of(plan, 0, attempt), **ground.places())
        assert report.staged is not None
        staged = ground.folder / "efs" / COLLECTION / report.staged.path
        base = load_manifest(ground.bucket, ground.pointer).shards[0]
        with measured() as hashing:
            for folder, files in (
                (staged, report.staged.files),
                (staged.parents[4] / str(base.path), base.files),
            ):
                for file in files:
                    sha256_file(folder / file.name)
        with measured() as validation:
            proof = validate_shard(plan=plan, report=report, **ground.places())
    shutil.rmtree(staged)
    shutil.rmtree(next((ground.folder / "s3" / BUCKET).glob(f"snapshots/*/shards/0000/{report.staged.shard_version}")))
    return {
        "cost": vars(merge),
        "validation": vars(validation),
        "hashing": vars(hashing),
        "steps": {**report.seconds, **{f"validate {name}": time for name, time in proof.seconds.items()}},
        "digest": report.staged.digest,
        "files": sum(file.size for file in report.staged.files),
    }


def naive(ground: Ground, case: str) -> dict[str, Any]:
    """The same case by upserts into a copy of the base."""
    facts = ground.facts(case)
    with tempfile.TemporaryDirectory(dir=ground.folder) as private:
        snapshot = shutil.copytree(ground.folder / "naive", Path(private) / "snapshot")
        with measured() as cost, closing(_client(snapshot)) as client:
            collection = client.get_collection(COLLECTION, embedding_function=None)
            for one in facts:
                rows = (
                    _rows(collection, ground.sizes, one)
                    if case == "metadata"
                    else _unpacked(ground.s3, one, Path(private))
                )
                for batch in batches(rows, NAIVE_BATCH):
                    upsert(collection, batch)
        with ChromaDir.open(snapshot, COLLECTION) as directory:
            digest = add_digests(*(record_hash(record) for record in directory.records(directory.ids())))
    return {"cost": vars(cost), "digest": digest}


def _unpacked(s3: Any, facts: ReceiptFacts, private: Path) -> list[Record]:
    content = s3.get_object(Bucket=BUCKET, Key=f"{facts.runs[-1].delta_prefix}delta.tar.gz")["Body"].read()
    with tempfile.TemporaryDirectory(dir=private) as folder:
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            # The filters came with Python 3.11.4; these tars are the benchmark's own.
            tar.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
        with closing(_client(Path(folder))) as client:
            return _records(client.get_collection(COLLECTION, embedding_function=None))


def _rows(collection: Any, sizes: Sizes, facts: ReceiptFacts) -> list[Record]:
    """The rows that the snapshot has of a receipt, with the new merchant."""
    found = _records(collection, ids=[record.id for record in whole_records(sizes, facts)])
    for record in found:
        record.metadata["merchant_name"] = str(facts.place and facts.place["merchant_name"])
    return found


def _records(collection: Any, ids: Sequence[str] | None = None) -> list[Record]:
    rows = collection.get(ids=ids, include=["embeddings", "documents", "metadatas"])
    columns = (rows[name] for name in ("ids", "embeddings", "documents", "metadatas"))
    return [Record(*values) for values in zip(*columns, strict=True)]


def _client(path: Path) -> Any:
    return chromadb.PersistentClient(path=str(path), settings=Settings(anonymized_telemetry=False))


def main(command: str, folder: str, records: str, vectors: str, case: str = "") -> None:
    """One command, as the docstring of the module says."""
    ground = Ground(Path(folder), Sizes(int(records), vectors == "unstructured"))
    if command == "prepare":
        prepare(ground)
    else:
        print(json.dumps({"ours": ours, "naive": naive}[command](ground, case)))


if __name__ == "__main__":
    main(*sys.argv[1:])

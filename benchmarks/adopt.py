"""What adopting an old Chroma directory takes: `make bench-adopt RECEIPTS=805`.

A directory of chromadb's own making, 87 words a receipt; then in one process what `compaction adopt` does, reading it
and writing deltas and runs, to tables and a bucket that moto keeps in another process. Beside it, chromadb's own
reading of the same records.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path

import boto3
import chromadb
from chromadb.config import Settings
from measured import measured
from merge_data import COLLECTION, Sizes, facts_of, whole_records
from receipt_chroma.shard.chroma_dir import batches
from receipt_dynamo_stream.bucket import Bucket

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from operate.adopt.adoption import plan_adoption, write_adoption
from tests.moto_elsewhere import moto_elsewhere

WORDS_OF_A_RECEIPT, BATCH, TABLE, BUCKET = 87, 1_000, "receipts", "snapshots"
NOW = "2026-01-01T00:00:00+00:00"


def old_directory(folder: Path, receipts: int) -> None:
    """A collection of `words` as whoever had one wrote it."""
    client = chromadb.PersistentClient(path=str(folder), settings=Settings(anonymized_telemetry=False))
    collection = client.create_collection(COLLECTION, embedding_function=None, configuration={"hnsw": {"space": "l2"}})
    sizes = Sizes(base=0)
    for number in range(receipts):
        records = whole_records(sizes, facts_of(number, WORDS_OF_A_RECEIPT, runs=0))
        for batch in batches(records, BATCH):
            collection.upsert(
                ids=[one.id for one in batch],
                embeddings=[one.embedding for one in batch],
                documents=[one.document or "" for one in batch],
                metadatas=[dict(one.metadata) for one in batch],
            )
    client.close()


def read_by_chromadb(folder: Path) -> int:
    """How many records chromadb reads whole, a batch at a time."""
    client = chromadb.PersistentClient(path=str(folder), settings=Settings(anonymized_telemetry=False))
    collection = client.get_collection(COLLECTION, embedding_function=None)
    seen, everything = 0, ["embeddings", "documents", "metadatas"]
    while ids := collection.get(limit=BATCH, offset=seen, include=everything)["ids"]:
        seen += len(ids)
    client.close()
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--receipts", type=int, default=805)
    receipts = parser.parse_args().receipts
    facts = {one.receipt: one for one in (facts_of(number, WORDS_OF_A_RECEIPT, runs=0) for number in range(receipts))}
    with tempfile.TemporaryDirectory() as name, moto_elsewhere() as url:
        folder = Path(name) / "old"
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as another:  # whose memory is not counted
            another.submit(old_directory, folder, receipts).result()
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        keys = {"region_name": "us-east-1", "aws_access_key_id": "local", "aws_secret_access_key": "local"}
        dynamodb, s3 = (boto3.client(service, endpoint_url=url, **keys) for service in ("dynamodb", "s3"))
        s3.create_bucket(Bucket=BUCKET)
        dynamodb.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("PK", "SK")],
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
        )
        with ExitStack() as stack:
            with measured() as reading:
                planned = plan_adoption(folder, facts, COLLECTION, dimension=None, now=NOW)
                adoption = stack.enter_context(planned)
            with measured() as writing:
                written = write_adoption(adoption, bucket=Bucket(s3, BUCKET), dynamodb=dynamodb, receipts_table=TABLE)
        with measured() as beside:
            seen = read_by_chromadb(folder)
    assert (written, seen) == (receipts, adoption.adopted)
    print(f"{seen:,} records of {receipts:,} receipts, a directory of {size / 1e6:,.0f} MB")
    print("| | wall s | CPU s | of chromadb's reading | peak MB |")
    print("|---|---:|---:|---:|---:|")
    for what, cost in {"read and sorted by receipt": reading, "deltas and runs written": writing}.items():
        ratio = cost.wall / beside.wall
        print(f"| {what} | {cost.wall:.1f} | {cost.cpu:.1f} | {ratio:.2f} | {cost.peak / 1e6:,.0f} |")
    print(f"| chromadb's own reading | {beside.wall:.1f} | {beside.cpu:.1f} | 1 | |")


if __name__ == "__main__":
    main()

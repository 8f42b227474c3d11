"""What the freshness benchmark puts into a local stack: a base that is built already, and receipts one by one."""

from __future__ import annotations

import shutil
import time
from typing import Any

from merge_data import COLLECTION, delta_of, facts_of
from publish_data import BUCKET, FIRST_NEW, SIZES, WORDS, Ground
from receipt_chroma import load_manifest, write_arrow_delta_to
from receipt_chroma.records import Record
from receipt_dynamo_stream.attributes import number, string
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import head_key
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.facts import ReceiptFacts
from receipt_dynamo_stream.keys import line_record_id

from local.stack import LocalStack


def plant(stack: LocalStack, ground: Ground) -> None:
    """Make a published base the stack's current version: its files on EFS and in S3, HEAD, and its row."""
    pointer = ground.pointer
    assert pointer is not None
    manifest = load_manifest(ground.bucket, pointer)
    shutil.copytree(ground.efs, stack.efs, dirs_exist_ok=True)
    objects = ground.folder / "s3" / BUCKET
    for path in sorted(objects.rglob("*")):
        if path.is_file():
            key = path.relative_to(objects).as_posix()
            stack.client("s3").upload_file(str(path), stack.connection.bucket, key)
    table, dynamodb = stack.connection.control_table, stack.client("dynamodb")
    names = ("snapshot_id", "manifest_key", "manifest_sha256")
    item = {name: string(getattr(pointer, name)) for name in names}
    counts = {"version": pointer.version, "projected_version": pointer.version, "fence": 1, "shards": 1}
    dynamodb.put_item(
        TableName=table,
        Item={**head_key(COLLECTION), **item, **{name: number(value) for name, value in counts.items()}},
    )
    versions = ControlTable(dynamodb, table).versions(COLLECTION)
    versions.put_candidate(manifest.row(manifest.execution))
    versions.mark_committed(pointer.snapshot_id, committed_at=manifest.created_at)


class Producer:
    """Writes new receipts of 87 words: items and deltas first, the announcement when it is told to."""

    def __init__(self, stack: LocalStack) -> None:
        self._dynamodb = stack.client("dynamodb")
        self._table = stack.connection.receipts_table
        self._bucket = Bucket(stack.client("s3"), stack.connection.bucket)
        self._next = FIRST_NEW
        self._run: dict[str, Any] = {}

    def prepare(self) -> str:
        """Write a receipt up to its announcement; the id of its last word."""
        facts = facts_of(self._next, WORDS)
        self._next += 1
        records = delta_of(SIZES, facts)
        prefixes = {
            COLLECTION: facts.runs[-1].delta_prefix,
            "lines": facts.runs[-1].delta_prefix.replace("words", "lines"),
        }
        write_arrow_delta_to(self._bucket, prefixes["words"], records)
        write_arrow_delta_to(self._bucket, prefixes["lines"], _lines(facts, records))
        self._put_items(facts)
        run: dict[str, Any] = {"run_id": string(facts.runs[-1].run_id), "created_at": string(facts.runs[-1].created_at)}
        for collection, prefix in prefixes.items():
            run |= {f"{collection}_delta_prefix": string(prefix), f"{collection}_state": string("PENDING")}
        self._run = self._item(facts, f"#COMPACTION_RUN#{facts.runs[-1].run_id}", "COMPACTION_RUN") | run
        return max(record.id for record in records)

    def announce(self) -> float:
        """Put the run's item; when that was, in monotonic seconds."""
        self._dynamodb.put_item(TableName=self._table, Item=self._run)
        return time.monotonic()

    def _put_items(self, facts: ReceiptFacts) -> None:
        items = [self._item(facts, "", "RECEIPT") | {"timestamp_added": string(str(facts.timestamp_added))}]
        items += [self._item(facts, f"#LINE#{line:05d}", "RECEIPT_LINE") for line in sorted(facts.lines)]
        items += [
            self._item(facts, f"#LINE#{line:05d}#WORD#{word:05d}", "RECEIPT_WORD") for line, word in sorted(facts.words)
        ]
        for start in range(0, len(items), 25):
            requests = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
            self._dynamodb.batch_write_item(RequestItems={self._table: requests})

    def _item(self, facts: ReceiptFacts, suffix: str, kind: str) -> dict[str, Any]:
        receipt = facts.receipt
        return {
            "PK": string(receipt.pk),
            "SK": string(receipt.sk + suffix),
            "TYPE": string(kind),
            "image_id": string(receipt.image_id),
            "receipt_id": number(receipt.receipt_id),
        }


def _lines(facts: ReceiptFacts, words: list[Record]) -> list[Record]:
    return [
        Record(line_record_id(facts.receipt, line), words[n].embedding, f"line {line}", {})
        for n, line in enumerate(sorted(facts.lines))
    ]

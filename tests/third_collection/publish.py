"""Runs in the copy that has `sections`: what its packages and its local stack do with it, told as one JSON object."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import receipt_chroma
import receipt_dynamo_stream
from receipt_chroma import DeltaRecord, announce_run
from receipt_chroma.reader import SnapshotReader
from receipt_dynamo_stream import Bucket, ReceiptId, detect_change, parse_stream_record
from receipt_dynamo_stream.announce import run_item
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.grain import COLLECTIONS, grain_of
from receipt_dynamo_stream.keys import line_record_id, record_id_of, word_record_id
from receipt_dynamo_stream.runs import CompactionRun, RunOfCollection, run_key

from local.aws.executions import wait_until
from local.settings import StackSettings
from local.stack import LocalStack

RECEIPT = ReceiptId("3f52804b-2fad-4e00-92c8-b593da3a8ed3", 1)
CREATED, ANNOUNCED = "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:01+00:00"
ITEMS: dict[str, dict[str, str]] = {
    "": {"TYPE": "RECEIPT", "timestamp_added": CREATED},
    "#LINE#00001": {"TYPE": "RECEIPT_LINE"},
    "#LINE#00001#WORD#00001": {"TYPE": "RECEIPT_WORD"},
    "#PLACE": {"TYPE": "RECEIPT_PLACE", "merchant_name": "Harbor Market"},
    "#SECTION#HEADER": {"TYPE": "RECEIPT_SECTION", "validation_status": "VALID"},
    "#SECTION#ITEMS": {"TYPE": "RECEIPT_SECTION", "validation_status": "PENDING"},
}
SECTIONS = [record_id_of(grain_of("sections"), RECEIPT, (name,)) for name in ("HEADER", "ITEMS", "FOOTER")]


def typed(below: str) -> dict[str, dict[str, str]]:
    item = {"PK": RECEIPT.pk, "SK": RECEIPT.sk + below, **ITEMS[below]}
    return {name: {"S": text} for name, text in item.items()}


def touched(event: str, item: dict[str, Any]) -> dict[str, Any]:
    """What the stream package says of a record."""
    keys = {name: item[name] for name in ("PK", "SK")}
    image = {"INSERT": "NewImage", "REMOVE": "OldImage"}[event]
    record = parse_stream_record(
        {"eventID": "1", "eventName": event, "dynamodb": {"Keys": keys, image: item, "SequenceNumber": "1"}}
    )
    change, entity = detect_change(record), record.new or record.old
    prefix = entity.of("sections").delta_prefix if isinstance(entity, CompactionRun) else None
    return {"collections": sorted(change.collections) if change else [], "prefix": prefix}


def settle_down(stack: LocalStack) -> None:
    """Until the stream is read to its end, nothing runs and nothing is pending."""
    control = ControlTable(stack.client("dynamodb"), stack.connection.control_table)

    def quiet() -> bool | None:
        busy = stack.executions.running or any(control.pending(one).read() for one in COLLECTIONS)
        return None if busy else True

    stack.poller.wait_caught_up(timeout=60)
    wait_until(quiet, 120, "the stack is busy")


def published(stack: LocalStack) -> dict[str, dict[str, Any]]:
    """Collection -> record id -> metadata, as readers see it."""
    found = {}
    for collection in COLLECTIONS:
        with SnapshotReader(stack.efs, collection) as reader:
            found[collection] = {record.id: record.metadata for record in reader.records()}
    return found


def main(folder: Path) -> dict[str, Any]:
    """Announce a receipt with two of three sections, look, remove one of them, look again."""
    parts = {one: RunOfCollection(f"{one}/delta/r/") for one in COLLECTIONS}
    run = run_item(CompactionRun(RECEIPT, "r", created_at=ANNOUNCED, collections=parts))
    told: dict[str, Any] = {
        "from": [str(Path(one.__file__ or "").parent) for one in (receipt_dynamo_stream, receipt_chroma)],
        "run": touched("INSERT", run),
        "section": touched("REMOVE", typed("#SECTION#HEADER")),
        "word": touched("INSERT", typed("#LINE#00001#WORD#00001")),
    }
    ids = {
        "lines": [line_record_id(RECEIPT, 1)],
        "words": [word_record_id(RECEIPT, 1, 1)],
        "sections": SECTIONS,
    }
    numbers = np.random.default_rng(1)
    records = {
        collection: [DeltaRecord(one, numbers.standard_normal(8).astype(np.float32), one, {}) for one in some]
        for collection, some in ids.items()
    }
    settings = StackSettings(
        schedule_seconds=None,
        batch_window_seconds=0.2,
        poll_seconds=0.05,
        environment={"PYTHONPATH": os.environ["PYTHONPATH"]},
    )
    with LocalStack(folder, settings) as stack:
        dynamodb, receipts = stack.client("dynamodb"), stack.connection.receipts_table
        for below in ITEMS:
            dynamodb.put_item(TableName=receipts, Item=typed(below))
        bucket = Bucket(stack.client("s3"), stack.connection.bucket)
        announce_run(dynamodb, receipts, bucket, RECEIPT, run_id="run-1", created_at=ANNOUNCED, **records)
        settle_down(stack)
        told["published"] = published(stack)
        dynamodb.delete_item(TableName=receipts, Key={n: typed("#SECTION#ITEMS")[n] for n in ("PK", "SK")})
        settle_down(stack)
        told["after"] = published(stack)
        item = dynamodb.get_item(TableName=receipts, Key=run_key(RECEIPT, "run-1"))
        told["states"] = {one: item["Item"][f"{one}_state"]["S"] for one in COLLECTIONS}
        told["asked"] = {
            one: stack.wait_for_execution(stack.executions.start_with({"collection": one})).error
            for one in (*COLLECTIONS, "receipts")
        }
    return told


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))

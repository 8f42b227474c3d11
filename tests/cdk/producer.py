"""What a producer does, for the tests that run the template: items, deltas, and the run that announces them."""

from __future__ import annotations

from typing import Any

import numpy as np
from receipt_chroma.deltas import DeltaRecord, write_arrow_delta_to
from receipt_chroma.reader import SnapshotReader
from receipt_dynamo_stream.keys import ReceiptId, line_record_id, word_record_id
from receipt_dynamo_stream.runs import delta_location

RECEIPT = ReceiptId("3f52804b-2fad-4e00-92c8-b593da3a8ed3", 1)
RUN = "7b1f7c1e-6f0a-4a3b-9a53-0d2b8f6a1c11"
BAD_RUN = "0d9a3c52-5b7e-4f0a-8a3e-1c2d3e4f5a6b"
EXPECTED = {"lines": 1, "words": 3}
"""Records by collection, once the run is merged."""


def produce(dynamodb: Any, s3: Any, *, table: str, bucket: str) -> None:
    """One receipt with a line of three words, and a run for both collections."""
    line, words = f"{RECEIPT.sk}#LINE#00001", range(1, EXPECTED["words"] + 1)
    items = [
        {"SK": RECEIPT.sk, "TYPE": "RECEIPT", "timestamp_added": "2026-01-01T00:00:00+00:00"},
        {"SK": line, "TYPE": "RECEIPT_LINE"},
        *({"SK": f"{line}#WORD#{word:05d}", "TYPE": "RECEIPT_WORD"} for word in words),
    ]
    ids = {"lines": [line_record_id(RECEIPT, 1)], "words": [word_record_id(RECEIPT, 1, word) for word in words]}
    run = {"SK": f"{RECEIPT.sk}#COMPACTION_RUN#{RUN}", "TYPE": "COMPACTION_RUN", "run_id": RUN}
    run |= {"image_id": RECEIPT.image_id, "created_at": "2026-01-01T00:00:01+00:00"}
    for collection, record_ids in ids.items():
        records = [
            DeltaRecord(record_id, np.full(8, number + 1, np.float32), f"text {number}", {})
            for number, record_id in enumerate(record_ids)
        ]
        prefix = f"{collection}/delta/{RUN}/"
        write_arrow_delta_to(s3, bucket, delta_location(prefix, bucket).prefix, records)
        run |= {f"{collection}_delta_prefix": prefix, f"{collection}_state": "PENDING"}
    for item in (*items, run):
        values = {name: {"S": value} for name, value in item.items()}
        dynamodb.put_item(TableName=table, Item={"PK": {"S": RECEIPT.pk}, "receipt_id": {"N": "1"}, **values})


def produce_what_is_refused(dynamodb: Any, s3: Any, *, table: str, bucket: str) -> None:
    """A run whose delta is no delta, and an item whose key is none of ours."""
    prefix = f"words/delta/{BAD_RUN}/"
    s3.put_object(Bucket=bucket, Key=f"{prefix}delta.arrow", Body=b"no Arrow at all")
    run = {"run_id": BAD_RUN, "image_id": RECEIPT.image_id, "created_at": "2026-01-01T00:00:02+00:00"}
    run |= {"TYPE": "COMPACTION_RUN", "words_delta_prefix": prefix, "words_state": "PENDING"}
    for sort_key, item in (
        (f"{RECEIPT.sk}#COMPACTION_RUN#{BAD_RUN}", run),
        ("RECEIPT#not-a-number", {"TYPE": "RECEIPT"}),
    ):
        values = {name: {"S": value} for name, value in item.items()}
        keys = {"PK": {"S": RECEIPT.pk}, "SK": {"S": sort_key}}
        dynamodb.put_item(TableName=table, Item={**keys, "receipt_id": {"N": "1"}, **values})


def states_of_the_run(dynamodb: Any, table: str) -> dict[str, str]:
    """What the producer can read of its run: the state of each collection."""
    key = {"PK": {"S": RECEIPT.pk}, "SK": {"S": f"{RECEIPT.sk}#COMPACTION_RUN#{RUN}"}}
    item = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
    return {collection: item[f"{collection}_state"]["S"] for collection in EXPECTED}


def records_readers_see(efs_root: Any, collection: str) -> int:
    """What a reader that opens the file system now counts."""
    with SnapshotReader(str(efs_root), collection) as reader:
        reader.refresh()
        return int(reader.count())

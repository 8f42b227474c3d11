"""What a producer does, for the tests that run the template: the one of examples/, and one that is refused."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from receipt_chroma.reader import SnapshotReader
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.keys import ReceiptId

EXAMPLE = Path(__file__).parents[2] / "examples/first_receipt/produce.py"
RECEIPT = ReceiptId("3f52804b-2fad-4e00-92c8-b593da3a8ed3", 1)
RUN, BAD_RUN = "7b1f7c1e-6f0a-4a3b-9a53-0d2b8f6a1c11", "0d9a3c52-5b7e-4f0a-8a3e-1c2d3e4f5a6b"
EXPECTED = {"lines": 1, "words": 3}
"""Records by collection, once the run is merged."""


def produce(dynamodb: Any, s3: Any, *, table: str, bucket: str) -> None:
    """One receipt with a line of three words, and a run for both collections."""
    runpy.run_path(str(EXAMPLE))["produce"](
        dynamodb,
        table,
        Bucket(s3, bucket),
        receipt=RECEIPT,
        run_id=RUN,
        dimension=8,
        now="2026-01-01T00:00:01+00:00",
    )


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

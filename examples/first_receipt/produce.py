"""A producer in small: one receipt of three words, its vectors as deltas on S3, and the run that announces them.

`python produce.py --stack receipt-compaction-dev --dimension 1536`, or without --stack beside `compaction up`.
"""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from receipt_chroma import announce_run
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.keys import ReceiptId, line_record_id, word_record_id

WORDS = ("organic", "milk", "2.99")


def embed(text: str, dimension: int) -> np.ndarray:
    """A vector of length one. Yours comes from a model; one model, and so one dimension, for a whole collection."""
    vector = np.random.default_rng(list(text.encode())).normal(size=dimension).astype(np.float32)
    return vector / np.linalg.norm(vector)


def produce(
    dynamodb: Any, table: str, bucket: Bucket, *, receipt: ReceiptId, run_id: str, dimension: int, now: str
) -> None:
    """The receipt's items, then both deltas and the run that announces them. What orders heal: docs/producers.md."""
    line = f"{receipt.sk}#LINE#00001"
    _put(dynamodb, table, receipt, receipt.sk, TYPE="RECEIPT", timestamp_added=now)
    _put(dynamodb, table, receipt, line, TYPE="RECEIPT_LINE")
    for number in range(1, len(WORDS) + 1):
        _put(dynamodb, table, receipt, f"{line}#WORD#{number:05d}", TYPE="RECEIPT_WORD")
    texts = {
        "lines": {line_record_id(receipt, 1): " ".join(WORDS)},
        "words": {word_record_id(receipt, 1, number): word for number, word in enumerate(WORDS, 1)},
    }
    records = {
        collection: [
            {"id": key, "embedding": embed(text, dimension), "document": text} for key, text in documents.items()
        ]
        for collection, documents in texts.items()
    }
    announce_run(
        *(dynamodb, table, bucket, receipt),
        run_id=run_id,
        created_at=now,
        lines=records["lines"],
        words=records["words"],
    )


def _put(dynamodb: Any, table: str, receipt: ReceiptId, sort_key: str, **texts: str) -> None:
    values: Mapping[str, str] = {"PK": receipt.pk, "SK": sort_key, **texts}
    item = {name: {"S": value} for name, value in values.items()} | {"receipt_id": {"N": str(receipt.receipt_id)}}
    dynamodb.put_item(TableName=table, Item=item)


def main() -> None:
    """Produce one receipt in a stack, and say which."""
    from operate.connection import load_aws, load_local

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", help="a stack on AWS (default: the one that `compaction up` runs here)")
    parser.add_argument("--region", help="its region (default: as the AWS CLI finds it)")
    parser.add_argument(
        "--dimension", type=int, required=True, help="of your vectors: a collection's first one decides"
    )
    asked = parser.parse_args()
    stack = load_aws(asked.stack, asked.region) if asked.stack else load_local()
    receipt = ReceiptId(str(uuid.uuid4()), 1)
    produce(
        stack.client("dynamodb"),
        stack.receipts_table,
        Bucket(stack.client("s3"), stack.bucket),
        receipt=receipt,
        run_id=str(uuid.uuid4()),
        dimension=asked.dimension,
        now=datetime.now(UTC).isoformat(),
    )
    print(f"IMAGE#{receipt.image_id} receipt 1: `compaction status` shows it pending, then published")


if __name__ == "__main__":
    main()

"""A table whose runs are COMPLETED and whose deltas have expired, beside the Chroma directory that has the records."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
from receipt_chroma.records import Record
from receipt_dynamo_stream.keys import ReceiptId, word_record_id

from local.demo.exporting import export_current
from local.demo.naive.deltas import Records
from local.demo.naive.model import compare, expect
from local.demo.naive.published import read_published
from local.demo.naive.table import scan_receipts
from operate.adopt.doctor import Diagnosis, Patient, diagnose
from operate.connection import Connection
from operate.stack import Stack

from .rounds import COLLECTIONS, DIMENSION, Rounds, vector

RECEIPTS = [ReceiptId("image-a", 1), ReceiptId("image-a", 2), ReceiptId("image-b", 1)]
WORDS = [(line, word) for line in (1, 2) for word in (1, 2)]
ADDED, ANNOUNCED = "2025-06-01T00:00:00+00:00", "2025-06-02T00:00:00+00:00"


def old_receipt(
    receipt: ReceiptId, *, state: str = "COMPLETED", run_id: str = "", announced: str = ANNOUNCED
) -> list[dict[str, Any]]:
    """The items of a receipt, with a run as another system left it: nothing lies at its prefixes."""
    run_id = run_id or f"old-{receipt.image_id}-{receipt.receipt_id}"
    run = {"run_id": run_id, "created_at": announced}
    run |= {f"{one}_delta_prefix": f"{one}/delta/{run_id}/" for one in COLLECTIONS}
    run |= {f"{one}_state": state for one in COLLECTIONS}
    items = [_item(receipt, "", "RECEIPT", timestamp_added=ADDED)]
    for line, word in WORDS:
        items.append(_item(receipt, f"#LINE#{line:05d}#WORD#{word:05d}", "RECEIPT_WORD"))
    items += [_item(receipt, f"#LINE#{line:05d}", "RECEIPT_LINE") for line in sorted({line for line, _ in WORDS})]
    return [*items, _item(receipt, f"#COMPACTION_RUN#{run_id}", "COMPACTION_RUN", **run)]


def write(rounds: Rounds, items: Sequence[dict[str, Any]]) -> None:
    """As it was before there was anything that looks: nothing is marked."""
    for start in range(0, len(items), 25):
        requests = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
        rounds.dynamodb.batch_write_item(RequestItems={rounds.receipts_table: requests})


def _item(receipt: ReceiptId, below: str, kind: str, **texts: str) -> dict[str, Any]:
    values = {"PK": receipt.pk, "SK": receipt.sk + below, "TYPE": kind, **texts}
    return {key: {"S": text} for key, text in values.items()}


def records_of(receipts: Iterable[ReceiptId], *, seed: int = 1) -> list[Record]:
    """Word records as an old system has them, with metadata that belongs to the table among it."""
    return [
        Record(
            word_record_id(receipt, *word),
            vector(seed + number),
            f"text {number}",
            {"x": number / 7, "label_status": "old"},
        )
        for receipt in receipts
        for number, word in enumerate(WORDS)
    ]


def chroma_directory(folder: Path, records: Sequence[Record], *, name: str = "words", space: str = "l2") -> Path:
    """As plain chromadb writes it."""
    client = chromadb.PersistentClient(path=str(folder))
    collection = client.create_collection(name, embedding_function=None, configuration={"hnsw": {"space": space}})
    collection.add(
        ids=[record.id for record in records],
        embeddings=np.array([record.embedding for record in records]),
        documents=[record.document for record in records],
        metadatas=[dict(record.metadata) for record in records],
    )
    client.close()
    return folder


def patient(rounds: Rounds) -> Patient:
    """All of the deployment."""
    return Patient.of(Stack(connection_of(rounds)))


def connection_of(rounds: Rounds) -> Connection:
    """Where the deployment is; it has no state machine."""
    return Connection(
        region="us-east-1",
        endpoint_url=None,
        state_machine_arn="",
        receipts_table=rounds.receipts_table,
        control_table=rounds.control_table,
        bucket=rounds.bucket,
        efs_root=str(rounds.efs),
        failure_queue_url=None,
    )


def deployed(rounds: Rounds, collection: str = "words") -> Diagnosis:
    """What doctor says of the deployment."""
    (found,) = diagnose(patient(rounds), [collection])
    return found


def before_a_stack(rounds: Rounds) -> Diagnosis:
    """What doctor says of a table and a bucket alone."""
    whole = patient(rounds)
    (found,) = diagnose(Patient(whole.dynamodb, whole.table, whole.bucket), ["words"])
    return found


def reasons(diagnosis: Diagnosis) -> dict[str, int]:
    """How many receipts by reason."""
    return {finding.why: finding.receipts for finding in diagnosis.findings}


def stream(rounds: Rounds, receipts: Iterable[ReceiptId]) -> None:
    """Mark what was written beside the harness, as the stream does."""
    for receipt in receipts:
        rounds.mark(receipt)


def published(rounds: Rounds, collection: str = "words") -> Records:
    """Every record that readers see, read without our code."""
    exported = rounds.folder / f"export-{rounds.time()}"
    export_current(rounds.efs, collection, exported)
    return read_published(rounds.efs, collection, exported).records


def differences(rounds: Rounds, served: Records, collection: str = "words") -> list[str]:
    """What is served against the independent model: by the deltas that are there and by the table."""
    asked: dict[str, Any] = {"bucket": rounds.bucket, "collection": collection, "dimension": DIMENSION}
    wanted = expect(scan_receipts(rounds.dynamodb, rounds.receipts_table), rounds.s3, **asked)
    return compare(wanted.records, served)

"""The benchmark's records as Arrow files, for LanceDB, which has an environment of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
from merge_data import DIMENSION, whole_records
from publish_data import SIZES, base_facts, new_facts
from receipt_dynamo_stream.facts import ReceiptFacts

PUBLICATIONS = 7
"""One to warm up, and those that are measured."""


def export(folder: Path, receipts: int) -> None:
    """Write `base.arrow`, and `new-0.arrow` and so on with one receipt each."""
    folder.mkdir(exist_ok=True)
    _write(folder / "base.arrow", base_facts(receipts))
    for number, facts in enumerate(new_facts(PUBLICATIONS)):
        _write(folder / f"new-{number}.arrow", [facts])


def _write(path: Path, facts: Iterable[ReceiptFacts]) -> None:
    batches = _batches(facts)
    first = next(batches)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, first.schema) as writer:
        writer.write_batch(first)
        for batch in batches:
            writer.write_batch(batch)


def _batches(facts: Iterable[ReceiptFacts]) -> Iterator[Any]:
    for one in facts:
        records = whole_records(SIZES, one)
        flat = pa.array(np.concatenate([record.embedding for record in records]), pa.float32())
        columns: dict[str, Any] = {
            "id": [record.id for record in records],
            "receipt": [one.receipt.key] * len(records),
            "document": [record.document for record in records],
            "vector": pa.FixedSizeListArray.from_arrays(flat, DIMENSION),
        }
        columns |= {key: [record.metadata.get(key) for record in records] for key in sorted(records[0].metadata)}
        yield pa.RecordBatch.from_pydict({key: pa.array(column) for key, column in columns.items()})

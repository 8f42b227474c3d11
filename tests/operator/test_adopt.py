"""From an old Chroma directory and a table with expired runs to a clean doctor, on the real machine."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from receipt_chroma import DeltaRecord, write_arrow_delta
from receipt_chroma.reader import SnapshotReader

from local.demo.samples.entities import receipt_items, run_item
from local.demo.samples.model import Receipt
from local.demo.samples.producer import COLLECTIONS
from local.demo.samples.records import Record, records_of
from local.demo.samples.table_writes import write_batches

from .desk import DIMENSION, Desk

RELEASE = "0.5.23"
SCRIPT = Path(__file__).parents[2] / "chroma_package/tests/delta/old_chroma.py"


@pytest.fixture(scope="module")
def old_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with an old chromadb and nothing of ours."""
    home = tmp_path_factory.mktemp("old") / "venv"
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    python = home / "bin/python"
    install = [python, "-m", "pip", "install", "--quiet", "--only-binary", "numpy,chroma-hnswlib"]
    installed = subprocess.run([*install, f"chromadb=={RELEASE}"], capture_output=True, text=True)
    if installed.returncode:
        pytest.skip(f"chromadb {RELEASE} cannot be installed on this Python: {installed.stderr[-300:]}")
    return python


def old_directories(python: Path, folder: Path, records: Mapping[str, Sequence[Record]]) -> dict[str, Path]:
    """A directory for each collection, as the old release writes it."""
    specs = {
        collection: {
            **{"collection": collection, "metadata": {}, "deleted": [], "updated": []},
            "records": [
                {"id": r.id, "embedding": r.embedding.tolist(), "document": r.document, "metadata": r.metadata}
                for r in some
            ],
        }
        for collection, some in records.items()
    }
    told = folder / "made.json"
    told.write_text(json.dumps(specs))
    done = subprocess.run([python, SCRIPT, folder / "made", told], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split()[-1] == RELEASE
    return {collection: folder / "made" / collection for collection in records}


def expired(receipt: Receipt) -> tuple[list[dict[str, Any]], str]:
    """The items of a receipt whose run is COMPLETED and whose deltas are gone, and the run's id."""
    run_id = f"expired-{receipt.image_id}-{receipt.receipt_id}"
    prefixes = {collection: f"{collection}/delta/{run_id}/" for collection in COLLECTIONS}
    run = run_item(receipt, run_id, prefixes, receipt.added_at)
    run |= {f"{collection}_state": {"S": "COMPLETED"} for collection in COLLECTIONS}
    return [*receipt_items(receipt), run], run_id


def write(desk: Desk, items: Sequence[dict[str, Any]]) -> None:
    requests = [{"PutRequest": {"Item": item}} for item in items]
    write_batches(desk.stack.client("dynamodb"), desk.stack.connection.receipts_table, requests)


def wrong(desk: Desk, collection: str, expired_runs: Sequence[str]) -> list[str]:
    """What the independent model says is wrong; that an expired run is COMPLETED was decided before its time."""
    said = tuple(f"run {run_id} is COMPLETED in {collection}" for run_id in expired_runs)
    return [line for line in desk.verdict(collection).differences if not line.startswith(said)]


def distances(records: Sequence[Record], vector: np.ndarray, n: int) -> list[float]:
    """Those of the nearest records, by comparing with every vector; equal words have equal vectors."""
    return sorted(float(((record.embedding - vector) ** 2).sum()) for record in records)[:n]


def both_mounts(desk: Desk, collection: str, cache: Path) -> Iterator[SnapshotReader]:
    """A reader of the file system, then one of the bucket."""
    with SnapshotReader(desk.efs, collection) as reader:
        yield reader
    place = f"s3://{desk.stack.connection.bucket}/snapshots"
    with SnapshotReader(place, collection, cache_dir=cache / "cache", s3=desk.stack.client("s3")) as reader:
        yield reader


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_old_directory_becomes_a_served_collection_that_goes_on(
    desk: Desk, old_python: Path, tmp_path: Path
) -> None:
    *there, new = desk.receipts
    items, runs = zip(*map(expired, there), strict=True)
    write(desk, [item for some in items for item in some])
    desk.settle_down()
    records = {one: [r for receipt in there for r in records_of(receipt, one, DIMENSION)] for one in COLLECTIONS}
    directories = old_directories(old_python, tmp_path, records)

    said = desk.try_to("doctor", "--json")
    assert said.code == 1
    for collection in COLLECTIONS:
        found = said.json["collections"][collection]
        assert {one["why"]: one["receipts"] for one in found["findings"]} == {"delta expired": len(there)}

    for collection, directory in directories.items():
        assert desk.run("adopt", collection, "--from", str(directory), "--json").json["misfits"] == []
        desk.run("adopt", collection, "--from", str(directory), "--yes")
    desk.settle_down()
    assert desk.run("doctor", "--json").json["clean"]
    for collection in COLLECTIONS:
        assert wrong(desk, collection, runs) == []
        for reader in both_mounts(desk, collection, tmp_path):
            served = {record.id: record for record in reader.records()}
            assert served.keys() == {record.id for record in records[collection]}
            assert all(served[r.id].embedding.tobytes() == r.embedding.tobytes() for r in records[collection])
            assert all(served[r.id].document == r.document for r in records[collection])
            asked = records[collection][:: len(records[collection]) // 5]
            for one in asked:
                told = [hit.distance for hit in reader.nearest(one.embedding, 3)]
                assert told == pytest.approx(distances(records[collection], one.embedding, 3), abs=1e-4)

    write(desk, receipt_items(new))
    for collection in COLLECTIONS:
        batch = tmp_path / f"{collection}.arrow"
        batch.write_bytes(
            write_arrow_delta(
                [DeltaRecord(r.id, r.embedding, r.document, r.metadata) for r in records_of(new, collection, DIMENSION)]
            )
        )
        assert len(desk.run("announce", collection, str(batch), "--json").json["runs"]) == 1
    edited = next(receipt for receipt in there if receipt.labels)
    desk.producer.relabel(edited, edited.labels[0], "ADOPTED")
    desk.producer.delete_receipt(replace(there[-1]))
    desk.settle_down()
    assert desk.run("doctor", "--json").json["clean"]
    for collection in COLLECTIONS:
        assert wrong(desk, collection, runs) == []
    assert any("ADOPTED" in metadata.get("valid_labels_array", []) for _, metadata in desk.published().values())

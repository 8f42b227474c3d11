"""The independent check, part three: what a published snapshot holds, read by plain chromadb from a copy of it."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_PAGE = 500


class PublishedDamaged(Exception):
    """The published files contradict each other: a digest, a size, or a record that two shards have."""


@dataclass(frozen=True)
class NaiveRecord:
    """One record: the bits of its float32 vector, its document and its metadata."""

    vector: bytes
    document: str | None
    metadata: dict[str, Any]


@dataclass(frozen=True)
class Published:
    """A snapshot as a stranger finds it below the collection's folder."""

    version: int
    manifest: dict[str, Any]
    records: dict[str, NaiveRecord]


def read_published(efs: Path, collection: str, exported: Path | None = None) -> Published:
    """Follow CURRENT to the manifest and its shards, or take the records from an export of that version.

    exported: a plain Chroma directory; without it the shards are read, which must be plain ones then. Raises
    PublishedDamaged; FileNotFoundError before version 1.
    """
    folder = efs / collection
    current = json.loads((folder / "CURRENT").read_text())
    raw = (folder / "manifests" / f"{current['snapshot_id']}.json").read_bytes()
    if hashlib.sha256(raw).hexdigest() != current["manifest_sha256"]:
        raise PublishedDamaged(f"{collection}: CURRENT names another manifest than {current['snapshot_id']}.json is")
    manifest = json.loads(raw)
    records: dict[str, NaiveRecord] = {}
    for shard in manifest["shards"]:
        if shard["path"] is None:
            continue
        _check_files(folder / shard["path"], shard["files"])
        if exported is not None:
            continue
        for record_id, record in read_shard(folder / shard["path"], collection):
            if record_id in records:
                raise PublishedDamaged(f"{collection}: {record_id} is in two shards")
            records[record_id] = record
    if exported is not None:
        records = dict(read_shard(exported, collection))
    return Published(current["version"], manifest, records)


def _check_files(folder: Path, files: list[dict[str, Any]]) -> None:
    for file in files:
        content = (folder / file["name"]).read_bytes()
        if len(content) != file["size"] or hashlib.sha256(content).hexdigest() != file["sha256"]:
            raise PublishedDamaged(f"{folder / file['name']} is not what the manifest says")


def read_shard(folder: Path, collection: str) -> Iterator[tuple[str, NaiveRecord]]:
    """Every record of one Chroma directory; the directory itself is not opened, since opening writes."""
    with tempfile.TemporaryDirectory(prefix="naive-") as copy:
        opened = Path(copy) / folder.name
        shutil.copytree(folder, opened)
        yield from read_chroma(opened, collection)


def read_chroma(folder: Path, collection: str) -> Iterator[tuple[str, NaiveRecord]]:
    """Every record of the named collection in a Chroma directory that may be written to."""
    import chromadb

    client = chromadb.PersistentClient(str(folder), settings=chromadb.Settings(anonymized_telemetry=False))
    try:
        opened = client.get_collection(collection, embedding_function=None)
        for offset in range(0, opened.count(), _PAGE):
            page = opened.get(limit=_PAGE, offset=offset, include=["embeddings", "documents", "metadatas"])
            rows = zip(page["ids"], page["embeddings"], page["documents"], page["metadatas"], strict=True)
            for record_id, vector, document, metadata in rows:
                bits = np.asarray(vector, dtype="<f4").tobytes()
                yield record_id, NaiveRecord(bits, document, dict(metadata or {}))
    finally:
        client.close()

"""Publishes records as a snapshot by the simplest means, without the packages: what the naive model should find."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from local.demo.chroma_delta import write_chroma_directory
from local.demo.naive_published import NaiveRecord
from local.demo.records import Record


def publish(efs: Path, collection: str, records: Mapping[str, NaiveRecord], shards: int = 1) -> dict[str, Any]:
    """Write version 1, the records dealt out over `shards`; an empty shard has no directory. Returns the manifest."""
    folder = efs / collection
    dealt = [dict(sorted(records.items())[shard::shards]) for shard in range(shards)]
    manifest = {"records": len(records), "shards": [_shard(folder, collection, *one) for one in enumerate(dealt)]}
    write_manifest(folder, manifest)
    return manifest


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest and point CURRENT at it."""
    raw = json.dumps(manifest).encode()
    (folder / "manifests").mkdir(parents=True, exist_ok=True)
    (folder / "manifests" / "one.json").write_bytes(raw)
    digest = hashlib.sha256(raw).hexdigest()
    (folder / "CURRENT").write_text(json.dumps({"version": 1, "snapshot_id": "one", "manifest_sha256": digest}) + "\n")


def _shard(folder: Path, collection: str, shard: int, records: Mapping[str, NaiveRecord]) -> dict[str, Any]:
    if not records:
        return {"shard": shard, "path": None, "files": []}
    path = folder / f"shards/{shard:04d}/one"
    path.mkdir(parents=True)
    rows = [
        Record(record_id, np.frombuffer(record.vector, dtype="<f4"), record.document or "", record.metadata)
        for record_id, record in records.items()
    ]
    write_chroma_directory(path, collection, rows)
    files = [
        {"name": file.relative_to(path).as_posix(), "size": file.stat().st_size, "sha256": _sha256(file)}
        for file in sorted(path.rglob("*"))
        if file.is_file()
    ]
    return {"shard": shard, "path": f"shards/{shard:04d}/one", "files": files}


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()

"""Publishes records as a snapshot by the simplest means, without the packages: what the naive model should find."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from local.demo.naive.published import NaiveRecord
from local.demo.samples.chroma_delta import write_chroma_directory
from local.demo.samples.records import Record


def publish(
    efs: Path, collection: str, records: Mapping[str, NaiveRecord], shards: int = 1, version: int = 1
) -> dict[str, Any]:
    """Write a version, the records dealt out over `shards`; an empty shard has no directory. Returns the manifest."""
    folder, snapshot_id = efs / collection, f"{version:010d}-{version:010d}-0"
    dealt = [dict(sorted(records.items())[shard::shards]) for shard in range(shards)]
    manifest = {
        "schema_version": 1,
        "collection": collection,
        "version": version,
        "snapshot_id": snapshot_id,
        "parent": None,
        "dimension": max((len(record.vector) // 4 for record in records.values()), default=None),
        "space": "l2",
        "chromadb_version": "1.5.9",
        "shard_count": shards,
        "records": len(records),
        "digest": "",
        "shards": [_shard(folder, collection, number, one, snapshot_id) for number, one in enumerate(dealt)],
        **dict.fromkeys(("plan_key", "execution", "trigger", "created_at"), ""),
    }
    write_manifest(folder, manifest)
    return manifest


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest and point CURRENT at it."""
    raw = json.dumps(manifest).encode()
    (folder / "manifests").mkdir(parents=True, exist_ok=True)
    (folder / "manifests" / f"{manifest['snapshot_id']}.json").write_bytes(raw)
    current = {
        "version": manifest["version"],
        "snapshot_id": manifest["snapshot_id"],
        "manifest_sha256": hashlib.sha256(raw).hexdigest(),
        "fence": manifest["version"],
    }
    temporary = folder / "CURRENT.tmp"
    temporary.write_text(json.dumps(current) + "\n")
    temporary.replace(folder / "CURRENT")


def _shard(
    folder: Path, collection: str, shard: int, records: Mapping[str, NaiveRecord], snapshot_id: str
) -> dict[str, Any]:
    entry: dict[str, Any] = {"shard": shard, "path": None, "files": []}
    if records:
        entry["path"] = f"shards/{shard:04d}/{snapshot_id}-one"
        path = folder / entry["path"]
        path.mkdir(parents=True)
        rows = [
            Record(record_id, np.frombuffer(record.vector, dtype="<f4"), record.document or "", record.metadata)
            for record_id, record in records.items()
        ]
        write_chroma_directory(path, collection, rows)
        files = [file for file in sorted(path.rglob("*")) if file.is_file()]
        entry["files"] = [_file(path, file) for file in files]
    return {**entry, "records": len(records), "tombstones": 0, "digest": ""}


def _file(folder: Path, file: Path) -> dict[str, Any]:
    content = file.read_bytes()
    name = file.relative_to(folder).as_posix()
    return {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}

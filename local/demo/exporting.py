"""What is published as plain Chroma directories, which anybody opens: the demo ends with them, and judges them."""

from __future__ import annotations

from pathlib import Path

from receipt_chroma.export import Exported, export_snapshot
from receipt_chroma.snapshot.lineage import read_manifest
from receipt_chroma.snapshot.pointer import read_current
from receipt_chroma.storage.tree import collection_folder


def export_current(efs: Path, collection: str, target: Path) -> Exported:
    """Export what CURRENT names. Raises NoSnapshotYet, ExportRefused, SnapshotDamaged."""
    folder = collection_folder(efs, collection)
    return export_snapshot(read_manifest(folder, read_current(efs, collection)), folder, target)

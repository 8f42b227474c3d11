"""Export: a version as one plain Chroma directory, which chromadb opens as it is.

All shards and segments of the version become one collection, in a folder beside the target that is renamed into its
place when every record was read back and comes to the version's digest. Nothing that is published is written to.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from receipt_chroma.digests import add_digests
from receipt_chroma.errors import ExportRefused, SnapshotDamaged
from receipt_chroma.private_shard import shrink_directory
from receipt_chroma.records import Record, record_hash
from receipt_chroma.shard.chroma_dir import ChromaDir, batches
from receipt_chroma.shard.closed_shard import ClosedShard
from receipt_chroma.snapshot.manifest import Manifest
from receipt_chroma.snapshot.published_shard import DAMAGED, PublishedShard
from receipt_chroma.storage.files import storage_errors
from receipt_chroma.storage.room import room

_BATCH = 1_000


@dataclass(frozen=True)
class Exported:
    """What lies in the target now; bytes are those of its files."""

    version: int
    snapshot_id: str
    records: int
    bytes: int


def check_target(target: Path) -> None:
    """Raise ExportRefused unless the directory is empty or not there."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ExportRefused(f"{target} is there already and not empty: name another directory, or remove it first")


def export_snapshot(
    manifest: Manifest, folder: Path, target: Path, *, progress: Callable[[int], None] | None = None
) -> Exported:
    """Write all records of a version into `target`, a directory that is empty or not there.

    folder: the collection's folder, on EFS or a copy of it, which has every file of the version. progress is told how
    many records were written so far. Memory: a batch of records, and what chromadb holds of an index of that size.
    Raises ExportRefused for a target that holds something, SnapshotDamaged when the files do not come to the version's
    digest, DiskFull, StorageUnavailable.
    """
    check_target(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        room(target.parent, manifest.records * (manifest.dimension or 0) * 4),
        tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as beside,
    ):
        written = Path(beside) / "exported"
        os.environ["SQLITE_TMPDIR"] = beside
        with ChromaDir.create(written, manifest.collection) as directory:
            written_records = 0
            for batch in batches(_records(manifest, folder), _BATCH):
                directory.add(batch)
                written_records += len(batch)
                if progress:
                    progress(written_records)
        shrink_directory(written)
        _prove(written, manifest)
        if target.exists():
            target.rmdir()
        written.rename(target)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    return Exported(manifest.version, manifest.snapshot_id, manifest.records, size)


def _records(manifest: Manifest, folder: Path) -> Iterator[Record]:
    """Every record of the version, receipt after receipt; those of a base of schema version 1 too."""
    with ExitStack() as opened, storage_errors():
        try:
            for shard in manifest.shards:
                published = opened.enter_context(PublishedShard.open(folder, manifest.collection, shard))
                for key in published.contents():
                    yield from published.records(key).values()
        except DAMAGED as error:
            raise SnapshotDamaged(f"version {manifest.version} cannot be exported: {error}") from error


def _prove(written: Path, manifest: Manifest) -> None:
    """Read every record back from the files."""
    closed = ClosedShard(written, manifest.collection)
    ids = [record_id for some in closed.ids.values() for record_id in some]
    hashes = (record_hash(record) for batch in batches(ids, _BATCH) for record in closed.records(batch))
    if len(ids) != manifest.records or add_digests(*hashes) != manifest.digest:
        raise SnapshotDamaged(
            f"what was exported of version {manifest.version} does not come to its digest: `compaction verify` says why"
        )

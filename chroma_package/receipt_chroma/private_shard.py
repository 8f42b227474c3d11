"""A shard's Chroma directory in a private folder: read, changed in one go, closed and made small."""

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.round.report import FileEntry, ReceiptContent

from receipt_chroma.difference import Difference, metadata_change
from receipt_chroma.records import Record
from receipt_chroma.shard.chroma_dir import ChromaDir, batches
from receipt_chroma.shard.closed_shard import ClosedShard
from receipt_chroma.shard.hnsw_files import (
    HEADER_FILE,
    INDEX_FILES,
    PICKLE_FILE,
    clear_unused,
    read_elements,
    read_header,
    read_labels,
    rows_by_id,
)
from receipt_chroma.shard.index import write_index
from receipt_chroma.shard.sqlite_files import compact_sqlite
from receipt_chroma.snapshot.manifest import ManifestShard
from receipt_chroma.storage.tree import RECEIPTS_FILE

REBUILD_ABOVE: Final = 0.2
"""Tombstones per record above which a shard is written anew: they cost memory, bytes and query time."""

BATCH: Final = 1_000
"""Records that are written at once to a directory that is written anew: more take more memory, and no less time."""
_VECTOR_FILES: Final = frozenset(INDEX_FILES) - {PICKLE_FILE}


@dataclass(frozen=True)
class WritePlan:
    """Which directory is written, the ids it will have, and the files of the base that stay in it as they are."""

    folder: Path
    records: Set[str]
    rebuild: bool = False
    kept: tuple[FileEntry, ...] = ()


@dataclass(frozen=True)
class WrittenShard:
    """A closed directory: how many records, how many deleted elements its index still holds."""

    records: int
    tombstones: int


class PrivateShard:
    """The copy of a shard that lies in `{folder}/base`, or nothing when the shard was never written.

    `existing` may be called any number of times, then `write` once. chromadb opens the copy only to write.
    """

    def __init__(self, folder: Path, collection: str, base: ManifestShard) -> None:
        self._parent = folder
        self._collection = collection
        self._manifest = base
        self._base = ClosedShard(folder / "base", collection) if base.path is not None else None
        self._ids = self._base.ids if self._base else {}

    def plan_write(self, changes: Difference, *, rebuild: bool = False) -> WritePlan:
        """Where `write` will leave the directory, and which files it will find there and not touch.

        Past REBUILD_ABOVE tombstones per record, or where it is asked for, the directory is written anew from all
        records. Metadata alone is in
        SQLite; the pickle says how far the index has read the queue.
        """
        remaining = {record_id for ids in self._ids.values() for record_id in ids}
        remaining -= set(changes.removed)
        remaining |= {record.id for record in changes.added}
        tombstones = self._manifest.tombstones + changes.dropped_elements
        if rebuild or self._base is None or tombstones > REBUILD_ABOVE * len(remaining) > 0:
            return WritePlan(self._parent / "written", remaining, rebuild=True)
        kept = tuple(entry for entry in self._manifest.files if Path(entry.name).name in _VECTOR_FILES)
        return WritePlan(self._parent / "base", remaining, kept=() if changes.touches_vectors else kept)

    def existing(self, receipt: ReceiptId) -> dict[str, Record]:
        """The records that the shard has of a receipt, by id. Raises ShardInvalid when its files disagree."""
        ids = self._ids.get(receipt.key, [])
        return {record.id: record for record in self._base.records(ids)} if self._base and ids else {}

    def write(self, changes: Difference, planned: WritePlan, contents: Iterable[ReceiptContent]) -> WrittenShard:
        """Apply the changes, in at most one series of batches per operation, close the directory and index it.

        contents: what each of its receipts comes to then.
        """
        folder = planned.folder
        if planned.rebuild:
            with ChromaDir.create(folder, self._collection) as directory:
                self._rebuild(directory, changes)
        else:
            self._base = None  # its views of the index file end here
            with ChromaDir.open_for_writing(folder, self._collection) as directory:
                _apply(directory, changes)
        return WrittenShard(len(planned.records), finish_directory(folder, contents))

    def _rebuild(self, directory: ChromaDir, changes: Difference) -> None:
        renewed = {record.id: record for record in (*changes.replaced, *(new for _, new in changes.updated))}
        left_out = renewed.keys() | set(changes.removed)
        if self._base is not None:
            kept = [record_id for ids in self._ids.values() for record_id in ids if record_id not in left_out]
            for batch in batches(kept, BATCH):
                directory.add(list(self._base.records(batch)))
        directory.add([*renewed.values(), *changes.added])


def finish_directory(folder: Path, contents: Iterable[ReceiptContent]) -> int:
    """Make a closed directory small and index it; returns how many deleted elements its index still holds."""
    shrink_directory(folder)
    (folder / RECEIPTS_FILE).unlink(missing_ok=True)  # of a base of schema version 1
    row_of, deleted = _rows(folder)
    write_index(folder, contents, row_of)
    return deleted


def shrink_directory(folder: Path) -> None:
    """Leave a closed directory nothing but what is in use."""
    compact_sqlite(folder)
    for segment in index_segments(folder):
        clear_unused(segment)


def _apply(directory: ChromaDir, changes: Difference) -> None:
    directory.delete([*changes.removed, *(record.id for record in changes.replaced)])
    directory.add([*changes.replaced, *changes.added])
    directory.update_metadata({new.id: metadata_change(old.metadata, new.metadata) for old, new in changes.updated})


def index_segments(folder: Path) -> Iterator[Path]:
    """The folders below a Chroma directory that hold an HNSW index."""
    return (header.parent for header in sorted(folder.glob(f"*/{HEADER_FILE}")))


def _rows(folder: Path) -> tuple[dict[str, int], int]:
    """The row of every record in the index of a closed directory, and how many deleted elements it still holds."""
    for segment in index_segments(folder):
        if (segment / PICKLE_FILE).exists():
            elements = read_elements(segment, read_header(segment))
            return rows_by_id(read_labels(segment), elements), elements.deleted
    return {}, 0

"""A shard's Chroma directory in a private folder: read, changed in one go, closed and made small."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from receipt_dynamo_stream.keys import ReceiptId

from receipt_chroma.chroma_dir import ChromaDir, batches, compact_sqlite, metadata_change
from receipt_chroma.difference import Difference
from receipt_chroma.hnsw_files import HEADER_FILE, PICKLE_FILE, read_header, read_labels
from receipt_chroma.manifest import ManifestShard
from receipt_chroma.records import Record
from receipt_chroma.sqlite_files import read_sqlite
from receipt_chroma.tree import RECEIPTS_FILE

REBUILD_ABOVE: Final = 0.2
"""Tombstones per record above which a shard is written anew: they cost memory, bytes and query time."""

_REBUILD_BATCH: Final = 1_000


@dataclass(frozen=True)
class WrittenShard:
    """A closed directory: where, how many records, how many deleted elements its index still holds."""

    folder: Path
    records: int
    tombstones: int


class PrivateShard:
    """The copy of a shard that lies in `{folder}/base`, or nothing when the shard was never written.

    A context manager; inside it `existing` may be called, then `write` once, which closes the directory.
    """

    def __init__(self, folder: Path, collection: str, base: ManifestShard) -> None:
        self._folder = folder
        self._collection = collection
        self._base = base
        self._open = ExitStack()
        self._directory: ChromaDir | None = None
        self._ids: dict[str, list[str]] = {}

    def __enter__(self) -> Self:
        if self._base.path is not None:
            # From SQLite: chromadb would load the whole index to name the ids, also where nothing is written then.
            self._ids = _by_receipt(read_sqlite(self._folder / "base", self._collection).ids)
            self._directory = ChromaDir.open_for_writing(self._folder / "base", self._collection)
            self._open.enter_context(self._directory)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open.close()

    def existing(self, receipt: ReceiptId) -> dict[str, Record]:
        """The records that the shard has of a receipt, by id."""
        ids = self._ids.get(receipt.key, [])
        return {record.id: record for record in self._directory.records(ids)} if self._directory and ids else {}

    def write(self, changes: Difference) -> WrittenShard:
        """Apply the changes, in at most one series of batches per operation, and close the directory.

        Past REBUILD_ABOVE tombstones per record the directory is written anew from all records instead.
        """
        remaining = {record_id for ids in self._ids.values() for record_id in ids}
        remaining -= set(changes.removed)
        remaining |= {record.id for record in changes.added}
        tombstones = self._base.tombstones + changes.dropped_elements
        if self._directory is None or tombstones > REBUILD_ABOVE * len(remaining) > 0:
            folder = self._folder / "written"
            with ChromaDir.create(folder, self._collection) as directory:
                self._rebuild(directory, changes)
        else:
            folder = self._folder / "base"
            _apply(self._directory, changes)
        self._open.close()
        compact_sqlite(folder)
        receipts = sorted({receipt_key_of(record_id) for record_id in remaining})
        (folder / RECEIPTS_FILE).write_text("".join(f"{key}\n" for key in receipts), encoding="utf-8")
        return WrittenShard(folder, len(remaining), _tombstones(folder))

    def _rebuild(self, directory: ChromaDir, changes: Difference) -> None:
        renewed = {record.id: record for record in (*changes.replaced, *(new for _, new in changes.updated))}
        left_out = renewed.keys() | set(changes.removed)
        if self._directory is not None:
            kept = [record_id for ids in self._ids.values() for record_id in ids if record_id not in left_out]
            for batch in batches(kept, _REBUILD_BATCH):
                directory.add(list(self._directory.records(batch)))
        directory.add([*renewed.values(), *changes.added])


def receipt_key_of(record_id: str) -> str:
    """The receipt key that a record id begins with."""
    return record_id.partition("#LINE#")[0]


def _apply(directory: ChromaDir, changes: Difference) -> None:
    directory.delete([*changes.removed, *(record.id for record in changes.replaced)])
    directory.add([*changes.replaced, *changes.added])
    directory.update_metadata({new.id: metadata_change(old.metadata, new.metadata) for old, new in changes.updated})


def _by_receipt(ids: Iterable[str]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = defaultdict(list)
    for record_id in ids:
        grouped[receipt_key_of(record_id)].append(record_id)
    return dict(grouped)


def index_segments(folder: Path) -> Iterator[Path]:
    """The folders below a Chroma directory that hold an HNSW index."""
    return (header.parent for header in sorted(folder.glob(f"*/{HEADER_FILE}")))


def _tombstones(folder: Path) -> int:
    return sum(
        read_header(segment).elements - len(read_labels(segment))
        for segment in index_segments(folder)
        if (segment / PICKLE_FILE).exists()
    )

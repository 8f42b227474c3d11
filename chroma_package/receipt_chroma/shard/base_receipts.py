"""The receipts of a published base, one at a time, from its closed files: chromadb and all its other rows stay out."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.round.report import ReceiptContent

from receipt_chroma.errors import ShardInvalid
from receipt_chroma.records import Record, content_of, nothing_of
from receipt_chroma.shard.hnsw_files import DATA_FILE, Header, read_header
from receipt_chroma.shard.index import IndexedReceipt, find_receipt, read_index, read_rows
from receipt_chroma.shard.rows import ShardRows, ShardVectors
from receipt_chroma.storage.tree import INDEX_FILE


class BaseReceipts(Protocol):
    """What a base has of its receipts. Every method raises ShardInvalid for files that cannot be so, and OSError."""

    def content(self, key: str) -> ReceiptContent:
        """What it has of one receipt: nothing, when it has none."""

    def records(self, key: str) -> list[Record]:
        """The records of one receipt, in order of id, with vectors of their own."""

    def contents(self) -> dict[str, ReceiptContent]:
        """What it has of each receipt, by key in order."""


class IndexedBase:
    """A base with an index, of which a lookup reads a few pages. `records` reads a receipt's own rows, and proves them
    and its line of the index by each other; a receipt without a line is one of which the database has no id.

    `content` alone believes the line. Who wants the whole index to be proved compares what `contents` comes to with the
    manifest.
    """

    def __init__(self, folder: Path, rows: ShardRows) -> None:
        self._folder = folder
        self._rows = rows
        self._found: dict[str, IndexedReceipt | None] = {}

    def content(self, key: str) -> ReceiptContent:
        found = self._find(key)
        return found.content if found else nothing_of(key)

    def contents(self) -> dict[str, ReceiptContent]:
        return read_index((self._folder / INDEX_FILE).read_bytes())

    def records(self, key: str) -> list[Record]:
        found = self._find(key)
        if found is None:
            return []
        expected = found.content
        ids = list(self._rows.ids(receipt=ReceiptId.parse(key)))
        if len(ids) != expected.records:
            raise ShardInvalid(
                "receipts", f"{self._folder} has {len(ids)} records of {key}, its index {expected.records}"
            )
        texts = {raw.id: raw.parse() for raw in self._rows.some_rows(ids)}
        rows = read_rows(self._folder, found.first, expected.records)
        vectors = _read_vectors(self._rows.vector_folder, self._header, rows)
        records = [Record(one, vector, *texts[one]) for one, vector in zip(sorted(texts), vectors, strict=True)]
        if content_of(key, records) != expected:
            raise ShardInvalid("digest", f"the records of {key} in {self._folder} are not those of its index")
        return records

    def _find(self, key: str) -> IndexedReceipt | None:
        if key not in self._found:
            found = find_receipt(self._folder, key)
            if found is None and next(self._rows.ids(receipt=ReceiptId.parse(key)), None) is not None:
                raise ShardInvalid("receipts", f"{self._folder} has records of {key}, its index has none")
            self._found[key] = found
        return self._found[key]

    @cached_property
    def _header(self) -> Header:
        return read_header(self._rows.vector_folder)


class PlainBase:
    """A base of manifest schema version 1, without an index: ids and labels of all records are read for the first
    receipt that is asked for."""

    def __init__(self, rows: ShardRows) -> None:
        self._rows = rows

    def content(self, key: str) -> ReceiptContent:
        return content_of(key, self.records(key))

    def records(self, key: str) -> list[Record]:
        return self._read(list(self._rows.ids(receipt=ReceiptId.parse(key))))

    def contents(self) -> dict[str, ReceiptContent]:
        return {key: self.content(key) for key in sorted(self._rows.receipts())}

    def _read(self, ids: list[str]) -> list[Record]:
        if not ids:
            return []
        texts = {raw.id: raw.parse() for raw in self._rows.some_rows(ids)}
        return [Record(one, np.frombuffer(self._vectors.bits(one), "<f4"), *texts[one]) for one in ids]

    @cached_property
    def _vectors(self) -> ShardVectors:
        return self._rows.vectors()


@contextmanager
def open_base(folder: Path, collection: str) -> Iterator[BaseReceipts]:
    """A published directory, for one thread. Nothing is written to it. Raises ShardInvalid, OSError, also later."""
    with ShardRows.open(folder, collection) as rows:
        yield IndexedBase(folder, rows) if (folder / INDEX_FILE).is_file() else PlainBase(rows)


def _read_vectors(folder: Path, header: Header, rows: NDArray[np.uint32]) -> NDArray[np.float32]:
    """The vectors of these rows of the HNSW file, (rows, dimension)."""
    vectors = np.empty((len(rows), header.dimension), "<f4")
    with (folder / DATA_FILE).open("rb", buffering=0) as file:
        for vector, row in zip(vectors, rows.tolist(), strict=True):
            if row >= header.elements:
                raise ShardInvalid("receipts", f"{folder} has no row {row}")
            file.seek(row * header.element_size + header.vector_offset)
            if file.readinto(vector.view(np.uint8).data) != vector.nbytes:
                raise ShardInvalid("index_size", f"{folder / DATA_FILE} ends before row {row}")
    return vectors

"""The records of a published shard in order of id, from its closed files: chromadb would load the whole index for them.

Nothing is written and nothing is locked, so the files may be those on EFS: they never change (SQLite is told so).
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from receipt_dynamo_stream.keys import ReceiptId

from receipt_chroma.errors import ShardInvalid
from receipt_chroma.records import Metadata
from receipt_chroma.shard.chroma_dir import batches
from receipt_chroma.shard.closed_shard import receipt_key_of
from receipt_chroma.shard.hnsw_files import read_elements, read_header, read_labels, rows_by_id
from receipt_chroma.shard.sqlite_files import DOCUMENT, INTERNAL, SQLITE_FILE, VALUE, metadata_value

_IDS_AT_ONCE: Final = 500
_COLUMNS: Final = "key, string_value, int_value, float_value, bool_value"
_RAW: Final = (
    "SELECT e.embedding_id,"
    f" (SELECT json_group_array(json_array(key, {VALUE})) FROM"
    f" (SELECT {_COLUMNS} FROM embedding_metadata WHERE id = e.id ORDER BY key)),"
    f" (SELECT json_group_array(json_array(key, {VALUE})) FROM"
    f" (SELECT {_COLUMNS} FROM embedding_metadata_array WHERE id = e.id ORDER BY key, rowid))"
    " FROM embeddings e WHERE e.segment_id = ?"
)
_CONTAINING: Final = (
    " AND (instr(folded(e.embedding_id), ?) > 0 OR EXISTS (SELECT 1 FROM embedding_metadata m"
    f" WHERE m.id = e.id AND m.key = '{DOCUMENT}' AND instr(folded(m.string_value), ?) > 0))"
)


@dataclass(frozen=True, slots=True)
class RawRow:
    """One record without its vector, as SQLite has it. Equal texts are equal records; others may be, once parsed."""

    id: str
    scalars: str
    lists: str

    def parse(self) -> tuple[str | None, Metadata]:
        """Document and metadata, in normal form."""
        metadata: dict[str, Any] = {key: metadata_value(*columns) for key, *columns in json.loads(self.scalars)}
        lists: dict[str, list[Any]] = {}
        for key, *columns in json.loads(self.lists):
            lists.setdefault(key, []).append(metadata_value(*columns))
        document = metadata.pop(DOCUMENT, None)
        metadata |= lists
        return document, {key: value for key, value in metadata.items() if not key.startswith(INTERNAL)}


@dataclass(frozen=True)
class ShardVectors:
    """The vectors of a shard, read from its file where they are asked for."""

    vectors: NDArray[np.float32]
    rows: dict[str, int]

    def bits(self, record_id: str) -> bytes:
        """A record's vector: little-endian float32. Raises ShardInvalid when the index does not have it."""
        row = self.rows.get(record_id)
        if row is None:
            raise ShardInvalid("labels", f"the index has no vector of {record_id}")
        return bytes(self.vectors[row].data)


class ShardRows:
    """An open shard, for one thread at a time. Memory: what is asked for at a time, and one row of everything else."""

    def __init__(self, folder: Path, connection: sqlite3.Connection, segments: dict[str, str]) -> None:
        self._folder = folder
        self._connection = connection
        self._segment, self._vector_segment = segments["METADATA"], segments["VECTOR"]

    @classmethod
    @contextmanager
    def open(cls, folder: Path, collection: str) -> Iterator[Self]:
        """The shard in this folder. Raises ShardInvalid, also later, for what cannot be read."""
        path = folder / SQLITE_FILE
        if not path.is_file():
            raise ShardInvalid("sqlite_damaged", f"there is no {path}")
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.create_function("folded", 1, _folded, deterministic=True)
            query = "SELECT s.scope, s.id FROM segments s JOIN collections c ON c.id = s.collection WHERE c.name = ?"
            segments = dict(connection.execute(query, (collection,)).fetchall())
            if segments.keys() != {"METADATA", "VECTOR"}:
                raise ShardInvalid("collection_name", f"{path} has no collection {collection}")
            yield cls(folder, connection, segments)
        except sqlite3.Error as error:
            raise ShardInvalid("sqlite_damaged", f"{path}: {error}") from error
        finally:
            connection.close()

    def ids(self, *, containing: str = "", receipt: ReceiptId | None = None) -> Iterator[str]:
        """The ids of all records, or of one receipt's, or of those with this text in id or document, in any case."""
        where, values = "", [self._segment]
        if receipt is not None:
            # Whatever begins with the receipt and `#`; `$` is the character after it.
            where += " AND e.embedding_id >= ? AND e.embedding_id < ?"
            values += [f"{receipt.key}#", f"{receipt.key}$"]
        if containing:
            where += _CONTAINING
            values += [containing.casefold()] * 2
        query = f"SELECT e.embedding_id FROM embeddings e WHERE e.segment_id = ?{where} ORDER BY e.embedding_id"
        return (row[0] for row in self._connection.execute(query, values))

    def rows(self) -> Iterator[RawRow]:
        """Every record."""
        return (RawRow(*row) for row in self._connection.execute(f"{_RAW} ORDER BY e.embedding_id", (self._segment,)))

    def some_rows(self, ids: Sequence[str]) -> Iterator[RawRow]:
        """These records, in no order."""
        for batch in batches(ids, _IDS_AT_ONCE):
            query = f"{_RAW} AND e.embedding_id IN ({', '.join('?' * len(batch))})"
            yield from (RawRow(*row) for row in self._connection.execute(query, (self._segment, *batch)))

    def existing(self, ids: Sequence[str]) -> Iterator[str]:
        """Those of these ids that are there, in no order."""
        for batch in batches(ids, _IDS_AT_ONCE):
            some = ", ".join("?" * len(batch))
            query = f"SELECT e.embedding_id FROM embeddings e WHERE e.segment_id = ? AND e.embedding_id IN ({some})"
            yield from (row[0] for row in self._connection.execute(query, (self._segment, *batch)))

    def receipts(self) -> dict[str, int]:
        """How many records each receipt has, by key."""
        counts: dict[str, int] = {}
        for record_id in self.ids():
            key = receipt_key_of(record_id)
            counts[key] = counts.get(key, 0) + 1
        return counts

    @property
    def vector_folder(self) -> Path:
        """The folder of the index files."""
        return self._folder / self._vector_segment

    def vectors(self) -> ShardVectors:
        """The vectors; memory for an id and a number each. The files must stay while they are in use."""
        segment = self.vector_folder
        if not segment.is_dir():
            return ShardVectors(np.empty((0, 0), np.float32), {})
        try:
            elements = read_elements(segment, read_header(segment))
        except (OSError, ValueError) as error:
            raise ShardInvalid("index_size", f"{segment}: {error}") from error
        return ShardVectors(np.asarray(elements.vectors), rows_by_id(read_labels(segment), elements))


def contains(text: str, record_id: str, document: str | None) -> bool:
    """Whether id or document of a record have this text in them, in any case: what `ids(containing=…)` finds."""
    wanted = text.casefold()
    return wanted in record_id.casefold() or wanted in _folded(document)


def _folded(text: str | None) -> str:
    return text.casefold() if text is not None else ""

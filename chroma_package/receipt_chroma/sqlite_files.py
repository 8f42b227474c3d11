"""`chroma.sqlite3` of a closed directory, read without chromadb."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from receipt_chroma.errors import ShardInvalid
from receipt_chroma.records import Metadata

SQLITE_FILE: Final = "chroma.sqlite3"

_VECTOR_SEGMENT: Final = "VECTOR"
_METADATA_SEGMENT: Final = "METADATA"
DOCUMENT: Final = "chroma:document"
INTERNAL: Final = "chroma:"
# The plus keeps SQLite from the index over segment and name: by row number nothing has to be sorted, in a file.
_SCALARS: Final = (
    "SELECT e.id, e.embedding_id, m.key, m.string_value, m.int_value, m.float_value, m.bool_value"
    " FROM embeddings e LEFT JOIN embedding_metadata m ON m.id = e.id WHERE +e.segment_id = ? ORDER BY e.id"
)
_ARRAYS: Final = (
    "SELECT id, key, string_value, int_value, float_value, bool_value FROM embedding_metadata_array ORDER BY id, rowid"
)


@dataclass(frozen=True)
class SqliteFacts:
    """What SQLite says: the collection, its segments, its records' ids, and how far each segment has read the queue."""

    collections: tuple[str, ...]
    dimension: int | None
    vector_segment: str
    metadata_segment: str
    ids: tuple[str, ...]
    foreign_rows: int
    newest_queued: int
    vectors_read_to: int
    metadata_read_to: int


def check_sqlite(folder: Path) -> None:
    """Raise ShardInvalid("sqlite_damaged") unless the database is there and passes PRAGMA quick_check."""
    with _reading(folder) as connection:
        answer = [row[0] for row in connection.execute("PRAGMA quick_check(5)")]
    if answer != ["ok"]:
        raise ShardInvalid("sqlite_damaged", f"{SQLITE_FILE}: {'; '.join(map(str, answer))[:500]}")


def read_sqlite(folder: Path, collection: str) -> SqliteFacts:
    """The facts of a directory with this one collection. Raises ShardInvalid for another set, or a damaged database."""
    with _reading(folder) as connection:
        rows = connection.execute("SELECT id, name, dimension FROM collections").fetchall()
        if [name for _, name, _ in rows] != [collection]:
            raise ShardInvalid("collection_name", f"the directory has the collections {sorted(row[1] for row in rows)}")
        collection_id, _, dimension = rows[0]
        query = "SELECT scope, id FROM segments WHERE collection = ?"
        segments = dict(connection.execute(query, (collection_id,)).fetchall())
        if sorted(segments) != [_METADATA_SEGMENT, _VECTOR_SEGMENT]:
            raise ShardInvalid("sqlite_damaged", f"the collection has the segments {sorted(segments)}")
        read_to = dict(connection.execute("SELECT segment_id, seq_id FROM max_seq_id").fetchall())
        query = "SELECT embedding_id FROM embeddings WHERE segment_id = ?"
        ids = tuple(row[0] for row in connection.execute(query, (segments[_METADATA_SEGMENT],)))
        (total,) = connection.execute("SELECT count(*) FROM embeddings").fetchone()
        (newest,) = connection.execute("SELECT coalesce(max(seq_id), 0) FROM embeddings_queue").fetchone()
    return SqliteFacts(
        collections=(collection,),
        dimension=dimension,
        vector_segment=segments[_VECTOR_SEGMENT],
        metadata_segment=segments[_METADATA_SEGMENT],
        ids=ids,
        foreign_rows=total - len(ids),
        newest_queued=newest,
        vectors_read_to=read_to.get(segments[_VECTOR_SEGMENT], 0),
        metadata_read_to=read_to.get(segments[_METADATA_SEGMENT], 0),
    )


def read_texts(folder: Path, facts: SqliteFacts) -> Iterator[tuple[str, str | None, Metadata]]:
    """Id, document and metadata (in normal form) of every record, as the tables have them: chromadb takes three times
    as long. Raises ShardInvalid for a damaged database.
    """
    with _reading(folder) as connection:
        arrays = groupby(connection.execute(_ARRAYS), key=itemgetter(0))
        next_array = next(arrays, None)
        rows = connection.execute(_SCALARS, (facts.metadata_segment,))
        for (row, record_id), values in groupby(rows, key=itemgetter(0, 1)):
            metadata = {key: metadata_value(*columns) for _, _, key, *columns in values if key is not None}
            lists: dict[str, list[Any]] = {}
            while next_array is not None and next_array[0] <= row:
                if next_array[0] == row:
                    for _, key, *columns in next_array[1]:
                        lists.setdefault(key, []).append(metadata_value(*columns))
                next_array = next(arrays, None)
            document = metadata.pop(DOCUMENT, None)
            metadata |= lists
            yield record_id, document, {key: value for key, value in metadata.items() if not key.startswith(INTERNAL)}


def metadata_value(text: str | None, integer: int | None, number: float | None, truth: int | None) -> Any:
    """The one column of a metadata row that is not null."""
    if text is not None:
        return text
    if number is not None:
        return float(f"{number:.15g}")  # normal form: the stored double may be off in its last digit
    return integer if integer is not None else bool(truth)


@contextmanager
def _reading(folder: Path) -> Iterator[sqlite3.Connection]:
    path = folder / SQLITE_FILE
    if not path.is_file():
        raise ShardInvalid("sqlite_damaged", f"there is no {SQLITE_FILE}")
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        yield connection
    except sqlite3.Error as error:
        raise ShardInvalid("sqlite_damaged", f"{SQLITE_FILE}: {error}") from error
    finally:
        connection.close()

"""`chroma.sqlite3` of a closed directory, read and made small without chromadb."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from receipt_chroma.errors import ChromaUnreadable, ShardInvalid
from receipt_chroma.records import Metadata
from receipt_chroma.storage.room import disk_full, is_disk_full

SQLITE_FILE: Final = "chroma.sqlite3"

_VACUUM_FROM_ONE_IN: Final = 10
_DROPPED_SUFFIXES: Final = ("-wal", "-shm", "-journal")
_VECTOR_SEGMENT: Final = "VECTOR"
_METADATA_SEGMENT: Final = "METADATA"
DOCUMENT: Final = "chroma:document"
INTERNAL: Final = "chroma:"
# One column of a row is not null. Text and integers are passed on as they are.
VALUE: Final = "coalesce(string_value, int_value), float_value, bool_value"
_SCALARS: Final = (
    f"SELECT e.id, e.embedding_id, key, {VALUE} FROM embeddings e LEFT JOIN embedding_metadata m ON m.id = e.id"
    " WHERE {which} ORDER BY e.id"
)
_ARRAYS: Final = (
    f"SELECT e.id, key, {VALUE} FROM embeddings e JOIN embedding_metadata_array a ON a.id = e.id"
    " WHERE {which} ORDER BY e.id, a.rowid"
)
# The plus keeps SQLite from the index over segment and name: by row number nothing has to be sorted, in a file.
_ALL: Final = "+e.segment_id = ?"
_THESE: Final = "e.segment_id = ? AND e.embedding_id IN (SELECT value FROM json_each(?))"


Text = tuple[str, str | None, Metadata]
"""Id, document and metadata (in normal form) of a record."""


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


def read_texts(folder: Path, facts: SqliteFacts, ids: Sequence[str] | None = None) -> Iterator[Text]:
    """Every record, or those of `ids` that are there, as the tables have them: chromadb takes three times as long.

    In the order of the tables' rows. Raises ShardInvalid for a damaged database.
    """
    which, values = (_ALL, ()) if ids is None else (_THESE, (json.dumps(list(ids)),))
    with _reading(folder) as connection:
        arrays = connection.execute(_ARRAYS.format(which=which), (facts.metadata_segment, *values))
        rows = connection.execute(_SCALARS.format(which=which), (facts.metadata_segment, *values))
        array = next(arrays, None)
        last, record_id, document, metadata = None, "", None, dict[str, Any]()
        for row, name, key, plain, number, truth in rows:
            if row != last:
                if last is not None:
                    yield record_id, document, metadata
                last, record_id, document, metadata = row, name, None, {}
                while array is not None and array[0] == row:
                    metadata.setdefault(array[1], []).append(metadata_value(*array[2:]))
                    array = next(arrays, None)
            if key == DOCUMENT:
                document = plain
            elif key is not None and not key.startswith(INTERNAL) and key not in metadata:
                metadata[key] = plain if plain is not None else metadata_value(plain, number, truth)
        if last is not None:
            yield record_id, document, metadata


def metadata_value(plain: str | int | None, number: float | None, truth: int | None) -> Any:
    if plain is not None:
        return plain
    if number is not None:
        return float(f"{number:.15g}")  # normal form: the stored double may be off in its last digit
    return bool(truth)


def compact_sqlite(path: Path) -> None:
    """VACUUM the closed directory's SQLite file where it pays: what is copied, hashed and uploaded then is smaller.

    It pays from one unused page in ten. The compact file is written beside the other one and takes its place: in
    place SQLite would write three times as much. Raises ChromaUnreadable when a journal is left behind, since its
    content would be lost with the file alone.
    """
    database, compact = path / SQLITE_FILE, path / f"{SQLITE_FILE}-compact"
    connection = sqlite3.connect(database)
    try:
        connection.execute("PRAGMA journal_mode=DELETE")
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (unused,) = connection.execute("PRAGMA freelist_count").fetchone()
        pays = unused * _VACUUM_FROM_ONE_IN >= pages
        if pays:
            connection.execute("VACUUM INTO ?", (str(compact),))
    except sqlite3.Error as error:
        if is_disk_full(error):
            raise disk_full(error) from error
        raise ChromaUnreadable(f"{database}: {error}") from error
    finally:
        connection.close()
    if pays:
        compact.replace(database)
    left = [suffix for suffix in _DROPPED_SUFFIXES if Path(f"{database}{suffix}").exists()]
    if left:
        raise ChromaUnreadable(f"{database}: {left} are left after the last close")


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

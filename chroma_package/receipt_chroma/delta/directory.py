"""A stranger's Chroma directory, read without chromadb: tables, index and queue, once they agree.

chromadb trusts a directory: it follows the links of its graph in native code, unpickles, migrates and runs what the
database defines. So none of that is asked of it here. A directory says its records in three places: the tables have
ids, documents and metadata, the index has vectors, and the queue has whatever either has not taken over yet.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from receipt_chroma.delta.archive import Files
from receipt_chroma.delta.bounds import MAX_DIMENSION, OF_A_DELTA, Bounds
from receipt_chroma.delta.index import queued_vector, read_index
from receipt_chroma.delta.tables import Tables
from receipt_chroma.errors import DeltaCorrupt, DeltaTooLarge, WrongCollection, WrongSpace
from receipt_chroma.records import Record
from receipt_chroma.shard.sqlite_files import DOCUMENT, INTERNAL, SQLITE_FILE

SPACE: Final = "l2"
LEFT_OPEN: Final = ("-wal", "-journal")
_ADD, _UPDATE, _UPSERT, _DELETE = range(4)
_SEGMENT: Final = re.compile(r"[\w-]{1,64}", re.ASCII)
_VALUES: Final = ("string_value", "int_value", "float_value", "bool_value")


@dataclass(frozen=True, slots=True)
class _Entry:
    """One change in the queue."""

    place: int
    operation: int
    record_id: str
    vector: object
    encoding: object
    metadata: Mapping[str, Any]


@dataclass
class _Content:
    """Documents and metadata, and vectors, by id; both change as the queue says."""

    metadata: dict[str, dict[str, Any]] = field(default_factory=dict)
    vectors: dict[str, NDArray[np.float32]] = field(default_factory=dict)


def read_directory(files: Files, collection: str) -> list[Record]:
    """The records of a Chroma directory, metadata as written. Raises subclasses of DeltaRefused."""
    databases = [name for name in files if name.rpartition("/")[2] == SQLITE_FILE]
    if len(databases) != 1:
        raise DeltaCorrupt(f"the directory has {len(databases)} files named {SQLITE_FILE}, not one")
    database = databases[0]
    for suffix in LEFT_OPEN:
        if files.get(database + suffix):
            raise DeltaCorrupt(f"the directory was copied while it was written: it has {SQLITE_FILE}{suffix}")
    with Tables.open(files[database]) as tables:
        return read_tables(tables, files, database.removesuffix(SQLITE_FILE), collection)


def read_tables(
    tables: Tables,
    files: Mapping[str, bytes | memoryview],
    root: str,
    collection: str,
    bounds: Bounds = OF_A_DELTA,
    *,
    beside_others: bool = False,
) -> list[Record]:
    """The records of the directory's collection; `files` has its index below `root`.

    beside_others: the directory may have further collections. Raises subclasses of DeltaRefused.
    """
    collection_id, dimension = _collection(tables, collection, beside_others=beside_others)
    vectors_of, rows_of = _segments(tables, collection_id)
    read_to = {segment: _place(place) for segment, place in tables.rows("max_seq_id", "segment_id", "seq_id")}
    index = read_index(files, f"{root}{vectors_of}", dimension, bounds)
    content = _Content(_metadata(tables, rows_of, bounds.records), dict(index.vectors))
    vectors_to = read_to.get(vectors_of, index.read_to or 0)
    for entry in _queue(tables, collection_id, bounds, after=min(vectors_to, read_to.get(rows_of, 0))):
        if entry.place > read_to.get(rows_of, 0):
            _apply_to_metadata(content.metadata, entry)
        if entry.place > vectors_to:
            _apply_to_vectors(content.vectors, entry, dimension)
    if content.metadata.keys() != content.vectors.keys():
        only = sorted(content.metadata.keys() ^ content.vectors.keys())
        raise DeltaCorrupt(
            f"the directory's tables have {len(content.metadata)} records, index and queue {len(content.vectors)}"
            f" vectors, not of the same: {only[0][:200]!r} is in one of them"
        )
    return [_record(one, content.vectors[one], metadata) for one, metadata in content.metadata.items()]


def _record(record_id: str, vector: NDArray[np.float32], metadata: Mapping[str, Any]) -> Record:
    document = metadata.get(DOCUMENT)
    if document is not None and not isinstance(document, str):
        raise DeltaCorrupt(f"the directory's document of {record_id[:200]!r} is no text")
    own = {key: value for key, value in metadata.items() if not key.startswith(INTERNAL)}
    return Record(record_id, vector, document, own)


def _collection(tables: Tables, wanted: str, *, beside_others: bool) -> tuple[str, int | None]:
    """Id and dimension of the one collection."""
    rows = list(tables.rows("collections", "id", "name", "dimension", "config_json_str", "schema_str"))
    names = sorted(str(row[1])[:100] for row in rows)
    if beside_others:
        rows = [row for row in rows if row[1] == wanted]
    if [row[1] for row in rows] != [wanted]:
        raise WrongCollection(f"the Chroma directory has the collections {names[:10]}, not {[wanted]}")
    collection_id, _, dimension, *texts = rows[0]
    if not isinstance(collection_id, str) or not collection_id:
        raise DeltaCorrupt("the directory's collection has no id")
    if dimension is not None and (type(dimension) is not int or not 0 < dimension <= MAX_DIMENSION):
        raise DeltaCorrupt(f"the collection has {str(dimension)[:40]} dimensions; {MAX_DIMENSION} is the most")
    # Before chromadb 1.0 the space stood in the metadata, and the configuration, which says l2 for all, did not count.
    spaces = {space for text in texts for space in _spaces(_json(text))}
    owners = {str(segment) for segment, of in tables.rows("segments", "id", "collection") if of == collection_id}
    for table, owner_in in (("collection_metadata", "collection_id"), ("segment_metadata", "segment_id")):
        spaces |= {
            str(value)
            for owner, key, value in tables.rows(table, owner_in, "key", "str_value")
            if key == "hnsw:space" and (not beside_others or owner in owners | {collection_id})
        }
    others = sorted(spaces - {SPACE})
    if others:
        raise WrongSpace(f"the directory's collection measures in {others[0][:40]}, not {SPACE}")
    return collection_id, dimension


def _spaces(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "space" and isinstance(inner, str):
                yield inner
            else:
                yield from _spaces(inner)


def _segments(tables: Tables, collection_id: str) -> tuple[str, str]:
    """The ids of the vector segment, which is its folder's name, and of the metadata segment."""
    rows = tables.rows("segments", "id", "scope", "collection")
    own = sorted((scope, segment) for segment, scope, of in rows if of == collection_id and isinstance(scope, str))
    if [scope for scope, _ in own] != ["METADATA", "VECTOR"]:
        raise DeltaCorrupt(f"the directory's collection has the segments {[scope[:40] for scope, _ in own[:10]]}")
    (_, rows_of), (_, vectors_of) = own
    if not all(isinstance(segment, str) and _SEGMENT.fullmatch(segment) for segment in (rows_of, vectors_of)):
        raise DeltaCorrupt("the directory's collection has a segment whose id is no name")
    return vectors_of, rows_of


def _metadata(tables: Tables, segment: str, most: int) -> dict[str, dict[str, Any]]:
    """Metadata by id, the document among them as Chroma has it."""
    found: dict[int, dict[str, Any]] = {}
    ids: dict[str, int] = {}
    for row, of, record_id in tables.rows("embeddings", "id", "segment_id", "embedding_id"):
        if of != segment:
            continue
        if type(row) is not int or not isinstance(record_id, str) or row in found or record_id in ids:
            raise DeltaCorrupt(f"the directory's table has {str(record_id)[:200]!r} twice, or as no text")
        found[row], ids[record_id] = {}, row
    if len(ids) > most:
        raise DeltaTooLarge(f"the directory has {len(ids)} records, more than {most}")
    for row, key, *columns in tables.rows("embedding_metadata", "id", "key", *_VALUES):
        if row not in found:
            continue
        if not isinstance(key, str) or key in found[row]:
            raise DeltaCorrupt(f"the directory's metadata has the key {str(key)[:200]!r} twice, or as no text")
        found[row][key] = _value(key, *columns)
    if tables.columns("embedding_metadata_array"):
        lists: dict[tuple[int, str], list[Any]] = {}
        for row, key, *columns in tables.rows("embedding_metadata_array", "id", "key", *_VALUES):
            if row not in found:
                continue
            if not isinstance(key, str) or key in found[row]:
                raise DeltaCorrupt(f"the directory's metadata has {str(key)[:200]!r} as a value and as a list")
            lists.setdefault((row, key), []).append(_value(key, *columns))
        for (row, key), values in lists.items():
            found[row][key] = values
    return {record_id: found[row] for record_id, row in ids.items()}


def _value(key: str, text: object, integer: object, number: object, truth: object) -> Any:
    if type(text) is str and integer is number is truth is None:
        return text  # as nearly all are
    given = [value for value in (text, integer, number, truth) if value is not None]
    if len(given) > 1:
        raise DeltaCorrupt(f"the directory's metadata {key[:200]!r} has several values")
    fits = (
        (text is None or isinstance(text, str))
        and (integer is None or type(integer) is int)
        and (number is None or isinstance(number, float))
        and (truth is None or truth in (0, 1))
    )
    if not fits:
        raise DeltaCorrupt(f"the directory's metadata {key[:200]!r} has a value of another type than its column")
    return None if not given else bool(truth) if truth is not None else given[0]


def _queue(tables: Tables, collection_id: str, bounds: Bounds, *, after: int) -> Iterable[_Entry]:
    """The collection's entries behind a place, oldest first; a queue that is never emptied holds every vector."""
    entries, size = [], 0
    columns = ("seq_id", "operation", "topic", "id", "vector", "encoding", "metadata")
    for place, operation, topic, record_id, vector, encoding, metadata in tables.rows("embeddings_queue", *columns):
        if not isinstance(topic, str) or topic.rpartition("/")[2] != collection_id:
            continue  # of a collection that was deleted
        if operation not in (_ADD, _UPDATE, _UPSERT, _DELETE) or not isinstance(record_id, str):
            raise DeltaCorrupt(f"the directory's queue has an entry of the operation {str(operation)[:40]}")
        if (at := _place(place)) <= after:
            continue
        size += len(metadata) if isinstance(metadata, str) else 0
        if size > bounds.text_bytes:
            raise DeltaTooLarge(f"the directory's queue has more than {bounds.text_bytes} bytes of metadata")
        values = _json(metadata)
        if not isinstance(values, dict):
            raise DeltaCorrupt(f"the directory's queue has metadata of {record_id[:200]!r} that is no JSON object")
        entries.append(_Entry(at, operation, record_id, vector, encoding, values))
    return sorted(entries, key=lambda entry: entry.place)


def _takes(entry: _Entry, there: bool) -> bool:
    """Whether an entry that brings something counts: adding what is there does not, nor updating what is not."""
    return entry.operation == _UPSERT or there == (entry.operation == _UPDATE)


def _apply_to_metadata(metadata: dict[str, dict[str, Any]], entry: _Entry) -> None:
    if entry.operation == _DELETE:
        metadata.pop(entry.record_id, None)
    elif _takes(entry, entry.record_id in metadata):
        metadata.setdefault(entry.record_id, {}).update(entry.metadata)


def _apply_to_vectors(vectors: dict[str, NDArray[np.float32]], entry: _Entry, dimension: int | None) -> None:
    if entry.operation == _DELETE:
        vectors.pop(entry.record_id, None)
    elif entry.vector is not None and _takes(entry, entry.record_id in vectors):
        vectors[entry.record_id] = queued_vector(entry.vector, entry.encoding, dimension)


def _place(value: object) -> int:
    """A place in the queue; old releases wrote eight bytes."""
    if isinstance(value, bytes) and len(value) == 8:
        return int.from_bytes(value, "big")
    if type(value) is not int:
        raise DeltaCorrupt("the directory's queue has a place that is no number")
    return value


def _json(text: object) -> Any:
    if text is None:
        return {}
    if not isinstance(text, str):
        raise DeltaCorrupt("the directory's database has JSON that is no text")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DeltaCorrupt(f"the directory's database has JSON that cannot be read: {error}") from error

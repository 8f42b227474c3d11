"""What may have happened to a delta's files, each with the words for it: a case that fails says what was done."""

import sqlite3
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from hypothesis import strategies as st

from .strangers import Files, index_file

TABLES = {
    "collections": ("id", "name", "dimension", "config_json_str", "schema_str"),
    "segments": ("id", "scope", "collection", "type"),
    "max_seq_id": ("segment_id", "seq_id"),
    "embeddings": ("id", "segment_id", "embedding_id", "seq_id"),
    "embedding_metadata": ("id", "key", "string_value", "int_value", "float_value", "bool_value"),
    "embedding_metadata_array": ("id", "key", "string_value", "int_value", "bool_value"),
    "embeddings_queue": ("seq_id", "operation", "topic", "id", "vector", "encoding", "metadata"),
    "collection_metadata": ("key", "str_value"),
}
numbers = st.sampled_from([0, 1, 2, 7, 255, 1 << 15, 1 << 31, (1 << 32) - 1, 1 << 62, (1 << 63) - 1])
values = st.sampled_from(
    [
        *("NULL", "0", "-1", "1.5", "9e999", "''", "'x'", "x'00'", "x'0000000000000001'", "4611686018427387904", "'{'"),
        *('\'{"space": "ip"}\'', "zeroblob(2000000)", "char(0, 10, 55357)", "randomblob(32)", "CAST(x'ff' AS TEXT)"),
    ]
)


@dataclass(frozen=True)
class Damage:
    """What it makes of files, and that in words, which count files in the order of their names."""

    what: str
    to: Callable[[Files], Files] = field(repr=False)


@st.composite
def byte_damages(draw: st.DrawFn) -> Damage:
    """One file has other bytes: flipped, cut, repeated, or numbers in their place."""
    place, kind = draw(st.floats(0, 1, exclude_max=True)), draw(st.sampled_from(["flip", "cut", "twice", "u32", "u64"]))
    which, bit, number = draw(st.integers(0, 9)), draw(st.integers(0, 7)), draw(numbers)

    def damage(files: Files) -> Files:
        name = sorted(files)[which % len(files)]
        content = bytearray(files[name])
        if not content:
            return files
        at = int(place * len(content))
        if kind == "flip":
            content[at] ^= 1 << bit
        elif kind == "cut":
            del content[at:]
        elif kind == "twice":
            content[at:at] = content[at : at + 512]
        else:
            packed = struct.pack("<Q", number)[: 4 if kind == "u32" else 8]
            content[at : at + len(packed)] = packed
        return {**files, name: bytes(content)}

    more = {"flip": f" of bit {bit}", "u32": f" {number}", "u64": f" {number}"}.get(kind, "")
    return Damage(f"{kind}{more} at {place!r} of file {which}", damage)


@st.composite
def table_damages(draw: st.DrawFn) -> Damage:
    """The database says something else, in SQL."""
    table = draw(st.sampled_from(sorted(TABLES)))
    column = draw(st.sampled_from(TABLES[table]))
    value, every = draw(values), draw(st.integers(1, 7))
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    statement = draw(
        st.sampled_from(
            [
                f"UPDATE {table} SET {column} = {value} WHERE rowid % {every} = 0",
                f"UPDATE OR REPLACE {table} SET {column} = {value}",
                f"DELETE FROM {table} WHERE rowid % {every} = 0",
                f"DROP TABLE {table}",
                f"ALTER TABLE {table} RENAME TO other",
                f"ALTER TABLE {table} RENAME COLUMN {column} TO other",
                f"ALTER TABLE {table} ADD COLUMN more AS ({value})",
                f"INSERT OR IGNORE INTO {table} ({column}) VALUES ({value})",
                f"CREATE VIEW other AS {endless} SELECT i FROM n",
                f"CREATE INDEX other ON {table} ({column}) WHERE {column} > {value}",
                f"CREATE TABLE other AS SELECT * FROM {table}",
                "PRAGMA writable_schema = 1; UPDATE sqlite_master SET sql = replace(sql, 'TEXT', 'BLOB')",
                "PRAGMA writable_schema = 1; UPDATE sqlite_master SET rootpage = rootpage + 1 WHERE rootpage > 1",
                f"PRAGMA writable_schema = 1; UPDATE sqlite_master SET type = 'view' WHERE name = '{table}'",
                f"PRAGMA writable_schema = 1; UPDATE sqlite_master SET sql = '{endless.replace('n(i)', 'm(i)')}'",
            ]
        )
    )

    def damage(files: Files) -> Files:
        if not files.get("chroma.sqlite3"):  # SQLite has no memory for a database of nothing
            return files
        connection = sqlite3.connect(":memory:", isolation_level=None)
        with suppress(sqlite3.Error, UnicodeError):  # a database damaged before: its messages need not be text
            connection.deserialize(files["chroma.sqlite3"])
            connection.executescript(statement)
        content = files["chroma.sqlite3"]
        with suppress(sqlite3.Error):
            content = connection.serialize()
        connection.close()
        return {**files, "chroma.sqlite3": content}

    return Damage(statement, damage)


@st.composite
def index_damages(draw: st.DrawFn) -> Damage:
    """A number of the index's header, an element or the pickle is another one."""
    name = draw(st.sampled_from(["header.bin", "data_level0.bin", "link_lists.bin", "index_metadata.pickle"]))
    at, number, size = draw(st.integers(0, 300)), draw(numbers), draw(st.sampled_from([1, 4, 8]))

    def damage(files: Files) -> Files:
        if len(files) < 2 or not any(path.endswith(f"/{name}") for path in files):
            return files
        path = index_file(files, name)
        return {**files, path: files[path][:at] + struct.pack("<Q", number)[:size] + files[path][at + size :]}

    return Damage(f"{size} bytes of {number} at {at} of {name}", damage)


@st.composite
def name_damages(draw: st.DrawFn) -> Damage:
    """A file is missing, or has another name."""
    which = draw(st.integers(0, 9))
    name = draw(st.none() | st.sampled_from(["x", "a/chroma.sqlite3", "é\n", "d/" * 200, "chroma.sqlite3-journal"]))

    def damage(files: Files) -> Files:
        old = sorted(files)[which % len(files)]
        if len(files) < 2:
            return files
        return {(name if one == old and name else one): files[one] for one in files if one != old or name}

    return Damage(f"file {which}, is {'away' if name is None else repr(name)}", damage)


damages = st.lists(byte_damages() | table_damages() | index_damages() | name_damages(), min_size=1, max_size=3)

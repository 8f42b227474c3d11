"""The tables of a stranger's `chroma.sqlite3`, read whole and plainly, from memory.

SQLite gets no chance to do what the file says: what is read must be tables, not views; no index of the file is used,
no trigger, generated column or virtual table; nothing is joined, sorted or searched there. Types, which SQLite does not
hold, are looked at row by row.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from receipt_chroma.delta.bounds import MAX_SQLITE_VALUE, OF_A_DELTA, Bounds
from receipt_chroma.errors import DeltaCorrupt, DeltaTooLarge

_MAGIC: Final = b"SQLite format 3\0"
_VERSIONS: Final = slice(18, 20)
_OWN_VIRTUAL_TABLES: Final = "embedding_fulltext"
_SIZED: Final = frozenset((str, bytes))

Row = tuple[Any, ...]


class Tables:
    """An open database. Every method raises DeltaCorrupt or DeltaTooLarge."""

    def __init__(self, connection: sqlite3.Connection, bounds: Bounds) -> None:
        self._connection = connection
        self._bounds = bounds
        self._columns: dict[str, set[str]] = {}
        for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master"):
            self._look_at(kind, str(name), str(sql or ""))

    @classmethod
    @contextmanager
    def open(cls, database: bytes | Path, bounds: Bounds = OF_A_DELTA) -> Iterator["Tables"]:
        """The database of a file's content, or of a file that nobody writes to; nothing is written beside it."""
        connection = sqlite3.connect(":memory:")
        try:
            if isinstance(database, Path):
                connection.close()
                connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
            elif not database.startswith(_MAGIC):
                raise DeltaCorrupt("the directory's database is no SQLite file")
            else:
                # A database that was in WAL mode, without its log: SQLite opens such a one from files only.
                copy = bytearray(database)
                copy[_VERSIONS] = b"\1\1"
                connection.deserialize(copy)
                del copy  # SQLite has one of its own
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_SQLITE_VALUE)
            connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
            for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "query_only=ON", "temp_store=MEMORY"):
                connection.execute(f"PRAGMA {pragma}")
            yield cls(connection, bounds)
        except (sqlite3.Error, OverflowError, UnicodeError) as error:
            # SQLite's own limit, beside damage: a value too large is said as such.
            kind = DeltaTooLarge if "too big" in str(error) else DeltaCorrupt
            raise kind(f"the directory's database cannot be read: {error}") from error
        finally:
            connection.close()

    def columns(self, table: str) -> set[str]:
        """The columns of a table, none when it is not there."""
        return self._columns.get(table, set())

    def rows(self, table: str, *columns: str) -> Iterator[Row]:
        """All rows of a table, in its own order; of a column that this release of Chroma does not have, None."""
        there = self.columns(table)
        if not there:
            raise DeltaCorrupt(f"the directory's database has no table {table}")
        answer = self._connection.execute(f"PRAGMA quick_check({table})").fetchone()
        if answer != ("ok",):
            raise DeltaCorrupt(f"the directory's database is damaged: {answer}")
        asked = ", ".join(column if column in there else "NULL" for column in columns)
        size, bounds = 0, self._bounds
        asking = f"SELECT {asked} FROM {table} NOT INDEXED"  # noqa: S608 -- names are our own
        for count, row in enumerate(self._connection.execute(asking), start=1):
            for value in row:
                if type(value) in _SIZED:
                    size += len(value)
            if count > bounds.rows or size > bounds.table_bytes:
                raise DeltaTooLarge(
                    f"the directory's table {table} has more than {bounds.rows} rows or {bounds.table_bytes} bytes"
                )
            yield row

    def _look_at(self, kind: str, name: str, sql: str) -> None:
        if kind not in ("table", "index"):
            raise DeltaCorrupt(f"the directory's database has the {kind} {name!r}: Chroma's has tables and indexes")
        if kind == "index" or name.startswith("sqlite_"):
            return
        if not sql.upper().startswith("CREATE TABLE"):
            if not name.startswith(_OWN_VIRTUAL_TABLES):
                raise DeltaCorrupt(f"the directory's {name!r} is no plain table")
            return
        if name.startswith(_OWN_VIRTUAL_TABLES) or not name.isidentifier():
            return
        found = self._connection.execute(f"PRAGMA table_xinfo({name})").fetchall()
        if any(hidden for *_, hidden in found):
            raise DeltaCorrupt(f"the directory's table {name!r} has columns that are computed")
        self._columns[name] = {str(column) for _, column, *_ in found}

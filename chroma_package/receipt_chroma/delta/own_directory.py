"""A whole collection's Chroma directory, as an operator has it: read by the same readers as a delta's, file by file.

Nothing is written to the directory and chromadb is not asked, so that whatever release wrote it stays able to open it.
"""

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from receipt_chroma.delta.bounds import OF_OWN
from receipt_chroma.delta.directory import LEFT_OPEN, read_tables
from receipt_chroma.delta.tables import Tables
from receipt_chroma.errors import DeltaCorrupt
from receipt_chroma.records import Record
from receipt_chroma.shard.sqlite_files import SQLITE_FILE


@contextmanager
def own_directory(folder: Path, collection: str) -> Iterator[list[Record]]:
    """The records of one collection of a Chroma directory, metadata as written; it may have other collections too.

    Memory: ids, documents and metadata. Vectors are views into the files, so the directory must stay as it is inside.
    Raises subclasses of DeltaRefused for what is no such directory, also when something still writes to it.
    """
    database = folder / SQLITE_FILE
    if not database.is_file():
        raise DeltaCorrupt(f"{folder} has no {SQLITE_FILE}: it is no Chroma directory")
    for suffix in LEFT_OPEN:
        left = database.with_name(SQLITE_FILE + suffix)
        if left.exists() and left.stat().st_size:
            raise DeltaCorrupt(f"{left} is there: something writes to the directory, or was killed; close it first")
    files = {path.relative_to(folder).as_posix(): _mapped(path) for path in folder.glob("*/*") if path.is_file()}
    with Tables.open(database, OF_OWN) as tables:
        records = read_tables(tables, files, "", collection, OF_OWN, beside_others=True)
    yield records


def _mapped(path: Path) -> bytes | memoryview:
    """The bytes of a file, without a copy of them."""
    if path.stat().st_size == 0:
        return b""
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

"""Deltas in S3: read in three formats, written in one.

A delta is the records to upsert for one receipt in one collection, immutable, under its run's prefix:
`delta.arrow` (see arrow.py), or `delta.tar.gz` with a Chroma directory, or such a directory as loose objects. A Chroma
directory holds one collection with the target's name in the l2 space.
"""

import tempfile
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.keys import ReceiptId

from receipt_chroma.delta.archive import unpack
from receipt_chroma.delta.arrow import read_arrow_delta
from receipt_chroma.delta.arrow import write_arrow_delta as write_arrow_delta
from receipt_chroma.delta.checks import checked_records
from receipt_chroma.delta.objects import (
    MAX_DELTA_BYTES,
    chroma_folder,
    fetch_loose_directory,
    read_object,
    remove_folder,
)
from receipt_chroma.errors import (
    ChromaUnreadable,
    DeltaCorrupt,
    DeltaMissing,
    DeltaPrefixMissing,
    DiskFull,
    ShardInvalid,
    WrongCollection,
    WrongSpace,
)
from receipt_chroma.records import Record
from receipt_chroma.shard.chroma_dir import SPACE, ChromaDir, collection_names
from receipt_chroma.shard.hnsw_files import HEADER_FILE, check_sizes, read_header
from receipt_chroma.shard.sqlite_files import check_sqlite
from receipt_chroma.storage.room import LITTLE, free_bytes

ARROW_FILE: Final = "delta.arrow"
TAR_FILE: Final = "delta.tar.gz"

DeltaRecord = Record
"""A record as a delta has it."""

# chromadb is opened by one thread at a time: the directories are small, and so the memory in use stays that of one
# delta.
_chroma_lock = threading.Lock()


def write_arrow_delta_to(bucket: Bucket, prefix: str, records: Sequence[Record]) -> str:
    """Upload `delta.arrow` below a prefix; returns its key. Raises TransientServiceError."""
    key = f"{prefix.rstrip('/')}/{ARROW_FILE}"
    bucket.put(key, write_arrow_delta(records))
    return key


def read_delta(
    bucket: Bucket, prefix: str, *, collection: str, receipt: ReceiptId, dimension: int | None, workdir: Path
) -> list[Record]:
    """The records of one delta, checked, metadata in normal form; an empty delta gives none.

    The prefix names a folder, or one object that ends with `.arrow` or `.tar.gz`. `dimension` is the
    collection's, None while it has none: then the delta's first vector decides for the delta. Raises subclasses of
    DeltaRefused for content only; access, throttling and timeouts raise as they are.
    """
    found = _read_format(bucket, prefix, collection, workdir)
    return checked_records(found, collection=collection, receipt=receipt, dimension=dimension)


def _read_format(bucket: Bucket, prefix: str, collection: str, workdir: Path) -> Iterable[Record]:
    prefix = prefix.rstrip("/")
    if not prefix or not bucket.name:
        raise DeltaPrefixMissing("the run names no delta prefix for this collection")
    names_object = prefix.endswith((".arrow", ".tar.gz"))
    if not prefix.endswith(".tar.gz"):
        content = read_object(bucket, prefix if names_object else f"{prefix}/{ARROW_FILE}")
        if content is not None:
            return read_arrow_delta(content)
    if not prefix.endswith(".arrow"):
        content = read_object(bucket, prefix if names_object else f"{prefix}/{TAR_FILE}")
        if content is not None:
            return _read_tar(content, collection, workdir)
    if names_object:
        raise DeltaMissing(f"s3://{bucket.name}/{prefix} is not there")
    return _read_loose(bucket, f"{prefix}/", collection, workdir)


def _read_tar(content: bytes, collection: str, workdir: Path) -> list[Record]:
    private = Path(tempfile.mkdtemp(dir=workdir, prefix="delta-"))
    try:
        archive = private / TAR_FILE
        archive.write_bytes(content)
        unpack(archive, private / "unpacked", max_bytes=MAX_DELTA_BYTES)
        return _read_chroma(chroma_folder(private / "unpacked"), collection)
    finally:
        remove_folder(private)


def _read_loose(bucket: Bucket, prefix: str, collection: str, workdir: Path) -> list[Record]:
    private = Path(tempfile.mkdtemp(dir=workdir, prefix="delta-"))
    try:
        return _read_chroma(fetch_loose_directory(bucket, prefix, private), collection)
    finally:
        remove_folder(private)


def _read_chroma(folder: Path, collection: str) -> list[Record]:
    """All records of a private Chroma directory; vectors that are still in its queue are read as well."""
    try:
        # Before chromadb sees them: it loads a truncated index without a word, and native code may crash on one.
        check_sqlite(folder)
        for header in folder.glob(f"*/{HEADER_FILE}"):
            check_sizes(header.parent, read_header(header.parent), padded=True)
        with _chroma_lock:
            names = collection_names(folder)
            if names != [collection]:
                raise WrongCollection(f"the delta's Chroma directory has the collections {names}, not {[collection]}")
            with ChromaDir.open(folder, collection) as directory:
                spaces = {directory.space, _old_space(directory)} - {SPACE}
                if spaces:
                    raise WrongSpace(f"the delta's collection measures in {spaces.pop()}, not {SPACE}")
                rows = list(directory.rows(directory.ids()))
    except (ChromaUnreadable, ShardInvalid) as error:
        if free_bytes(folder) < LITTLE:  # no fault of the delta
            raise DiskFull(folder, free_bytes(folder), None) from error
        raise DeltaCorrupt(f"the delta's Chroma directory cannot be read: {error}") from error
    return [Record(name, vector, text, dict(metadata or {})) for name, vector, text, metadata in rows]  # type: ignore[arg-type]


def _old_space(directory: ChromaDir) -> str:
    """The space that the collection's metadata names: before chromadb 1.0 it stood there, and the configuration, which
    says l2 for all of them, did not count."""
    return str((directory.collection.metadata or {}).get("hnsw:space", SPACE))

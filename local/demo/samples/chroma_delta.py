"""Deltas as older producers make them: a plain Chroma directory with one collection named like its target."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from local.demo.samples.records import Record

# Producers keep Chroma's defaults here: so few vectors stay in the write-ahead log, and the index files are empty.
_CONFIGURATION = {"hnsw": {"space": "l2"}}


def chroma_tar(collection: str, records: Sequence[Record]) -> bytes:
    """The bytes of a `delta.tar.gz`."""
    with tempfile.TemporaryDirectory(prefix="delta-") as folder:
        write_chroma_directory(Path(folder), collection, records)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as tar:
            tar.add(folder, arcname=".")
        return packed.getvalue()


def chroma_files(collection: str, records: Sequence[Record]) -> dict[str, bytes]:
    """The same directory as loose files: path relative to the delta's prefix -> bytes."""
    with tempfile.TemporaryDirectory(prefix="delta-") as folder:
        write_chroma_directory(Path(folder), collection, records)
        files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def write_chroma_directory(folder: Path, collection: str, records: Sequence[Record]) -> None:
    """Make a Chroma directory of the records in an empty folder."""
    import chromadb  # heavy: only who writes this format pays for it

    client = chromadb.PersistentClient(str(folder), settings=chromadb.Settings(anonymized_telemetry=False))
    try:
        target = client.create_collection(collection, embedding_function=None, configuration=_CONFIGURATION)
        target.add(
            ids=[record.id for record in records],
            embeddings=np.stack([record.embedding for record in records]),
            documents=[record.document for record in records],
            metadatas=[record.metadata for record in records],
        )
    finally:
        client.close()

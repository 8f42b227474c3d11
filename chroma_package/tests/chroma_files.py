"""Chroma directories as producers write them, made with plain chromadb."""

import io
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import chromadb
from chromadb.config import Settings
from receipt_chroma.records import Record


def chroma_directory(
    folder: Path, records: Sequence[Record], *, name: str = "words", space: str = "l2", **hnsw: Any
) -> Path:
    """A directory with one collection; without `sync_threshold` small ones keep their vectors in the queue."""
    client = chromadb.PersistentClient(path=str(folder), settings=Settings(anonymized_telemetry=False))
    collection = client.create_collection(
        name, embedding_function=None, configuration={"hnsw": {"space": space, **hnsw}}
    )
    if records:
        collection.add(
            ids=[record.id for record in records],
            embeddings=[record.embedding for record in records],
            documents=[record.document for record in records],
            metadatas=[record.metadata or None for record in records],
        )
    client.close()
    return folder


def tar_of(folder: Path, *, below: str = ".", extra: Iterable[tuple[tarfile.TarInfo, bytes]] = ()) -> bytes:
    """A tar.gz of a folder's content, and more members."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        tar.add(folder, arcname=below)
        for member, data in extra:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return content.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """A tar member of any kind."""
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    return info


def files_of(folder: Path) -> dict[str, bytes]:
    """The files below a folder, by relative path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }

"""The independent check, part four: what a delta holds, and whether it may be merged at all."""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa

from local.demo.naive.published import NaiveRecord, read_chroma

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Records = dict[str, NaiveRecord]


class Refused(Exception):
    """The delta must not be merged; the message says why."""


def read_run(s3: S3Client, bucket: str, prefix: str | None, collection: str, owner: str, dimension: int) -> Records:
    """The records of one run's delta. `owner`: what every id must begin with. Raises Refused."""
    if not prefix:
        raise Refused("the run names no delta")
    if prefix.startswith("s3://"):
        bucket, prefix = urlsplit(prefix).netloc, urlsplit(prefix).path.lstrip("/")
    files = _download(s3, bucket, prefix.rstrip("/") + "/")
    records: Records = {}
    for record_id, record in _records(files, collection):
        if record_id in records:
            raise Refused(f"{record_id} is there twice")
        _check(record_id, record, collection, owner, dimension)
        records[record_id] = record
    return records


def _download(s3: S3Client, bucket: str, prefix: str) -> dict[str, bytes]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [found["Key"] for page in pages for found in page.get("Contents", ())]
    return {key.removeprefix(prefix): s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def _records(files: dict[str, bytes], collection: str) -> Iterator[tuple[str, NaiveRecord]]:
    if "delta.arrow" in files:
        yield from _arrow(files["delta.arrow"])
    elif "delta.tar.gz" in files:
        yield from _chroma(_untar(files["delta.tar.gz"]), collection)
    elif "chroma.sqlite3" in files:
        yield from _chroma(files, collection)
    else:
        raise Refused("there is no delta under the run's prefix")


def _arrow(content: bytes) -> Iterator[tuple[str, NaiveRecord]]:
    try:
        table = pa.ipc.open_file(io.BytesIO(content)).read_all()
    except (pa.ArrowException, OSError) as error:
        raise Refused(f"delta.arrow cannot be read: {error}") from error
    if not len(table):
        return  # a run that brings nothing to this collection
    vectors = table["embedding"].combine_chunks()
    bits = vectors.flatten().to_numpy().astype("<f4").reshape(len(vectors), -1)
    columns = (table[name].to_pylist() for name in ("id", "document", "metadata"))
    for vector, record_id, document, metadata in zip(bits, *columns, strict=True):
        yield record_id, NaiveRecord(vector.tobytes(), document, json.loads(metadata))


def _untar(content: bytes) -> dict[str, bytes]:
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
            files = {}
            for member in tar.getmembers():
                path = PurePosixPath(member.name)
                if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
                    raise Refused(f"tar member {member.name} leaves its folder")
                extracted = tar.extractfile(member)
                if extracted is not None:
                    files[path.as_posix()] = extracted.read()
            return files
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Refused(f"delta.tar.gz cannot be read: {error}") from error


def _chroma(files: dict[str, bytes], collection: str) -> Iterator[tuple[str, NaiveRecord]]:
    import chromadb.errors

    with tempfile.TemporaryDirectory(prefix="naive-") as folder:
        for name, content in files.items():
            target = Path(folder) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        try:
            yield from read_chroma(Path(folder), collection)
        except chromadb.errors.ChromaError as error:
            raise Refused(f"no collection {collection} can be read there: {error}") from error


def _check(record_id: str, record: NaiveRecord, collection: str, owner: str, dimension: int) -> None:
    if not record_id.startswith(owner) or ("#WORD#" in record_id) != (collection == "words"):
        raise Refused(f"{record_id} is not a record of {owner} in {collection}")
    vector = np.frombuffer(record.vector, dtype="<f4")
    if len(vector) != dimension:
        raise Refused(f"{record_id} has {len(vector)} dimensions, the collection {dimension}")
    if not np.isfinite(vector).all() or not vector.any():
        raise Refused(f"{record_id} has a zero or non-finite vector")

"""Snapshot files in S3: whole objects, hashed while they are fetched."""

import logging
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from receipt_dynamo_stream.retry import transient_errors
from receipt_dynamo_stream.round.report import FileEntry

from receipt_chroma.errors import SnapshotDamaged
from receipt_chroma.storage.files import flush

SINGLE_PUT_BYTES: Final = 100 << 20
"""Larger files are uploaded in parts."""

PARALLEL_FILES: Final = 8

_CHUNK = 1 << 20
_NOT_THERE = frozenset({"NoSuchKey", "404"})

logger = logging.getLogger(__name__)


def read_whole(s3: Any, bucket: str, key: str) -> bytes | None:
    """The bytes of an object; None when it is not there. Raises TransientServiceError, others as they are."""
    with transient_errors():
        body = _body(s3, bucket, key)
        content: bytes | None = None if body is None else body.read()
    return content


def fetch_file(s3: Any, bucket: str, key: str, target: Path, expected: FileEntry) -> None:
    """Fetch an object into a file, which is on disk when this returns.

    Raises SnapshotDamaged, and leaves no file, unless it is there and has the expected size and sha256.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = sha256(), 0
    with transient_errors(), target.open("wb") as writer:
        body = _body(s3, bucket, key)
        if body is not None:
            for chunk in body.iter_chunks(_CHUNK):
                digest.update(chunk)
                writer.write(chunk)
                size += len(chunk)
            flush(writer)
    if (size, digest.hexdigest()) != (expected.size, expected.sha256):
        target.unlink()
        problem = "is not there" if body is None else f"has {size} bytes with sha256 {digest.hexdigest()}"
        raise SnapshotDamaged(
            f"s3://{bucket}/{key} {problem}, its manifest says {expected.size} bytes with sha256 {expected.sha256}:"
            " roll back to a version that validates"
        )


def put_bytes(s3: Any, bucket: str, key: str, content: bytes) -> None:
    """Upload bytes by one PUT. Raises TransientServiceError, others as they are."""
    with transient_errors():
        s3.put_object(Bucket=bucket, Key=key, Body=content)


def put_file(s3: Any, bucket: str, key: str, source: Path) -> None:
    """Upload a file: one PUT where its size allows. Raises TransientServiceError, others as they are."""
    with transient_errors():
        if source.stat().st_size > SINGLE_PUT_BYTES:
            s3.upload_file(str(source), bucket, key)
            return
        with source.open("rb") as body:
            s3.put_object(Bucket=bucket, Key=key, Body=body)


def _body(s3: Any, bucket: str, key: str) -> Any:
    from botocore.exceptions import ClientError

    try:
        return s3.get_object(Bucket=bucket, Key=key)["Body"]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _NOT_THERE:
            return None
        raise


def file_pool() -> ThreadPoolExecutor:
    """Threads for a handful of files at once: the time goes into latency."""
    return ThreadPoolExecutor(max_workers=PARALLEL_FILES, thread_name_prefix="snapshot-files")

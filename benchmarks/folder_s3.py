"""A folder that stands in for S3: the calls that a merge and a validation make, and nothing else.

A server would answer from another process and share the machine with what is measured; with a folder the bytes that an
upload takes are written by the process itself, and counted. A test holds it to what S3 does.
"""

# ruff: noqa: N803  (boto3 names its arguments so)

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody


class FolderS3:
    """One folder per bucket, one file per object. As with S3, an object is there as a whole or not at all."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put_object(self, *, Bucket: str, Key: str, Body: bytes | IO[bytes], IfNoneMatch: str = "") -> dict[str, Any]:
        """Write an object; with IfNoneMatch="*" only where there is none."""
        target = self._root / Bucket / Key
        if IfNoneMatch and target.exists():
            raise _error("PreconditionFailed", "PutObject")
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.partial")
        with partial.open("wb") as writer:
            shutil.copyfileobj(io.BytesIO(Body) if isinstance(Body, bytes) else Body, writer, 1 << 20)
        partial.replace(target)
        return {}

    def upload_file(self, filename: str, bucket: str, key: str) -> None:
        """Write an object from a file."""
        with Path(filename).open("rb") as body:
            self.put_object(Bucket=bucket, Key=key, Body=body)

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        """Read an object. Raises ClientError NoSuchKey."""
        path = self._root / Bucket / Key
        if not path.is_file():
            raise _error("NoSuchKey", "GetObject")
        content = path.read_bytes()
        return {"Body": StreamingBody(io.BytesIO(content), len(content)), "ContentLength": len(content)}

    def get_paginator(self, operation: str) -> FolderS3:
        """Only listing goes page by page."""
        if operation != "list_objects_v2":
            raise NotImplementedError(operation)
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:
        """One page with all objects whose key begins with the prefix."""
        bucket = self._root / Bucket
        folder = bucket / Prefix.rpartition("/")[0]
        found = {path.relative_to(bucket).as_posix(): path.stat() for path in folder.rglob("*") if path.is_file()}
        yield {
            "Contents": [
                {"Key": key, "Size": stat.st_size, "LastModified": datetime.fromtimestamp(stat.st_mtime, UTC)}
                for key, stat in sorted(found.items())
                if key.startswith(Prefix)
            ]
        }


def _error(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)

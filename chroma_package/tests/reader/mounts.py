"""One tree, read as a folder and as a bucket: what is done to the folder is done to the bucket."""

import io
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from receipt_chroma.reader import SnapshotReader

FOLDER, BUCKET = "folder", "bucket"

kind = FOLDER
"""Which of them the readers of this test read from; the fixture `mount` sets it."""


class FolderAsBucket:
    """What a reader asks of S3, answered from a folder; test_bucket_mount holds it against the real thing."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.gets: list[str] = []

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: ARG002, N803 - boto3's names
        self.gets.append(Key)
        path = self._root / Key
        if not path.is_file():
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        content = path.read_bytes()
        return {"Body": StreamingBody(io.BytesIO(content), len(content)), "ETag": "tag"}

    def get_paginator(self, name: str) -> "FolderAsBucket":
        assert name == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: ARG002, N803
        files = sorted(path for path in self._root.rglob("*") if path.is_file())
        found = [(path.relative_to(self._root).as_posix(), path.stat()) for path in files]
        yield {
            "Contents": [
                {"Key": key, "Size": status.st_size, "LastModified": datetime.fromtimestamp(status.st_mtime, UTC)}
                for key, status in found
                if key.startswith(Prefix)
            ]
        }


def open_reader(root: Path, collection: str, **options: Any) -> SnapshotReader:
    """A reader of a tree in a folder, from where this test reads; with nothing in its cache."""
    if kind == FOLDER:
        return SnapshotReader(root, collection, **options)
    shutil.rmtree(options["cache_dir"] / "files", ignore_errors=True)
    return SnapshotReader("s3://mirror", collection, s3=FolderAsBucket(root), **options)  # type: ignore[arg-type]


def private_copies(cache: Path) -> list[Path]:
    """What readers put below their cache_dir and take away again: not what came from S3, which stays."""
    return [path for path in cache.iterdir() if path.name != "files"]


def private_databases(cache: Path) -> int:
    """How many bases are open."""
    return sum(1 for folder in private_copies(cache) for _ in folder.rglob("chroma.sqlite3"))

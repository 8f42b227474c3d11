"""CURRENT in the bucket: the same line as on EFS, for readers that have the bucket alone.

It obeys the laws of the one on EFS. Here no lock is needed: S3 writes it only over the very object that was compared
with, so of two writers that cross one looks again.
"""

import logging
from collections.abc import Callable
from typing import Final

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.errors import TransientServiceError

from receipt_chroma.errors import SnapshotUnavailable
from receipt_chroma.snapshot.pointer import Current
from receipt_chroma.storage.tree import CURRENT, object_key

logger = logging.getLogger(__name__)

_CROSSINGS: Final = 10
"""How often others may have written in between: there is one writer at a time, but for late ones."""


def read_stored_current(bucket: Bucket, collection: str) -> Current | None:
    """CURRENT; None when it is not there. Raises SnapshotUnavailable when it cannot be read, TransientServiceError."""
    key = object_key(collection, CURRENT)
    content = bucket.find(key)
    return None if content is None else Current.decode(content, f"s3://{bucket.name}/{key}")


def swap_stored_pointer(bucket: Bucket, collection: str, pointer: Pointer, *, before: Pointer | None = None) -> bool:
    """Project a committed pointer onto the bucket; True when CURRENT was written, False when it is there or further.

    May run twice, late, and at once with others. Raises TransientServiceError.
    """
    key, new = object_key(collection, CURRENT), Current.of(pointer, before)
    return write_forward(
        bucket,
        key,
        new.encode(),
        lambda content: not new.goes_over(None if content is None else Current.decode(content, key)),
    )


def write_forward(bucket: Bucket, key: str, content: bytes, is_passed_by: Callable[[bytes | None], bool]) -> bool:
    """Write an object unless what is there is further; False when it is. What cannot be read is written again.

    is_passed_by: whether the content that is there (None: there is none) is further; raises SnapshotUnavailable when it
    cannot be read. Raises TransientServiceError.
    """
    for _ in range(_CROSSINGS):
        found = bucket.find_tagged(key)
        there, tag = found or (None, None)
        try:
            if is_passed_by(there):
                return False
        except SnapshotUnavailable:
            logger.warning("an object that readers follow cannot be read and is written again", extra={"key": key})
        if bucket.put_over(key, content, tag):
            return True
    raise TransientServiceError(f"s3://{bucket.name}/{key} was written by others {_CROSSINGS} times in between")

"""Deltas in S3, read in three formats.

A delta is the records to upsert for one receipt in one collection, immutable, under its run's prefix:
`delta.arrow` (see arrow.py), or `delta.tar.gz` with a Chroma directory, or such a directory as loose objects. A Chroma
directory holds one collection with the target's name in the l2 space.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.errors import CompactionError
from receipt_dynamo_stream.keys import ReceiptId

from receipt_chroma.delta.archive import Files
from receipt_chroma.delta.bounds import MAX_DELTA_BYTES
from receipt_chroma.delta.checks import check_bounds, checked_records
from receipt_chroma.delta.objects import fetch_loose_directory, read_object
from receipt_chroma.delta.reader import delta_reader
from receipt_chroma.errors import DeltaMissing, DeltaPrefixMissing, DeltaReaderFailed
from receipt_chroma.records import Record

logger = logging.getLogger(__name__)

ARROW_FILE: Final = "delta.arrow"
TAR_FILE: Final = "delta.tar.gz"

DeltaRecord = Record
"""A record as a delta has it."""


Fetched = tuple[str, Files]
"""A delta's format, and its files."""


def read_delta(
    bucket: Bucket, prefix: str, *, collection: str, receipt: ReceiptId, dimension: int | None
) -> list[Record]:
    """The records of one delta, checked, metadata in normal form; an empty delta gives none.

    The prefix names a folder, or one object that ends with `.arrow` or `.tar.gz`. `dimension` is the
    collection's, None while it has none: then the delta's first vector decides for the delta. Raises subclasses of
    DeltaRefused for content only; access, throttling and timeouts raise as they are.
    """
    form, files = fetch_delta(bucket, prefix)
    return decode_delta(form, files, collection=collection, receipt=receipt, dimension=dimension)


def decode_delta(
    form: str, files: Files, *, collection: str, receipt: ReceiptId, dimension: int | None
) -> list[Record]:
    """What read_delta makes of a delta's files: form "arrow" or "tar" (one file), or "directory"."""
    with _faults_of_content():
        found = delta_reader.decode(form, collection, files)
        check_bounds(found)
        return checked_records(found, collection=collection, receipt=receipt, dimension=dimension)


@contextmanager
def _faults_of_content() -> Iterator[None]:
    """Raise DeltaReaderFailed for an error without a name: what is in the delta brought it about, and only its run
    pays for it. What has a name, and what the machine lacks, passes as it is."""
    try:
        yield
    except (CompactionError, MemoryError, OSError):
        raise
    except Exception as error:
        logger.exception("a delta cannot be read for a fault of ours")
        raise DeltaReaderFailed(f"{type(error).__name__}: {error}") from error


def fetch_delta(bucket: Bucket, prefix: str, most: int = MAX_DELTA_BYTES) -> Fetched:
    """A delta's format ("arrow", "tar" or "directory") and its files.

    Raises as read_delta, for what is not decoded, and LargerThanAsked for one of more bytes than `most`.
    """
    prefix = prefix.rstrip("/")
    if not prefix or not bucket.name:
        raise DeltaPrefixMissing("the run names no delta prefix for this collection")
    names_object = prefix.endswith((".arrow", ".tar.gz"))
    for form, name in (("arrow", ARROW_FILE), ("tar", TAR_FILE)):
        if names_object and not prefix.endswith(name.removeprefix("delta")):
            continue
        content = read_object(bucket, prefix if names_object else f"{prefix}/{name}", most)
        if content is not None:
            return form, {name: content}
    if names_object:
        raise DeltaMissing(f"s3://{bucket.name}/{prefix} is not there")
    return "directory", fetch_loose_directory(bucket, f"{prefix}/", most)

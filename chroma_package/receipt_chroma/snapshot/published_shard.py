"""One shard of a published version, receipt by receipt: its base and the segments over it, from closed files."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from receipt_dynamo_stream.round.report import ReceiptContent

from receipt_chroma.errors import SegmentInvalid, ShardInvalid
from receipt_chroma.records import Record, content_of, nothing_of
from receipt_chroma.segment.content import Segment
from receipt_chroma.segment.file import read_segment
from receipt_chroma.segment.places import ShardContent
from receipt_chroma.shard.base_receipts import BaseReceipts, open_base
from receipt_chroma.snapshot.manifest import ManifestSegment, ManifestShard
from receipt_chroma.storage.files import sha256_of

DAMAGED = (ShardInvalid, SegmentInvalid, sqlite3.DatabaseError, FileNotFoundError, NotADirectoryError)
"""What the methods raise for files on EFS that are not those of the manifest: S3 may have the right ones."""


class PublishedShard:
    """What a shard has of each receipt: in the newest segment that covers it, else in the base.

    A segment is proved by its sha256 when it is read first. Methods raise DAMAGED, and OSError. For one thread.
    """

    def __init__(self, folder: Path, shard: ManifestShard, base: BaseReceipts | None) -> None:
        self._folder = folder
        self._shard = shard
        self._base = base
        self._covers: dict[str, tuple[int, ReceiptContent]] = {
            receipt.key: (number, receipt)
            for number, segment in enumerate(shard.segments)
            for receipt in segment.receipts
        }
        self._segments: dict[int, dict[str, tuple[Record, ...]]] = {}

    @classmethod
    @contextmanager
    def open(cls, folder: Path, collection: str, shard: ManifestShard) -> Iterator["PublishedShard"]:
        """The shard in the collection's folder; nothing is written to it."""
        if shard.path is None:
            yield cls(folder, shard, None)
            return
        with open_base(folder / shard.path, collection) as base:
            yield cls(folder, shard, base)

    def content(self, key: str) -> ReceiptContent:
        """What it has of one receipt, as manifest and index say: nothing, when it has none."""
        if key in self._covers:
            return self._covers[key][1]
        return self._base.content(key) if self._base else nothing_of(key)

    def proved_content(self, key: str) -> ReceiptContent:
        """The same, but what the base has of it is proved by its records."""
        if key not in self._covers and self._base:
            return content_of(key, self._base.records(key))
        return self.content(key)

    def records(self, key: str) -> dict[str, Record]:
        """The records of one receipt, by id."""
        if key in self._covers:
            return {record.id: record for record in self._segment(self._covers[key][0])[key]}
        return {record.id: record for record in self._base.records(key)} if self._base else {}

    def contents(self) -> dict[str, ReceiptContent]:
        """What it has of each receipt that has records, by key: the base's whole index, proved by the manifest."""
        newest = self._base_contents()
        newest |= {key: content for key, (_, content) in self._covers.items()}
        return {key: content for key, content in newest.items() if content.records}

    def overlay(self) -> dict[str, tuple[Record, ...]]:
        """The records of every receipt that a segment covers, from its newest one; none where the receipt is gone."""
        return {key: self._segment(number)[key] for key, (number, _) in self._covers.items()}

    def _base_contents(self) -> dict[str, ReceiptContent]:
        contents = self._base.contents() if self._base else {}
        found = ShardContent.of(contents.values())
        if found != ShardContent(self._shard.base_records, self._shard.base_digest):
            raise ShardInvalid("receipts", f"the index of {self._shard.path} is not that of its manifest")
        return contents

    def _segment(self, number: int) -> dict[str, tuple[Record, ...]]:
        if number not in self._segments:
            self._segments[number] = read_published(self._folder, self._shard.segments[number]).by_receipt()
        return self._segments[number]


def read_published(folder: Path, segment: ManifestSegment) -> Segment:
    """A published segment, proved by its sha256 and the receipts of its manifest. Raises SegmentInvalid, OSError."""
    content = (folder / segment.path).read_bytes()
    found = sha256_of(content)
    if found != segment.sha256:
        raise SegmentInvalid("sha256", f"{folder / segment.path} has sha256 {found}, not {segment.sha256}")
    read = read_segment(content)
    if read.receipts != segment.receipts:
        raise SegmentInvalid("receipts", f"{folder / segment.path} covers other receipts than its manifest says")
    return read

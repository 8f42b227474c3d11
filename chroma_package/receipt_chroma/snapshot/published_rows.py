"""What an operator looks at in a published shard: ids, texts and receipts, without vectors.

The law of a shard, over rows: those of its base whose receipt no segment covers, and of every other receipt those of
the newest segment that covers it. Only the segments that a question needs are read, each proved by its sha256.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import merge
from pathlib import Path

from receipt_dynamo_stream.keys import ReceiptId

from receipt_chroma.errors import ShardInvalid
from receipt_chroma.records import Metadata, Record
from receipt_chroma.segment.places import ShardContent
from receipt_chroma.shard.closed_shard import receipt_key_of
from receipt_chroma.shard.index import read_index
from receipt_chroma.shard.rows import ShardRows, contains
from receipt_chroma.snapshot.manifest import ManifestSegment, ManifestShard
from receipt_chroma.snapshot.published_shard import read_published
from receipt_chroma.storage.tree import INDEX_FILE


class PublishedRows:
    """The rows of a published shard, for one thread. Methods raise ShardInvalid, SegmentInvalid and OSError."""

    def __init__(self, folder: Path, shard: ManifestShard, base: ShardRows | None) -> None:
        self._folder = folder
        self._base = base
        self._newest = {one.key: segment for segment in shard.segments for one in segment.receipts}
        self._read: dict[str, dict[str, tuple[Record, ...]]] = {}

    @classmethod
    @contextmanager
    def open(cls, folder: Path, collection: str, shard: ManifestShard) -> Iterator["PublishedRows"]:
        """The shard in the collection's folder; nothing is written to it."""
        if shard.path is None:
            yield cls(folder, shard, None)
            return
        with ShardRows.open(folder / shard.path, collection) as base:
            yield cls(folder, shard, base)

    def ids(self, *, containing: str = "", receipt: ReceiptId | None = None) -> Iterator[str]:
        """The ids of all records, or of one receipt's, or of those with this text in id or document, in any case.

        In order.
        """
        if receipt is not None and receipt.key in self._newest:
            return iter(_ids(self._fresh(receipt.key), containing))
        base = self._base.ids(containing=containing, receipt=receipt) if self._base else iter(())
        if receipt is not None:
            return base
        fresh = sorted(one for key in self._newest for one in _ids(self._fresh(key), containing))
        return merge((one for one in base if receipt_key_of(one) not in self._newest), fresh)

    def texts(self, ids: Sequence[str]) -> dict[str, tuple[str | None, Metadata]]:
        """Document and metadata of these records, by id; those that are not there are left out."""
        found: dict[str, tuple[str | None, Metadata]] = {}
        of_base: list[str] = []
        for record_id in ids:
            key = receipt_key_of(record_id)
            if key not in self._newest:
                of_base.append(record_id)
                continue
            for record in self._fresh(key):
                if record.id == record_id:
                    found[record_id] = record.document, record.metadata
        if self._base:
            found |= {raw.id: raw.parse() for raw in self._base.some_rows(of_base)}
        return found

    def _fresh(self, key: str) -> tuple[Record, ...]:
        """The records of a covered receipt."""
        return self._segment(self._newest[key])[key]

    def _segment(self, segment: ManifestSegment) -> dict[str, tuple[Record, ...]]:
        if segment.path not in self._read:
            self._read[segment.path] = read_published(self._folder, segment).by_receipt()
        return self._read[segment.path]


@dataclass(frozen=True, slots=True)
class ReceiptPlace:
    """Where a receipt's records are, in which shard and by the path of a base or a segment, how many, and their digest.

    digest: None in a base of schema version 1, which does not say it.
    """

    shard: int
    path: str
    records: int
    digest: str | None


def receipt_places(folder: Path, collection: str, shard: ManifestShard) -> dict[str, ReceiptPlace]:
    """Each receipt of a published shard that has records, by key: from the base's index and the manifest alone.

    A base of schema version 1 has no index: its ids are read. Raises ShardInvalid, OSError.
    """
    places: dict[str, ReceiptPlace] = {}
    if shard.path is not None:
        in_base = (
            _ids_counted(folder / shard.path, collection) if shard.is_plain else _index(folder / shard.path, shard)
        )
        places = {key: ReceiptPlace(shard.shard, shard.path, *content) for key, content in in_base.items()}
    for segment in shard.segments:
        places |= {
            one.key: ReceiptPlace(shard.shard, segment.path, one.records, one.digest) for one in segment.receipts
        }
    return {key: place for key, place in places.items() if place.records}


def _index(base: Path, shard: ManifestShard) -> dict[str, tuple[int, str | None]]:
    contents = read_index((base / INDEX_FILE).read_bytes())
    if ShardContent.of(contents.values()) != ShardContent(shard.base_records, shard.base_digest):
        raise ShardInvalid("receipts", f"the index of {shard.path} is not that of its manifest")
    return {key: (one.records, one.digest) for key, one in contents.items()}


def _ids_counted(base: Path, collection: str) -> dict[str, tuple[int, str | None]]:
    with ShardRows.open(base, collection) as rows:
        return {key: (records, None) for key, records in rows.receipts().items()}


def _ids(records: Sequence[Record], containing: str) -> list[str]:
    return [one.id for one in records if not containing or contains(containing, one.id, one.document)]

"""What is inside any retained version of a collection: its records, what differs from another one, what is near a text.

Read from the files that readers open, or where the file system is out of reach from their copy on S3; nothing is
written to either. Only what is asked for is brought here.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from heapq import merge
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from receipt_chroma.errors import ShardInvalid
from receipt_chroma.reader.open_snapshot import NOT_OPENED
from receipt_chroma.records import Metadata
from receipt_chroma.shard.sqlite_files import SQLITE_FILE
from receipt_chroma.snapshot.manifest import Manifest
from receipt_chroma.snapshot.published_rows import PublishedRows, ReceiptPlace
from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.errors import KeyMalformed
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.sharding import shard_of

from operate.contents.compare import compare_manifests
from operate.contents.embedder import Embedder
from operate.contents.models import KINDS, Comparison, ReceiptRecords, RecordPage, RecordRow
from operate.contents.open_versions import OPEN_VERSIONS, OpenVersions
from operate.contents.query import Answer, Question, put_question
from operate.contents.receipt_sides import Side
from operate.contents.shard_files import CACHE, CACHE_BYTES, ShardFiles
from operate.errors import UsageError, VersionUnreadable
from operate.stack import Stack

MOST_LISTED: Final = 1_000
"""How many records one page may have."""

_REMEMBERED: Final = 8


class Contents:
    """Answers what is inside versions; safe to share between threads. A context manager.

    A version is given by number or snapshot id, None is the current one. Every question raises SnapshotNotFound,
    VersionNotFound, VersionRefused for one that is EXPIRED, VersionUnreadable when its files are gone or damaged, and
    UsageError for what cannot be asked.
    """

    def __init__(
        self,
        stack: Stack,
        *,
        cache: Path = CACHE,
        cache_bytes: int = CACHE_BYTES,
        open_versions: int = OPEN_VERSIONS,
        embedder: Embedder | None = None,
    ) -> None:
        """`embedder` makes a question's text a vector; without it only vectors are asked for."""
        self.embedder = embedder
        self._versions = stack.versions
        self._files = ShardFiles.of(stack, cache, cache_bytes)
        self._open = OpenVersions(self._files, open_versions)
        self._manifest_of = lru_cache(_REMEMBERED)(stack.stored.manifest)
        self._compared = lru_cache(_REMEMBERED)(self._compare)

    def manifest(self, collection: str, version: str | None) -> Manifest:
        """The manifest of a retained version."""
        return self._manifest_of(self._versions.pointer(collection, version))

    def records(
        self,
        collection: str,
        version: str | None,
        *,
        containing: str = "",
        receipt: str | None = None,
        offset: int = 0,
        limit: int = 50,
    ) -> RecordPage:
        """A page of the records, by id: of all, of one receipt given by key, of those with a text in id or document.

        Upper and lower case are the same. A page has at most MOST_LISTED records.
        """
        _check_page(offset, limit)
        wanted = _parse_receipt(receipt)
        manifest = self.manifest(collection, version)
        with self._rows(manifest, wanted) as shards:
            ids = merge(*(_ids(number, rows, containing, wanted) for number, rows in shards.items()))
            before = sum(1 for _ in islice(ids, offset))
            page = list(islice(ids, limit))
            filtered = bool(containing) or wanted is not None
            total = before + len(page) + sum(1 for _ in ids) if filtered else manifest.records
            records = tuple(_read(shards, page))
        return RecordPage(collection, manifest.version, manifest.snapshot_id, total, offset, limit, records)

    def receipts(self, collection: str, version: str | None) -> tuple[ReceiptRecords, ...]:
        """The receipts that a version has records of, by key."""
        manifest = self.manifest(collection, version)
        with readable(manifest), ExitStack() as opened:
            places = Side(collection, manifest.shards, self._files.homes, opened).places()
            return tuple(ReceiptRecords(key, place.shard, place.records) for key, place in sorted(places.items()))

    def place(self, manifest: Manifest, receipt: ReceiptId) -> ReceiptPlace | None:
        """Where a version has the records of a receipt; None where it has none. Of its shard only the index is read."""
        home = shard_of(receipt.image_id, receipt.receipt_id, manifest.shard_count)
        shards = [shard for shard in manifest.shards if shard.shard == home]
        with readable(manifest), ExitStack() as opened:
            return Side(manifest.collection, shards, self._files.homes, opened).places().get(receipt.key)

    def compare(
        self,
        collection: str,
        older: str | None,
        newer: str | None,
        *,
        kinds: Sequence[str] = KINDS,
        offset: int = 0,
        limit: int = 20,
    ) -> Comparison:
        """What differs between two versions, in either order; of these kinds it lists `limit` records from `offset` on.

        Raises DimensionsDiffer too.
        """
        _check_page(offset, limit)
        if not set(kinds) <= set(KINDS):
            raise UsageError(f"records are {', '.join(KINDS)}, not {', '.join(kinds)}")
        pointers = self._versions.pointer(collection, older), self._versions.pointer(collection, newer)
        return self._compared(*pointers, tuple(kinds), offset, limit)

    def search(
        self,
        collection: str,
        version: str | None,
        *,
        text: str | None = None,
        vector: str | Path | None = None,
        n: int = 5,
        where: Mapping[str, Any] | None = None,
    ) -> Answer:
        """The n records nearest to a text (given an embedder) or to a vector (a JSON array, or a file that holds one).

        As a reader of that version answers it, with a Chroma `where` filter. Raises EmbedderUnfit too.
        """
        question = Question(text, vector, n, where)
        manifest = self.manifest(collection, version)
        embedding = question.embedding(manifest, self.embedder)
        with readable(manifest), self._open.borrow(manifest) as snapshot:
            return put_question(snapshot, embedding, question, self.embedder)

    def close(self) -> None:
        """Close what is open when what is asked has been answered. May be called twice."""
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _rows(self, manifest: Manifest, receipt: ReceiptId | None = None) -> Iterator[dict[int, PublishedRows]]:
        """The shards by number, or the one that has the receipt, open for this thread."""
        shards = manifest.shards
        if receipt is not None:
            home = shard_of(receipt.image_id, receipt.receipt_id, manifest.shard_count)
            shards = tuple(shard for shard in shards if shard.shard == home)
        with readable(manifest), ExitStack() as opened:
            homes = opened.enter_context(self._files.homes(manifest.collection, shards, {SQLITE_FILE}))
            yield {
                shard.shard: opened.enter_context(PublishedRows.open(homes[shard.shard], manifest.collection, shard))
                for shard in shards
                if shard.shard in homes
            }

    def _compare(self, older: Pointer, newer: Pointer, kinds: tuple[str, ...], offset: int, limit: int) -> Comparison:
        manifests = self._manifest_of(older), self._manifest_of(newer)
        with readable(*manifests):
            return compare_manifests(*manifests, self._files.homes, kinds=kinds, offset=offset, limit=limit)


@contextmanager
def readable(*manifests: Manifest) -> Iterator[None]:
    """Raise VersionUnreadable for what the files of a version may raise."""
    try:
        yield
    except (*NOT_OPENED, ShardInvalid) as error:
        versions = " or ".join(str(manifest.version) for manifest in manifests)
        raise VersionUnreadable(f"version {versions} of {manifests[0].collection} cannot be read: {error}") from error


def _ids(number: int, rows: PublishedRows, containing: str, receipt: ReceiptId | None) -> Iterator[tuple[str, int]]:
    return ((record_id, number) for record_id in rows.ids(containing=containing, receipt=receipt))


def _read(shards: Mapping[int, PublishedRows], page: Sequence[tuple[str, int]]) -> Iterator[RecordRow]:
    """The records of these ids and shards, in this order."""
    found: dict[str, tuple[str | None, Metadata]] = {}
    for number, rows in shards.items():
        found |= rows.texts([record_id for record_id, shard in page if shard == number])
    return (RecordRow(record_id, shard, *found[record_id]) for record_id, shard in page)


def _check_page(offset: int, limit: int) -> None:
    if offset < 0 or not 0 <= limit <= MOST_LISTED:
        raise UsageError(f"a page begins at 0 or later and has at most {MOST_LISTED:,} records")


def _parse_receipt(receipt: str | None) -> ReceiptId | None:
    try:
        return None if receipt is None else ReceiptId.parse(receipt)
    except KeyMalformed as error:
        raise UsageError(str(error)) from error

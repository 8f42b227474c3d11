"""One snapshot, opened for reading: what one manifest names, and what is asked of it."""

import heapq
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import islice
from typing import Any, Final

from receipt_dynamo_stream.errors import KeyMalformed, SchemaUnsupported
from receipt_dynamo_stream.keys import parse_record_id
from receipt_dynamo_stream.sharding import shard_of

from receipt_chroma.errors import (
    ChromaUnreadable,
    DiskFull,
    SegmentInvalid,
    SnapshotDamaged,
    SnapshotUnavailable,
    StorageUnavailable,
)
from receipt_chroma.reader.filters import Filters
from receipt_chroma.reader.fresh import Fresh, texts_of
from receipt_chroma.reader.nearest import AskedBase, Ranked, rank, texts_of_ranked, together
from receipt_chroma.reader.open_files import Locate, OpenFiles
from receipt_chroma.reader.questions import check_number, one_vector
from receipt_chroma.records import Record, Vector
from receipt_chroma.results import QueryHit, Texts
from receipt_chroma.snapshot.manifest import SAME_RECORDS, Manifest
from receipt_chroma.snapshot.pointer import Current

NOT_OPENED: Final = (
    StorageUnavailable,
    FileNotFoundError,
    SnapshotUnavailable,
    SnapshotDamaged,
    SchemaUnsupported,
    SegmentInvalid,
    ChromaUnreadable,
    DiskFull,
)
"""What open_snapshot raises: the snapshot is not to be had, another one may be."""

EVERYTHING: Final = Filters()


class OpenSnapshot:
    """An open snapshot. It is closed when it is retired and its last user has left.

    current: the version that it answers for. opened: the one whose files it has, an earlier one when all later ones
    only folded it; standing_since: since when that is so, on the monotonic clock.
    """

    def __init__(
        self,
        current: Current,
        manifest: Manifest,
        files: OpenFiles,
        bases: Mapping[int, AskedBase],
        fresh: Fresh,
        closing: ExitStack,
    ) -> None:
        self.current = self.opened = current
        self.standing_since: float | None = None
        self.manifest = manifest
        self.closed = threading.Event()
        self._files = files
        self._bases = bases
        self._fresh = fresh
        self._closing = closing
        self._lock = threading.Lock()
        self._users = 0
        self._retired = False

    def enter(self) -> None:
        """Count a user; the snapshot stays open until it leaves."""
        with self._lock:
            self._users += 1

    def leave(self) -> None:
        """The user is done."""
        with self._lock:
            self._users -= 1
        self._close_when_unused()

    def retire(self) -> None:
        """No new users come: close as soon as none is left."""
        with self._lock:
            self._retired = True
        self._close_when_unused()

    def has_content_of(self, manifest: Manifest) -> bool:
        """Whether a snapshot only folds this one, or re-shards it: its records are these."""
        own = self.manifest
        return manifest.kind in SAME_RECORDS and (manifest.records, manifest.digest) == (own.records, own.digest)

    def stand_for(self, fold: Current) -> None:
        """Answer for a version that has its content."""
        self.current = fold
        if self.standing_since is None:
            self.standing_since = time.monotonic()

    @property
    def generation(self) -> str:
        """The generation of the collection that it is of."""
        return self.manifest.collection

    @property
    def dimension(self) -> int | None:
        """How many numbers a vector has; None while there never was one."""
        return self.manifest.dimension

    def count(self, filters: Filters = EVERYTHING) -> int:
        """Number of records that the filters select; of all the manifest knows it."""
        return len(self._matching(filters)) if filters else self.manifest.records

    def select(
        self,
        ids: Sequence[str] | None = None,
        filters: Filters = EVERYTHING,
        *,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[str]:
        """Ids of the records that are there, sorted: those of `ids` (None for all) that the filters select."""
        end = None if limit is None else offset + limit
        if filters.on_content:
            found = self._matching(filters)
            if ids is not None:
                wanted = frozenset(ids)
                found = [record_id for record_id in found if record_id in wanted]
        elif ids is None:
            found = self._ids(end)
        else:
            found = self._existing(ids)
        return found[offset:end]

    def texts(self, ids: Sequence[str]) -> dict[str, Texts]:
        """Document and metadata of these records, by id; those that are not there are left out."""
        calls = [partial(part.base.texts, some) for part, some in self._by_base(ids)]
        texts = {one.id: texts_of(one) for one in self._fresh.records(ids)}
        for found in together(self._files.asking, calls):
            texts |= found
        return texts

    def vectors(self, ids: Sequence[str]) -> dict[str, Vector]:
        """The vectors of these records, by id; those that are not there are left out."""
        calls = [partial(part.base.vectors, some) for part, some in self._by_base(ids)]
        vectors = {one.id: one.embedding for one in self._fresh.records(ids)}
        for found in together(self._files.asking, calls):
            vectors |= found
        return vectors

    def records(self, ids: Sequence[str]) -> list[Record]:
        """These records, whole, in this order; those that are not there are left out."""
        texts, vectors = self.texts(ids), self.vectors(ids)
        return [Record(one, vectors[one], *texts[one]) for one in ids if one in texts]

    def rank(self, vector: Vector, n: int, filters: Filters = EVERYTHING) -> list[Ranked]:
        """The nearest records of all shards, nearest first, equal distances by id."""
        return rank(list(self._bases.values()), self._fresh, vector, n, filters, self._files.asking)

    def nearest(self, vector: Any, n: int, filters: Filters = EVERYTHING) -> list[QueryHit]:
        """The nearest records with document and metadata. Raises QuestionInvalid."""
        ranked = self.rank(one_vector(vector, self.dimension), check_number("n", n, least=1), filters)
        texts = texts_of_ranked(ranked)
        return [QueryHit(record_id, distance, *texts[record_id]) for distance, record_id, _ in ranked]

    def _matching(self, filters: Filters) -> list[str]:
        calls = [partial(part.base.matching, filters, self._fresh.covered) for part in self._bases.values()]
        found = together(self._files.asking, [*calls, partial(self._fresh.matching, filters)])
        return sorted(record_id for ids in found for record_id in ids)

    def _ids(self, limit: int | None) -> list[str]:
        found = [part.base.ids(self._fresh.covered, limit) for part in self._bases.values()]
        return list(islice(heapq.merge(self._fresh.ids(), *found), limit))

    def _existing(self, ids: Sequence[str]) -> list[str]:
        calls = [partial(part.base.existing, some) for part, some in self._by_base(ids)]
        found = [record.id for record in self._fresh.records(ids)]
        found += (record_id for some in together(self._files.asking, calls) for record_id in some)
        return sorted(found)

    def _by_base(self, ids: Sequence[str]) -> list[tuple[AskedBase, list[str]]]:
        """Which of these records which base has, if it has them; not those that are fresh."""
        routed: dict[int, list[str]] = {}
        for record_id in ids:
            try:
                receipt = parse_record_id(record_id).receipt
            except KeyMalformed:
                continue  # no record has such an id
            if receipt.key not in self._fresh.covered:
                home = shard_of(receipt.image_id, receipt.receipt_id, self.manifest.shard_count)
                routed.setdefault(home, []).append(record_id)
        return [(self._bases[number], some) for number, some in routed.items() if number in self._bases]

    def _close_when_unused(self) -> None:
        with self._lock:
            if self._retired and not self._users and not self.closed.is_set():
                try:
                    self._closing.close()
                finally:
                    self.closed.set()


def open_snapshot(
    current: Current, manifest: Manifest, files: OpenFiles, locate: Locate, *, held: ExitStack | None = None
) -> OpenSnapshot:
    """Open what a manifest names and nobody has open yet; `held` is closed with it. Raises NOT_OPENED."""
    with held or ExitStack() as opening:
        opened = files.open(manifest, locate, opening)
        fresh = Fresh(opened.segments)
        bases = {
            shard.shard: AskedBase(opened.bases[shard.shard], shard.base_records, shard.records - fresh_records)
            for shard, fresh_records in zip(manifest.shards, fresh.counts, strict=True)
            if shard.shard in opened.bases
        }
        return OpenSnapshot(current, manifest, files, bases, fresh, opening.pop_all())

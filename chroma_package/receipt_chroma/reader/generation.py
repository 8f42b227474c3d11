"""One snapshot, opened for reading: what one manifest names, and what is asked of it."""

import heapq
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, Final

import numpy as np
from receipt_dynamo_stream.errors import KeyMalformed, SchemaUnsupported
from receipt_dynamo_stream.keys import parse_record_id
from receipt_dynamo_stream.sharding import shard_of

from receipt_chroma.errors import (
    ChromaUnreadable,
    SegmentInvalid,
    SnapshotDamaged,
    SnapshotUnavailable,
    StorageUnavailable,
)
from receipt_chroma.reader.filters import Filters
from receipt_chroma.reader.fresh import Fresh
from receipt_chroma.reader.nearest import AskedBase, nearest_hits, together
from receipt_chroma.reader.open_files import Locate, OpenFiles
from receipt_chroma.records import Record
from receipt_chroma.results import QueryHit
from receipt_chroma.snapshot.manifest import FOLD, Manifest
from receipt_chroma.snapshot.pointer import Current

NOT_OPENED: Final = (
    StorageUnavailable,
    FileNotFoundError,
    SnapshotUnavailable,
    SnapshotDamaged,
    SchemaUnsupported,
    SegmentInvalid,
    ChromaUnreadable,
)
"""What open_generation raises: the snapshot is not to be had, another one may be."""


class Generation:
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
        """Count a user; the generation stays open until it leaves."""
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
        """Whether a snapshot only folds this one: its records are these."""
        own = self.manifest
        return manifest.kind == FOLD and (manifest.records, manifest.digest) == (own.records, own.digest)

    def stand_for(self, fold: Current) -> None:
        """Answer for a version that has its content."""
        self.current = fold
        if self.standing_since is None:
            self.standing_since = time.monotonic()

    def count(self) -> int:
        """Number of records."""
        return self.manifest.records

    def get(
        self,
        ids: Sequence[str] | None = None,
        *,
        where: Mapping[str, Any] | None = None,
        where_document: Mapping[str, Any] | None = None,
        limit: int | None = None,
    ) -> list[Record]:
        """Records of all shards, sorted by id."""
        filters = Filters.of(where, where_document)
        if filters:
            matching = self._matching(filters)
            chosen = matching if ids is None else sorted(set(matching) & set(ids))
        else:
            chosen = self._ids(limit) if ids is None else list(dict.fromkeys(ids))
        if limit is not None and (filters or ids is None):
            chosen = chosen[:limit]
        calls = [partial(part.base.records, some) for part, some in self._by_base(chosen)]
        found = [record for records in together(self._files.asking, calls) for record in records]
        found += self._fresh.records(chosen)
        found.sort(key=lambda record: record.id)
        return found if limit is None else found[:limit]

    def query(
        self,
        embedding: Sequence[float],
        n_results: int,
        *,
        where: Mapping[str, Any] | None = None,
        where_document: Mapping[str, Any] | None = None,
    ) -> list[QueryHit]:
        """The nearest records of all shards, nearest first, equal distances by id."""
        if n_results < 1:
            raise ValueError(f"n_results is at least 1, not {n_results}")
        dimension = self.manifest.dimension
        if dimension is not None and len(embedding) != dimension:
            raise ValueError(f"the query has {len(embedding)} dimensions, the snapshot has {dimension}")
        filters = Filters.of(where, where_document)
        vector = np.asarray(embedding, dtype=np.float32)
        return nearest_hits(list(self._bases.values()), self._fresh, vector, n_results, filters, self._files.asking)

    def _matching(self, filters: Filters) -> list[str]:
        calls = [partial(part.base.matching, filters, self._fresh.covered) for part in self._bases.values()]
        found = together(self._files.asking, [*calls, partial(self._fresh.matching, filters)])
        return sorted(record_id for ids in found for record_id in ids)

    def _ids(self, limit: int | None) -> list[str]:
        found = [part.base.ids(self._fresh.covered, limit) for part in self._bases.values()]
        return list(heapq.merge(self._fresh.ids(), *found))

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


def open_generation(
    current: Current, manifest: Manifest, files: OpenFiles, locate: Locate, *, held: ExitStack | None = None
) -> Generation:
    """Open what a manifest names and nobody has open yet; `held` is closed with it. Raises NOT_OPENED."""
    with held or ExitStack() as opening:
        opened = files.open(manifest, locate, opening)
        fresh = Fresh(opened.segments)
        bases = {
            shard.shard: AskedBase(opened.bases[shard.shard], shard.base_records, shard.records - fresh_records)
            for shard, fresh_records in zip(manifest.shards, fresh.counts, strict=True)
            if shard.shard in opened.bases
        }
        return Generation(current, manifest, files, bases, fresh, opening.pop_all())

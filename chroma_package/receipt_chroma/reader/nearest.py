"""The nearest records of a snapshot: asked of every base, measured among the fresh ones, and merged.

A base is asked for ids and distances alone. Documents, metadata and vectors are read for the winners.
"""

import heapq
from collections.abc import Callable, Container, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from receipt_chroma.reader.base import Base
from receipt_chroma.reader.filters import Filters
from receipt_chroma.reader.fresh import Fresh, texts_of
from receipt_chroma.records import Record, Vector
from receipt_chroma.results import Texts
from receipt_chroma.shard.closed_shard import receipt_key_of

_MORE: Final = 4
"""How many times as many records a base is asked for when too few of them were live."""

R = TypeVar("R")
Ranked = tuple[float, str, "Base | Record"]
"""Distance, id, and where the rest of it is."""


@dataclass(frozen=True)
class AskedBase:
    """A base in a snapshot: its records, and how many of them are live, no segment covering their receipt."""

    base: Base
    records: int
    live: int

    def nearest(self, vector: Vector, n: int, filters: Filters, covered: Container[str]) -> list[tuple[float, str]]:
        """At most n pairs of distance and id of live records, nearest first."""
        ids = None
        if filters.ids is not None:
            # chromadb fails for an id that it does not have.
            ids = self.base.existing([one for one in filters.ids if receipt_key_of(one) not in covered])
            if not ids:
                return []
        wanted = min(n, self.live)
        asked = min(n + min(self.records - self.live, n), self.records)
        while True:
            found = self.base.nearest(vector, asked, filters, ids)
            hits = [hit for hit in found if receipt_key_of(hit[1]) not in covered][:wanted]
            if len(hits) == wanted or len(found) < asked or asked == self.records:
                return hits
            asked = min(asked * _MORE, self.records)


def rank(
    bases: Sequence[AskedBase], fresh: Fresh, vector: Vector, n: int, filters: Filters, asking: ThreadPoolExecutor
) -> list[Ranked]:
    """The n nearest records, nearest first, equal distances in order of id."""

    def ask(part: AskedBase) -> list[Ranked]:
        return [(*hit, part.base) for hit in part.nearest(vector, n, filters, fresh.covered)]

    def scan() -> list[Ranked]:
        return [(distance, record.id, record) for distance, record in fresh.nearest(vector, n, filters)]

    calls: list[Callable[[], list[Ranked]]] = [partial(ask, part) for part in bases if part.live]
    calls += [scan] if fresh.covered else []
    found = (candidate for some in together(asking, calls) for candidate in some)
    return heapq.nsmallest(n, found, key=lambda candidate: candidate[:2])


def texts_of_ranked(ranked: Iterable[Ranked]) -> dict[str, Texts]:
    """Document and metadata of ranked records, by id."""
    texts: dict[str, Texts] = {}
    wanted: dict[Base, list[str]] = {}
    for _, record_id, owner in ranked:
        if isinstance(owner, Record):
            texts[record_id] = texts_of(owner)
        else:
            wanted.setdefault(owner, []).append(record_id)
    for base, ids in wanted.items():
        texts |= base.texts(ids)
    return texts


def together(pool: ThreadPoolExecutor, calls: Sequence[Callable[[], R]]) -> list[R]:
    """The results of the calls, made side by side, the last one in this thread. None runs any more afterwards."""
    running = [pool.submit(call) for call in calls[:-1]]
    try:
        last = [call() for call in calls[-1:]]
    finally:
        wait(running)
    return [one.result() for one in running] + last

"""Fresh records: those in the segments of a snapshot, of each covered receipt in the newest segment that covers it."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from receipt_chroma.reader.filters import Filters
from receipt_chroma.records import Record, Vector
from receipt_chroma.results import Texts
from receipt_chroma.segment.content import Segment
from receipt_chroma.segment.scan import ScanRows, nearest
from receipt_chroma.shard.closed_shard import receipt_key_of


@dataclass(frozen=True, eq=False, slots=True)
class LoadedSegment:
    """A segment in memory, for any number of snapshots; spans[key] says which records are of a receipt."""

    records: tuple[Record, ...]
    rows: ScanRows
    spans: Mapping[str, tuple[int, int]]

    @classmethod
    def of(cls, segment: Segment) -> Self:
        """What every snapshot needs of a segment, computed once."""
        bounds = pairwise(accumulate((receipt.records for receipt in segment.receipts), initial=0))
        return cls(
            records=segment.records,
            rows=ScanRows.of(segment.vectors, [record.id for record in segment.records]),
            spans={receipt.key: span for receipt, span in zip(segment.receipts, bounds, strict=True)},
        )


class Fresh:
    """The fresh records of all shards of a snapshot; immutable. Its own memory: a few numbers for each receipt.

    `key in covered`: whether a receipt's records are here and not in a base, also when it has none any more. counts:
    how many records each shard has here.
    """

    def __init__(self, shards: Iterable[Sequence[LoadedSegment]]) -> None:
        """shards: the segments of each, oldest first."""
        self.covered: dict[str, tuple[LoadedSegment, tuple[int, int]]] = {}
        self.counts: list[int] = []
        for segments in shards:
            newest = {key: (loaded, span) for loaded in segments for key, span in loaded.spans.items()}
            self.counts.append(sum(stop - start for _, (start, stop) in newest.values()))
            self.covered |= newest
        parts: dict[LoadedSegment, list[tuple[int, int]]] = {}
        for loaded, (start, stop) in self.covered.values():
            if start < stop:
                parts.setdefault(loaded, []).append((start, stop))
        self._parts = list(parts)
        self._starts = list(accumulate((len(part.records) for part in self._parts), initial=0))
        self._live = np.zeros(self._starts[-1], np.bool_)
        for first, own in zip(self._starts, parts.values(), strict=False):
            for start, stop in own:
                self._live[first + start : first + stop] = True

    def ids(self) -> list[str]:
        """Of all records, sorted."""
        return self.matching(Filters())

    def matching(self, filters: Filters) -> list[str]:
        """Ids of the records that the filters select, sorted."""
        return sorted(self._record(int(row)).id for row in np.flatnonzero(self._selected(filters)))

    def records(self, ids: Iterable[str]) -> Iterator[Record]:
        """Those of these records that are here."""
        return (loaded.records[row] for loaded, row in self._places(ids))

    def nearest(self, vector: Vector, n: int, filters: Filters) -> list[tuple[float, Record]]:
        """At most n pairs of distance and record, nearest first, exactly; distances are those that Chroma computes."""
        if not self._parts:
            return []
        found = nearest(vector, [part.rows for part in self._parts], n, self._selected(filters))
        return [(distance, self._record(row)) for distance, row in found]

    def _places(self, ids: Iterable[str]) -> Iterator[tuple[LoadedSegment, int]]:
        for record_id in ids:
            place = self.covered.get(receipt_key_of(record_id))
            if place is None:
                continue
            loaded, (start, stop) = place
            row = bisect_left(loaded.rows.ids, record_id, start, stop)
            if row < stop and loaded.rows.ids[row] == record_id:
                yield loaded, row

    def _selected(self, filters: Filters) -> NDArray[np.bool_]:
        live = self._live if filters.ids is None else self._only(filters.ids)
        if not filters.on_content or not self._parts:
            return live
        predicate, selected = filters.predicate, np.zeros_like(live)
        for first, part in zip(self._starts, self._parts, strict=False):
            for row in np.flatnonzero(live[first : first + len(part.records)]).tolist():
                record = part.records[row]
                selected[first + row] = predicate(record.document, record.metadata)
        return selected

    def _only(self, ids: Iterable[str]) -> NDArray[np.bool_]:
        first = dict(zip(self._parts, self._starts, strict=False))
        selected = np.zeros_like(self._live)
        for loaded, row in self._places(ids):
            selected[first[loaded] + row] = True
        return selected

    def _record(self, row: int) -> Record:
        part = bisect_left(self._starts, row + 1) - 1
        return self._parts[part].records[row - self._starts[part]]


def texts_of(record: Record) -> Texts:
    """Document and metadata of a record, for a caller to keep and to change."""
    own = record.metadata.items()
    return record.document, {key: value.copy() if isinstance(value, list) else value for key, value in own}

"""How two versions differ, shard by shard: shards that both have are skipped unread.

The rest is read side by side in order of id, so memory is what is listed, and for the vectors an id and a number for
each record of two shards. Records are compared in the form that the merge compares them in.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from receipt_chroma.difference import metadata_change
from receipt_chroma.shard.rows import RawRow, ShardRows, ShardVectors
from receipt_chroma.snapshot.manifest import Manifest, ManifestShard

from operate.contents.models import Comparison, RecordChange, RecordRow, Value
from operate.errors import DimensionsDiffer

FoldersOf = Callable[[str, Sequence[ManifestShard]], AbstractContextManager[dict[int, Path]]]
"""Where shards of a collection are, by number, while they are used."""


def compare_manifests(
    older: Manifest, newer: Manifest, folders_of: FoldersOf, *, kinds: Sequence[str], offset: int, limit: int
) -> Comparison:
    """What differs between two versions of a collection; `kinds` are those whose records are listed.

    Raises DimensionsDiffer, and ShardInvalid for a shard that cannot be read.
    """
    if older.dimension and newer.dimension and older.dimension != newer.dimension:
        raise DimensionsDiffer(
            f"the vectors of version {older.version} of {older.collection} have {older.dimension} numbers, those of"
            f" version {newer.version} have {newer.dimension}: they cannot be compared"
        )
    groups = [pair for pair in _paired(older, newer) if not _equal(*pair)]
    found = _Found(kinds, offset, limit)
    for before, after in groups:
        with ExitStack() as opened:
            sides = [
                _Side(number, manifest.collection, shards, folders_of, opened)
                for number, (manifest, shards) in enumerate(((older, before), (newer, after)))
            ]
            found.take(*sides)
    read = sum(shard.records for _, after in groups for shard in after)
    return Comparison(
        collection=older.collection,
        older=older.version,
        older_id=older.snapshot_id,
        newer=newer.version,
        newer_id=newer.snapshot_id,
        added=found.counts["added"],
        removed=found.counts["removed"],
        changed=found.counts["changed"],
        unchanged=found.counts["unchanged"] + newer.records - read,
        documents=found.documents,
        vectors=found.vectors,
        keys=dict(sorted(found.keys.items())),
        shards=newer.shard_count,
        skipped=newer.shard_count - sum(len(after) for _, after in groups),
        offset=offset,
        limit=limit,
        added_records=tuple(found.added),
        removed_records=tuple(found.removed),
        changed_records=tuple(found.changed),
    )


_Shards = tuple[ManifestShard, ...]


def _paired(older: Manifest, newer: Manifest) -> Iterator[tuple[_Shards, _Shards]]:
    """Shards that hold the same receipts: one of each, or all of them where the number of shards is another."""
    if older.shard_count != newer.shard_count:
        yield older.shards, newer.shards
        return
    for before, after in zip(older.shards, newer.shards, strict=True):
        yield (before,), (after,)


def _equal(older: _Shards, newer: _Shards) -> bool:
    """The same directories, or, by their content digests, the same records in others."""
    return len(older) == len(newer) and all(
        before.path == after.path or (before.digest == after.digest and before.records == after.records)
        for before, after in zip(older, newer, strict=True)
    )


class _Row(NamedTuple):
    """A record of one side, 0 the older and 1 the newer one; sorts by id, then side."""

    id: str
    side: int
    shard: int
    raw: RawRow

    def record(self) -> RecordRow:
        document, metadata = self.raw.parse()
        return RecordRow(self.id, self.shard, document, metadata)


class _Side:
    """Some shards of one version, open for reading."""

    def __init__(self, number: int, collection: str, shards: _Shards, folders_of: FoldersOf, opened: ExitStack) -> None:
        self._number = number
        self._open: dict[int, ShardRows] = {}
        self._vectors: dict[int, ShardVectors] = {}
        for shard, folder in opened.enter_context(folders_of(collection, shards)).items():
            self._open[shard] = opened.enter_context(ShardRows.open(folder, collection))

    def rows(self) -> Iterator[_Row]:
        """All records, in order of id."""
        return merge(*(self._rows_of(shard) for shard in self._open))

    def bits(self, row: _Row) -> bytes:
        """The bits of a record's vector."""
        if row.shard not in self._vectors:
            self._vectors[row.shard] = self._open[row.shard].vectors()
        return self._vectors[row.shard].bits(row.id)

    def _rows_of(self, shard: int) -> Iterator[_Row]:
        return (_Row(raw.id, self._number, shard, raw) for raw in self._open[shard].rows())


@dataclass
class _Found:
    """What was found so far: counts of everything, and the records of the page."""

    kinds: Sequence[str]
    offset: int
    limit: int
    counts: Counter[str] = field(default_factory=Counter)
    keys: Counter[str] = field(default_factory=Counter)
    documents: int = 0
    vectors: int = 0
    added: list[RecordRow] = field(default_factory=list)
    removed: list[RecordRow] = field(default_factory=list)
    changed: list[RecordChange] = field(default_factory=list)

    def take(self, older: _Side, newer: _Side) -> None:
        """Take in all records of two sides."""
        for _, found in groupby(merge(older.rows(), newer.rows()), key=attrgetter("id")):
            first, *second = found
            if second:
                self._take_both(first, second[0], vector=older.bits(first) != newer.bits(second[0]))
            elif first.side:
                if self._is_listed("added"):
                    self.added.append(first.record())
            elif self._is_listed("removed"):
                self.removed.append(first.record())

    def _take_both(self, old: _Row, new: _Row, *, vector: bool) -> None:
        document, metadata = None, {}
        if old.raw != new.raw:
            before, after = old.record(), new.record()
            document = None if before.document == after.document else (before.document, after.document)
            metadata = _changed_keys(before, after)
        if document is None and not metadata and not vector:
            self.counts["unchanged"] += 1
            return
        self.documents += document is not None
        self.vectors += vector
        self.keys.update(metadata.keys())
        if self._is_listed("changed"):
            self.changed.append(RecordChange(new.id, new.shard, document, vector, metadata))

    def _is_listed(self, kind: str) -> bool:
        """Count one more of a kind; True when the page has it."""
        place = self.counts[kind]
        self.counts[kind] += 1
        return kind in self.kinds and self.offset <= place < self.offset + self.limit


def _changed_keys(old: RecordRow, new: RecordRow) -> dict[str, tuple[Value | None, Value | None]]:
    changed = sorted(metadata_change(dict(old.metadata), dict(new.metadata)))
    return {key: (old.metadata.get(key), new.metadata.get(key)) for key in changed}

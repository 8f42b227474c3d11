"""How two versions differ: what both have is skipped unread, be it a shard, a base, a segment or a receipt.

Equal digests are equal records: a fold differs in nothing, and of two bases only the receipts are read whose digests
differ, or are not known. Memory is what is listed, and one receipt of each version. Records are compared in the form
that the merge compares them in.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import NamedTuple

from receipt_chroma.difference import metadata_change
from receipt_chroma.digests import add_digests
from receipt_chroma.records import Record
from receipt_chroma.snapshot.manifest import Manifest, ManifestShard

from operate.contents.models import Comparison, RecordChange, RecordRow, Value
from operate.contents.receipt_sides import HomesOf, Side, differing
from operate.errors import DimensionsDiffer


def compare_manifests(
    older: Manifest, newer: Manifest, homes_of: HomesOf, *, kinds: Sequence[str], offset: int, limit: int
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
            old, new = (Side(older.collection, shards, homes_of, opened) for shards in (before, after))
            keys = differing(old.places(), new.places())
            old.open(keys)
            new.open(keys)
            for key in keys:
                found.take(old.records(key), new.records(key))
    return Comparison(
        collection=older.collection,
        older=older.version,
        older_id=older.snapshot_id,
        newer=newer.version,
        newer_id=newer.snapshot_id,
        added=found.counts["added"],
        removed=found.counts["removed"],
        changed=found.counts["changed"],
        unchanged=newer.records - found.counts["added"] - found.counts["changed"],
        documents=found.documents,
        vectors=found.vectors,
        keys=dict(sorted(found.keys.items())),
        shards=newer.shard_count,
        older_shards=older.shard_count,
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
    """The same records, by their content digests, wherever they lie."""
    return _content(older) == _content(newer)


def _content(shards: _Shards) -> tuple[int, str]:
    return sum(shard.records for shard in shards), add_digests(*(shard.digest for shard in shards))


class _Row(NamedTuple):
    """A record, and the shard that it is in."""

    shard: int
    record: Record

    def shown(self) -> RecordRow:
        return RecordRow(self.record.id, self.shard, self.record.document, self.record.metadata)


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

    def take(self, older: tuple[int, dict[str, Record]], newer: tuple[int, dict[str, Record]]) -> None:
        """Take in the records of one receipt: of each side its shard, and its records by id."""
        for record_id in sorted(older[1].keys() | newer[1].keys()):
            old, new = (
                _Row(shard, records[record_id]) if record_id in records else None for shard, records in (older, newer)
            )
            if old and new:
                self._take_both(old, new)
            elif new and self._is_listed("added"):
                self.added.append(new.shown())
            elif old and self._is_listed("removed"):
                self.removed.append(old.shown())

    def _take_both(self, old: _Row, new: _Row) -> None:
        before, after = old.record, new.record
        document = None if before.document == after.document else (before.document, after.document)
        metadata = _changed_keys(before, after)
        vector = not before.same_vector(after)
        if document is None and not metadata and not vector:
            return
        self.documents += document is not None
        self.vectors += vector
        self.keys.update(metadata.keys())
        if self._is_listed("changed"):
            self.changed.append(RecordChange(after.id, new.shard, document, vector, metadata))

    def _is_listed(self, kind: str) -> bool:
        """Count one more of a kind; True when the page has it."""
        place = self.counts[kind]
        self.counts[kind] += 1
        return kind in self.kinds and self.offset <= place < self.offset + self.limit


def _changed_keys(old: Record, new: Record) -> dict[str, tuple[Value | None, Value | None]]:
    changed = sorted(metadata_change(old.metadata, new.metadata))
    return {key: (old.metadata.get(key), new.metadata.get(key)) for key in changed}

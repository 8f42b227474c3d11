"""What must be written so that the existing records become the wanted ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from receipt_dynamo_stream.round.report import MergeCounts

from receipt_chroma.records import Metadata, MetadataValue, Record, metadata_bytes, record_hash


@dataclass
class Difference:
    """Records by what must be done to them; records that are equal in every bit are only counted.

    added: new ids. replaced: another vector or document (deleted, then added: in place costs ten times as much).
    updated: other metadata only, as (old, new). removed: ids that go. digest: what the content digest grows by.
    """

    added: list[Record] = field(default_factory=list)
    replaced: list[Record] = field(default_factory=list)
    updated: list[tuple[Record, Record]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: int = 0
    digest: int = 0

    @property
    def counts(self) -> MergeCounts:
        """How many records of each kind."""
        return MergeCounts(
            added=len(self.added),
            removed=len(self.removed),
            replaced=len(self.replaced),
            updated=len(self.updated),
            unchanged=self.unchanged,
        )

    @property
    def dropped_elements(self) -> int:
        """How many tombstones writing this leaves in the index."""
        return len(self.removed) + len(self.replaced)

    @property
    def touches_vectors(self) -> bool:
        """False when metadata alone changes."""
        return bool(self.added or self.replaced or self.removed)

    def extend(self, other: "Difference") -> None:
        """Take in the difference of another receipt."""
        self.added += other.added
        self.replaced += other.replaced
        self.updated += other.updated
        self.removed += other.removed
        self.unchanged += other.unchanged
        self.digest += other.digest


def difference(existing: Mapping[str, Record], wanted: Mapping[str, Record]) -> Difference:
    """What turns `existing` into `wanted`, both by record id."""
    found = Difference()
    for record_id, old in existing.items():
        if record_id not in wanted:
            found.removed.append(record_id)
            found.digest -= record_hash(old)
    for record_id, new in wanted.items():
        before = existing.get(record_id)
        if before is None:
            found.added.append(new)
        elif before.document != new.document or not before.same_vector(new):
            found.replaced.append(new)
        elif metadata_bytes(before.metadata) != metadata_bytes(new.metadata):
            found.updated.append((before, new))
        else:
            found.unchanged += 1
            continue
        found.digest += record_hash(new) - (record_hash(before) if before else 0)
    return found


def metadata_change(old: Metadata, new: Metadata) -> dict[str, MetadataValue | None]:
    """What ChromaDir.update_metadata must be told so that `old` becomes `new`: None for every key that goes."""
    change: dict[str, MetadataValue | None] = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old or metadata_bytes({key: old[key]}) != metadata_bytes({key: value}):
            change[key] = value
    return change

"""What the shards of a version are made of: bases, segments over them, and how near each is to its next fold."""

from dataclasses import dataclass

from receipt_chroma.folding import FoldBound
from receipt_chroma.snapshot.manifest import Manifest


@dataclass(frozen=True)
class ShardLayout:
    """One shard. fresh_records lie in its segments; from `bound` on it is folded, or from so many segments on.

    base: its path below the collection's folder, None while there was none. bytes: of files, shared with other versions
    or not.
    """

    shard: int
    records: int
    base: str | None
    base_records: int
    base_bytes: int
    segments: int
    fresh_records: int
    segment_bytes: int
    bound: int

    @property
    def share_of_base(self) -> float | None:
        """Fresh records for each record of the base; None without a base."""
        return self.fresh_records / self.base_records if self.base_records else None

    @property
    def share_of_bound(self) -> float:
        """1 where it is folded. A bound of 0 records means that there are no segments."""
        return self.fresh_records / self.bound if self.bound else 0.0


def layout(manifest: Manifest, bound: FoldBound | None = None) -> tuple[ShardLayout, ...]:
    """Each shard of a version, beside the bound of its folds (default: the one that is deployed by default)."""
    folds = bound or FoldBound()
    return tuple(
        ShardLayout(
            shard=shard.shard,
            records=shard.records,
            base=shard.path,
            base_records=shard.base_records,
            base_bytes=sum(entry.size for entry in shard.files),
            segments=len(shard.segments),
            fresh_records=shard.fresh_records,
            segment_bytes=sum(segment.size for segment in shard.segments),
            bound=folds.records(shard.base_records),
        )
        for shard in manifest.shards
    )

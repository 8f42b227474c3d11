"""When a shard is folded: its segments hold much beside its base; and how many shards there may be. Pure rules."""

from dataclasses import dataclass
from typing import Final

from receipt_chroma.errors import ReshardRefused
from receipt_chroma.snapshot.manifest import Manifest, ManifestShard

LEAST_RECORDS: Final = 2_000
MOST_RECORDS: Final = 30_000
SHARE_OF_BASE: Final = 0.3
MOST_SEGMENTS: Final = 384
OVERDUE: Final = 4
"""At so many times the bound folding has failed for long: publications go on, and an alarm rings."""
MOST_SHARDS: Final = 256
"""A query asks each of them, and is too slow long before. A re-shard into as many fits into an execution's history."""


@dataclass(frozen=True)
class FoldBound:
    """How much may lie in the segments of a shard before it is folded.

    Between `least` and `most` records, `share` of the base in between, and at most `segments` segments. A round that
    changes more records than the bound at once writes a new base in place of a segment. `most` 0: every round does.
    """

    least: int = LEAST_RECORDS
    most: int = MOST_RECORDS
    share: float = SHARE_OF_BASE
    segments: int = MOST_SEGMENTS

    def records(self, base_records: int) -> int:
        """The bound in records for a base of this size."""
        return min(self.most, max(self.least, int(self.share * base_records)))

    def is_for_base(self, changed: int, base_records: int) -> bool:
        """Whether a round that writes so many records of a shard writes them into a new base."""
        return self.most == 0 or changed > self.records(base_records)

    def passed(self, shard: ManifestShard, times: int = 1) -> bool:
        """Whether the shard's segments hold more than `times` the bound."""
        return (
            shard.fresh_records > times * self.records(shard.base_records)
            or len(shard.segments) > times * self.segments
        )


ALWAYS: Final = FoldBound(most=0)
"""Every round that changes anything writes a new base."""


def shards_to_fold(manifest: Manifest, bound: FoldBound) -> tuple[int, ...]:
    """The shards whose bound is passed."""
    return tuple(shard.shard for shard in manifest.shards if bound.passed(shard))


def shard_number(into: float) -> int:
    """How many shards a re-shard is asked for, 0 for none. Raises ReshardRefused for what is no number of shards."""
    if into != int(into) or not 0 <= into <= MOST_SHARDS:
        raise ReshardRefused(f"a collection has a whole number of shards from 1 to {MOST_SHARDS}, not {into}")
    return int(into)


def plan_fold(
    manifest: Manifest, bound: FoldBound, *, all: bool, into: int = 0, rebuild: bool = False
) -> tuple[int, ...]:
    """PlanFold: the shards to fold now, those past the bound, or with `all` every one that has a segment.

    rebuild: every shard that has a base or a segment, since a base alone may hold what was deleted.

    into: of a re-shard the number of shards, which are all written, unless there are so many already.
    """
    if into:
        return tuple(range(into)) if into != manifest.shard_count else ()
    if rebuild:
        return tuple(shard.shard for shard in manifest.shards if shard.segments or shard.path is not None)
    return tuple(shard.shard for shard in manifest.shards if shard.segments) if all else shards_to_fold(manifest, bound)

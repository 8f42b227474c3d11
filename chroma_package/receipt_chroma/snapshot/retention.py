"""Which versions may go: pure rules over the VERSION rows and HEAD."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from receipt_dynamo_stream.control.versions import EXPIRED, VersionRow
from receipt_dynamo_stream.times import instant

EXPIRED_FOR: Final = timedelta(hours=1)
"""How long a version stays EXPIRED before its files are deleted: whoever chose it before has long seen the mark."""


def parent_chain(head_snapshot: str, rows: Iterable[VersionRow]) -> list[str]:
    """HEAD's snapshot and its ancestors, newest first, as far as rows are there."""
    parents = {row.snapshot_id: row.parent for row in rows}
    chain: list[str] = []
    snapshot: str | None = head_snapshot
    while snapshot is not None and snapshot not in chain:
        chain.append(snapshot)
        snapshot = parents.get(snapshot)
    return chain


@dataclass(frozen=True, kw_only=True)
class Retention:
    """What is kept at one moment: the newest `keep` versions of HEAD's chain, what is younger than `grace` (four times
    the longest Lambda is a good one), and what is pinned."""

    keep: int
    grace: timedelta
    now: datetime

    def rows_to_expire(self, rows: Sequence[VersionRow], head_snapshot: str) -> list[VersionRow]:
        """The rows to mark EXPIRED, in the order given.

        Never HEAD's, the newest `keep` of its chain, pinned ones, those made within `grace`, or one without a readable
        created_at.
        """
        kept = set(parent_chain(head_snapshot, rows)[: max(1, self.keep)])

        def may_go(row: VersionRow) -> bool:
            made = instant(row.created_at)
            old = made is not None and self.is_old(made)
            return row.state != EXPIRED and old and row.pinned is None and row.snapshot_id not in kept

        return [row for row in rows if may_go(row)]

    def deletable(self, rows: Iterable[VersionRow]) -> set[str]:
        """Snapshots whose rows have been EXPIRED for long enough; a mark without a readable time does not count."""
        gone = set()
        for row in rows:
            marked = instant(row.expired_at)
            if row.state == EXPIRED and marked is not None and self.now - marked >= EXPIRED_FOR:
                gone.add(row.snapshot_id)
        return gone

    def is_old(self, moment: datetime) -> bool:
        """Whether it is past the grace."""
        return self.now - moment > self.grace

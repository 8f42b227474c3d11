"""Which versions may go: pure rules over the VERSION rows and HEAD."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from receipt_dynamo_stream.control.head import parse_snapshot_id
from receipt_dynamo_stream.control.versions import EXPIRED, VersionRow
from receipt_dynamo_stream.times import instant

EXPIRED_FOR: Final = timedelta(hours=1)
"""How long a version stays EXPIRED before its files are deleted: whoever chose it before has long seen the mark."""


def parent_chain(head_snapshot: str, newest_first: Iterable[VersionRow]) -> Iterator[VersionRow]:
    """The rows of HEAD's snapshot and of its ancestors, newest first, from all rows by their ids as texts, descending.

    Where the row of an ancestor is in the archive, the chain goes on with the newest older one that readers saw: who
    was ever HEAD's is an ancestor for ever. So it may be asked of as many rows as there are, one at a time.
    """
    wanted: str | None = head_snapshot
    for row in newest_first:
        if wanted is None:
            return
        if row.snapshot_id == wanted or (row.snapshot_id < wanted and row.committed_at is not None):
            yield row
            wanted = row.parent


@dataclass(frozen=True, kw_only=True)
class Retention:
    """What is kept at one moment: the newest `keep` versions of HEAD's chain, what is younger than `grace` (four times
    the longest Lambda is a good one), and what is pinned.

    before: of the newest `keep` only HEAD's and those from this version number on; 0 for all of them."""

    keep: int
    grace: timedelta
    now: datetime
    expired_for: timedelta = EXPIRED_FOR
    before: int = 0

    def kept(self, head_snapshot: str, newest_first: Iterable[VersionRow]) -> set[str]:
        """The newest `keep` of HEAD's chain, HEAD's own in any case; the rows as `parent_chain` takes them."""
        chain = islice(parent_chain(head_snapshot, newest_first), max(1, self.keep))
        kept = (row.snapshot_id for row in chain)
        return {head_snapshot, *(one for one in kept if parse_snapshot_id(one).version >= self.before)}

    def may_expire(self, row: VersionRow, kept: Collection[str]) -> bool:
        """Whether a row is to be marked EXPIRED: not one that is kept, pinned, made within `grace`, or without a
        readable created_at."""
        made = instant(row.created_at)
        old = made is not None and self.is_old(made)
        return row.state != EXPIRED and old and row.pinned is None and row.snapshot_id not in kept

    def is_deletable(self, row: VersionRow) -> bool:
        """Whether a row has been EXPIRED for long enough; a mark without a readable time does not count."""
        marked = instant(row.expired_at)
        return row.state == EXPIRED and marked is not None and self.now - marked >= self.expired_for

    def is_old(self, moment: datetime) -> bool:
        """Whether it is past the grace."""
        return self.now - moment > self.grace

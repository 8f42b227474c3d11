"""Where each receipt's records are, and what a shard comes to: arithmetic over indexes, no record is read.

The law of a shard: content(shard) = union over receipts of content(its newest place). A place is the base or one of
the segments; the newest segment that covers a receipt has all of it, else the base has.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from receipt_dynamo_stream.round.report import ReceiptContent

from receipt_chroma.digests import EMPTY_DIGEST, add_digests

BASE: Final = -1
"""The place of a receipt that no segment covers; segments are 0, 1, … from the oldest."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a receipt's records are, and what they come to there."""

    segment: int
    content: ReceiptContent


@dataclass(frozen=True, slots=True)
class ShardContent:
    """What a whole shard comes to: number of records, and their content digest (64 hex digits)."""

    records: int = 0
    digest: str = EMPTY_DIGEST

    @classmethod
    def of(cls, receipts: Iterable[ReceiptContent]) -> Self:
        """What these receipts come to, each named once."""
        contents = list(receipts)
        return cls(sum(one.records for one in contents), add_digests(*(one.digest for one in contents)))

    def after(self, before: Iterable[ReceiptContent], now: Iterable[ReceiptContent]) -> "ShardContent":
        """Conservation: what the shard comes to once receipts that were `before` are `now`, all others untouched.

        A receipt that was not there before may be left out of `before`.
        """
        gone, come = ShardContent.of(before), ShardContent.of(now)
        return ShardContent(
            self.records - gone.records + come.records,
            add_digests(self.digest, -int(gone.digest, 16), come.digest),
        )


def newest_places(base: Iterable[ReceiptContent], segments: Sequence[Iterable[ReceiptContent]]) -> Mapping[str, Place]:
    """Each receipt's place, by key, from the base's index and the segments' indexes, oldest first.

    A receipt whose newest place has no records is left out: it is gone.
    """
    places = {content.key: Place(BASE, content) for content in base}
    for number, index in enumerate(segments):
        places |= {content.key: Place(number, content) for content in index}
    return {key: place for key, place in places.items() if place.content.records}

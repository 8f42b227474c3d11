"""content(shard) = union over receipts of content(its newest place), beside a model that copies records about."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st
from receipt_chroma.records import Record, content_of
from receipt_chroma.segment.content import Segment
from receipt_chroma.segment.places import BASE, Place, ShardContent, newest_places
from receipt_dynamo_stream.round.report import ReceiptContent

from ..samples import receipt, word

Contents = Mapping[str, list[Record]]

RECEIPTS = [receipt(number) for number in range(5)]
contents_of_receipts = st.dictionaries(
    st.sampled_from(RECEIPTS), st.dictionaries(st.integers(1, 3), st.integers(0, 2), max_size=3), max_size=5
).map(
    lambda drawn: {
        one.key: [word(1, number, seed, of=one) for number, seed in words.items()] for one, words in drawn.items()
    }
)
histories = st.lists(contents_of_receipts, max_size=6)


def index(contents: Contents) -> tuple[ReceiptContent, ...]:
    return Segment.of(contents).receipts


def laid_over(base: Contents, segments: list[Contents]) -> dict[str, list[Record]]:
    """The naive model: every segment takes out the receipts that it covers and puts in what it has of them."""
    shard = dict(base)
    for segment in segments:
        for key, records in segment.items():
            shard.pop(key, None)
            if records:
                shard[key] = records
    return {key: records for key, records in shard.items() if records}


@given(contents_of_receipts, histories)
def test_every_receipt_is_in_its_newest_place_and_nowhere_else(base: Contents, segments: list[Contents]) -> None:
    places = newest_places(index(base), [index(segment) for segment in segments])
    found = {key: (base if place.segment == BASE else segments[place.segment])[key] for key, place in places.items()}
    assert index(found) == index(laid_over(base, segments))
    assert {key: place.content for key, place in places.items()} == {one.key: one for one in index(found)}


@given(contents_of_receipts, histories)
def test_a_shard_comes_to_the_sum_of_its_receipts(base: Contents, segments: list[Contents]) -> None:
    places = newest_places(index(base), [index(segment) for segment in segments])
    records = [record for some in laid_over(base, segments).values() for record in some]
    everything = content_of("", records)
    assert ShardContent.of(place.content for place in places.values()) == ShardContent(
        everything.records, everything.digest
    )


@given(contents_of_receipts, histories)
def test_conservation_follows_the_shard_through_every_segment(base: Contents, segments: list[Contents]) -> None:
    shard = ShardContent.of(index(base))
    for number, segment in enumerate(segments):
        before = newest_places(index(base), [index(one) for one in segments[:number]])
        covered = [before[key].content for key in segment if key in before]
        shard = shard.after(covered, index(segment))
        now = laid_over(base, segments[: number + 1])
        assert shard == ShardContent.of(index(now))


@given(contents_of_receipts, histories, st.data())
def test_segments_mean_the_same_over_a_base_that_holds_the_older_ones(
    base: Contents, segments: list[Contents], data: st.DataObject
) -> None:
    """Why a fold may commit beside publications: later segments cover whole receipts."""
    folded = data.draw(st.integers(0, len(segments)))
    new_base = laid_over(base, segments[:folded])
    assert laid_over(new_base, segments[folded:]) == laid_over(base, segments)
    over_new = newest_places(index(new_base), [index(one) for one in segments[folded:]])
    over_old = newest_places(index(base), [index(one) for one in segments])
    assert {key: place.content for key, place in over_new.items()} == {
        key: place.content for key, place in over_old.items()
    }


def test_a_receipt_that_a_segment_covers_without_records_is_gone() -> None:
    one = RECEIPTS[0]
    base, gone = index({one.key: [word(1, 1, of=one)]}), index({one.key: []})
    assert newest_places(base, [gone]) == {}
    assert newest_places(base, [gone, base]) == {one.key: Place(1, base[0])}
    assert newest_places(base, []) == {one.key: Place(BASE, base[0])}


def test_a_shard_of_nothing_comes_to_nothing() -> None:
    assert ShardContent.of([]) == ShardContent()
    assert ShardContent().after([], []) == ShardContent()

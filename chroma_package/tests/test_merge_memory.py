"""What a merge holds of deltas while it reads them: told by the order of what is fetched and decoded."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from receipt_chroma import merge, run_deltas
from receipt_chroma.delta.read import decode_delta, fetch_delta
from receipt_chroma.merge import RECEIPTS_AT_ONCE
from receipt_chroma.run_deltas import DeltaSource
from receipt_dynamo_stream.keys import parse_record_id

from .samples import DIMENSION, facts, run, word
from .test_hostile_merge import of_receipt, upload
from .world import World

RECEIPTS = 2 * RECEIPTS_AT_ONCE
WAIT_SECONDS = 30


class Held:
    """The bytes of deltas that are fetched and not decoded yet."""

    def __init__(self) -> None:
        self.now = self.most = self.fetched = 0
        self.changed = threading.Condition()

    def fetch(self, *arguments: Any) -> Any:
        form, files = fetch_delta(*arguments)
        self._add(sum(map(len, files.values())), fetched=1)
        return form, files

    def decode(self, form: str, files: Any, **given: Any) -> Any:
        try:
            return decode_delta(form, files, **given)
        finally:
            self._add(-sum(map(len, files.values())), fetched=0)

    def _add(self, size: int, *, fetched: int) -> None:
        with self.changed:
            self.now, self.fetched = self.now + size, self.fetched + fetched
            self.most = max(self.most, self.now)
            self.changed.notify_all()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    counting = Held()
    monkeypatch.setattr(run_deltas, "fetch_delta", counting.fetch)
    monkeypatch.setattr(run_deltas, "decode_delta", counting.decode)
    yield counting
    assert counting.now == 0


def published(world: World) -> int:
    """Publish a round of receipts with a delta each; returns the bytes of the largest one."""
    found = [of_receipt(number) for number in range(RECEIPTS)]
    for one in found:
        upload(world, one)
    (report,) = world.publish(*found)
    assert report.refusals == ()
    assert {parse_record_id(one).receipt for one in world.records()} == {one.receipt for one in found}
    return max(len(world.store.read(f"words/delta/{number}/delta.arrow")) for number in range(RECEIPTS))


def test_large_deltas_are_held_one_at_a_time(world: World, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "FETCHED_AHEAD", 100)
    largest = published(world)
    assert 0 < held.most <= largest


def test_small_deltas_are_fetched_ahead_of_the_one_that_is_decoded(
    world: World, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode_late(*files: Any, **given: Any) -> Any:
        with held.changed:
            assert held.changed.wait_for(lambda: held.fetched >= RECEIPTS_AT_ONCE, WAIT_SECONDS)
        return held.decode(*files, **given)

    monkeypatch.setattr(run_deltas, "decode_delta", decode_late)
    monkeypatch.setattr(merge, "first_dimension", lambda *_: DIMENSION)
    largest = published(world)
    assert held.most <= (RECEIPTS_AT_ONCE + 2) * largest


def test_the_runs_of_a_receipt_are_fetched_ahead_up_to_the_bound_together(world: World) -> None:
    runs = [run(number) for number in (1, 2, 3)]
    for one in runs:
        world.upload(one, [word(1, 1), word(1, 2)])
    sizes = [len(world.store.read(f"{one.delta_prefix}delta.arrow")) for one in runs]
    source, of = DeltaSource(world.store, "words"), facts([(1, 1), (1, 2)], runs=runs)
    assert list(source.fetch_ahead(of, sum(sizes[:2]))) == [one.run_id for one in runs[:2]]
    assert list(source.fetch_ahead(of, min(sizes) - 1)) == []


def test_a_directory_of_loose_objects_is_fetched_ahead_when_all_of_it_has_room(world: World) -> None:
    for name in ("chroma.sqlite3", "index/header.bin"):
        world.store.put(f"{run(1).delta_prefix}{name}", bytes(100))
    source, of = DeltaSource(world.store, "words"), facts([(1, 1)], runs=[run(1)])
    assert len(source.fetch_ahead(of, 200)) == 1
    assert source.fetch_ahead(of, 199) == {}
    assert source.fetch_ahead(of, 99) == {}

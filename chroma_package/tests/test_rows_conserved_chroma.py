"""RowsConserved with real Chroma: the same histories through merges, validations and publications."""

import itertools
from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from receipt_chroma.digests import EMPTY_DIGEST
from receipt_chroma.folding import ALWAYS, FoldBound
from receipt_dynamo_stream.facts import ReceiptFacts
from receipt_dynamo_stream.round.fold_report import FoldReport

from .naive_wanted import Naive, naive_wanted
from .table import HISTORIES, Event, Table
from .world import World

NewWorld = Callable[[str, int], World]


@pytest.fixture(scope="module")
def new_world(s3: object, tmp_path_factory: pytest.TempPathFactory) -> NewWorld:
    """Makes an empty bucket and EFS folder for a collection with some shards."""
    numbers = itertools.count()

    def make(collection: str, shards: int) -> World:
        bucket = f"rows-conserved-{next(numbers)}"
        s3.create_bucket(Bucket=bucket)  # type: ignore[attr-defined]
        return World(s3, bucket, tmp_path_factory.mktemp("world"), collection, shards)

    return make


def publish(world: World, table: Table, planned: Sequence[tuple[ReceiptFacts, int]]) -> int:
    """Merge what was planned; the number of versions that came of it, 0 or 1."""
    if not planned:
        return 0
    for facts, _ in planned:
        for run in facts.runs:
            world.upload(run, table.deltas[run.run_id])
    version = world.pointer.version if world.pointer else 0
    world.publish(*(facts for facts, _ in planned))
    table.settle(planned)
    return (world.pointer.version if world.pointer else 0) - version


def records_of(world: World) -> Naive:
    if world.pointer is None:
        return {}
    return {one: (found.embedding.tobytes(), found.document, found.metadata) for one, found in world.records().items()}


def expected(table: Table) -> Naive:
    wanted: Naive = {}
    for one in table.rows:
        facts = table.facts(one)
        deltas = [
            (run, {r.id: (r.embedding.tobytes(), r.document, r.metadata) for r in table.deltas[run.run_id]})
            for run in facts.runs
        ]
        wanted |= naive_wanted(deltas, facts, table.collection, {})
    return wanted


class Folds:
    """Folds of a world that begin and are committed where the numbers say, whatever is published in between."""

    def __init__(self, world: World, numbers: Sequence[int]) -> None:
        self._world = world
        self._numbers = iter(numbers)
        self._begun: list[FoldReport] = []

    def step(self) -> None:
        number = next(self._numbers, 0)
        if number == 1 and self._world.pointer is not None:
            self._begun += [self._world.fold(shard) for shard in range(self._world.shards)]
        elif number > 1 and self._begun:
            self._world.commit_fold(*self._begun[-number:])


def check(
    new_world: NewWorld, collection: str, shards: int, events: Sequence[Event], bound: FoldBound, numbers: Sequence[int]
) -> None:
    split, table = new_world(collection, shards), Table(collection)
    split.bound = bound
    folds = Folds(split, numbers)
    planned: list[tuple[ReceiptFacts, int]] = []
    for event in [*events, ("merge",), ("plan", len(table.rows)), ("merge",)]:
        folds.step()
        if event[0] == "plan":
            oldest_first = sorted(table.pending.items(), key=lambda pair: pair[1])
            planned = [(table.facts(one), token) for one, token in oldest_first[: event[1]]]
        elif event[0] == "merge":
            publish(split, table, planned)
            planned = []
        else:
            table.happen(event)
    assert not table.pending
    everything = [(table.facts(one), 0) for one in table.rows]
    from_nothing = new_world(collection, shards)
    publish(from_nothing, table, everything)
    assert records_of(split) == records_of(from_nothing) == expected(table)
    digests = {world.manifest.digest if world.pointer else EMPTY_DIGEST for world in (split, from_nothing)}
    assert len(digests) == 1
    assert publish(split, table, everything) == 0, "merging again what is merged makes a version"
    if split.pointer is not None:
        split.verify()


BOUNDS = st.sampled_from([ALWAYS, FoldBound(least=4, share=0), FoldBound()])
CASES = (
    *(st.sampled_from(["words", "lines"]), st.sampled_from([1, 2]), HISTORIES),
    *(BOUNDS, st.lists(st.integers(0, 3), max_size=30)),
)
NO_SHRINKING = [phase for phase in Phase if phase is not Phase.shrink]


@settings(max_examples=2, phases=NO_SHRINKING, suppress_health_check=list(HealthCheck))
@given(*CASES)
def test_rows_conserved_in_published_snapshots(
    new_world: NewWorld, collection: str, shards: int, events: list[Event], bound: FoldBound, numbers: list[int]
) -> None:
    check(new_world, collection, shards, events, bound, numbers)


@pytest.mark.slow
@settings(max_examples=60, phases=NO_SHRINKING, suppress_health_check=list(HealthCheck))
@given(*CASES)
def test_rows_conserved_in_tens_of_published_histories(
    new_world: NewWorld, collection: str, shards: int, events: list[Event], bound: FoldBound, numbers: list[int]
) -> None:
    check(new_world, collection, shards, events, bound, numbers)

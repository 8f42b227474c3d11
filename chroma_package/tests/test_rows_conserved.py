"""RowsConserved: a published snapshot has the records that the facts want of every receipt, each once, however the
changes were split over plans; and its content digest says so."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from receipt_chroma.difference import Difference, difference, metadata_change
from receipt_chroma.digests import EMPTY_DIGEST, add_digests
from receipt_chroma.records import Record, record_hash
from receipt_chroma.shard.closed_shard import receipt_key_of
from receipt_chroma.wanted import VANISHED, Gone, RunDelta, wanted_records
from receipt_dynamo_stream.facts import ReceiptFacts
from receipt_dynamo_stream.invariants import rows_conserved

from .naive_wanted import Naive, naive_wanted
from .table import HISTORIES, Event, Table

COLLECTIONS = st.sampled_from(["words", "lines"])


class Shard:
    """A snapshot in memory, changed as a shard is: by differences, with the digest that they add up to."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.digest = EMPTY_DIGEST

    def existing(self, key: str) -> dict[str, Record]:
        return {one: record for one, record in self.records.items() if receipt_key_of(one) == key}

    def write(self, changes: Difference) -> None:
        for record_id in changes.removed:
            del self.records[record_id]
        for record in changes.replaced:
            assert record.id in self.records
            self.records[record.id] = record
        for record in changes.added:
            assert record.id not in self.records
            self.records[record.id] = record
        for old, new in changes.updated:
            merged = dict(self.records[new.id].metadata)
            for key, value in metadata_change(old.metadata, new.metadata).items():  # as chromadb merges it
                if value is None:
                    merged.pop(key)
                else:
                    merged[key] = value
            self.records[new.id] = Record(new.id, self.records[new.id].embedding, self.records[new.id].document, merged)
        self.digest = add_digests(self.digest, changes.digest)


def plain(records: dict[str, Record]) -> Naive:
    return {one: (record.embedding.tobytes(), record.document, record.metadata) for one, record in records.items()}


class Machine:
    """Plans and merges over a table, one plan at a time; every merge is compared with the naive model."""

    def __init__(self, collection: str) -> None:
        self.table = Table(collection)
        self.shard = Shard()
        self.gone: set[str] = set()
        self._planned: list[tuple[ReceiptFacts, int]] = []

    def run(self, events: Sequence[Event]) -> None:
        for event in events:
            if event[0] == "plan":  # of one that was lost before, nothing remains
                self.plan(event[1])
            elif event[0] == "merge":
                self.merge()
            else:
                self.table.happen(event)

    def plan(self, receipts: int) -> None:
        chosen = sorted(self.table.pending.items(), key=lambda pair: pair[1])[:receipts]
        self._planned = [(self.table.facts(one), token) for one, token in chosen]

    def merge(self) -> int:
        """Merge what was planned; the number of records that changed."""
        changed = 0
        for facts, _ in self._planned:
            before = self.shard.existing(facts.receipt.key)
            expected = naive_wanted(
                [(run, None if run.run_id in self.gone else plain(self._delta(run.run_id))) for run in facts.runs],
                facts,
                self.table.collection,
                plain(before),
            )
            deltas = [RunDelta(run, self._read(run.run_id)) for run in reversed(facts.runs)]
            wanted = wanted_records(deltas, facts, self.table.collection).resolve(before)
            changes = difference(before, wanted)
            self.shard.write(changes)
            assert plain(self.shard.existing(facts.receipt.key)) == expected
            changed += changes.counts.changed
        self.table.settle(self._planned)
        self._planned = []
        return changed

    def merge_all(self) -> int:
        """Plan and merge until nothing is pending."""
        changed = 0
        while self.table.pending:
            self.plan(len(self.table.rows))
            changed += self.merge()
        return changed

    def again(self) -> int:
        """Every receipt once more, as reconcile marks them."""
        self._planned = [(self.table.facts(one), 0) for one in self.table.rows]
        return self.merge()

    def _delta(self, run_id: str) -> dict[str, Record]:
        return {record.id: record for record in self.table.deltas[run_id]}

    def _read(self, run_id: str) -> Sequence[Record] | Gone:
        return VANISHED if run_id in self.gone else self.table.deltas[run_id]


def check_split(collection: str, events: Sequence[Event]) -> None:
    split = Machine(collection)
    split.run(events)
    split.merge()
    split.merge_all()
    one_plan, from_nothing = Machine(collection), Machine(collection)
    one_plan.run([event for event in events if event[0] not in ("plan", "merge")])
    one_plan.merge_all()
    from_nothing.table = split.table  # as it is now: runs are COMPLETED, and nobody is pending
    from_nothing.again()
    for what, one in (("one plan", one_plan), ("from nothing", from_nothing)):
        rows_conserved(what, wanted=plain(split.shard.records), found=plain(one.shard.records))
    recomputed = add_digests(*map(record_hash, split.shard.records.values()))
    assert split.shard.digest == one_plan.shard.digest == from_nothing.shard.digest == recomputed
    assert split.again() == 0, "merging again what is merged writes something"


def check_vanishing(collection: str, events: Sequence[Event], choose: st.DataObject) -> None:
    machine = Machine(collection)
    machine.run(events)
    machine.merge()
    machine.merge_all()
    before = plain(machine.shard.records)
    completed = [
        run.run_id for row in machine.table.rows.values() for run in row.runs.values() if run.state == "COMPLETED"
    ]
    if completed:
        machine.gone = set(choose.draw(st.lists(st.sampled_from(completed), unique=True, min_size=1)))
    machine.again()
    assert plain(machine.shard.records) == before, "a delta that is gone takes records with it"
    machine.run([event for event in events if event[0] != "fail"])
    machine.merge()
    machine.merge_all()
    assert machine.shard.digest == add_digests(*map(record_hash, machine.shard.records.values()))


FEW = frozenset({(1, 1), (1, 2)})
ANNOUNCED_ANEW = [
    ("create", 0, FEW),
    ("run", 0, [((1, 2), 0, "MILK", None)], 0),
    ("repeat", 0, 0),
    ("plan", 2),
    ("run", 0, [((1, 2), 0, "EGGS", None)], 0),
    ("repeat", 0, 0),
]
"""A planned run is announced again, by the same id and later, before its plan is merged."""


@settings(max_examples=150)
@given(COLLECTIONS, HISTORIES)
@example("words", ANNOUNCED_ANEW)
def test_rows_conserved_however_the_changes_are_split_over_plans(collection: str, events: list[Event]) -> None:
    check_split(collection, events)


@settings(max_examples=60)
@given(COLLECTIONS, HISTORIES, st.data())
def test_rows_conserved_when_the_deltas_of_completed_runs_vanish(
    collection: str, events: list[Event], choose: st.DataObject
) -> None:
    check_vanishing(collection, events, choose)


@pytest.mark.slow
@settings(max_examples=4_000, suppress_health_check=[HealthCheck.too_slow])
@given(COLLECTIONS, HISTORIES, st.data())
def test_rows_conserved_in_thousands_of_histories(collection: str, events: list[Event], choose: st.DataObject) -> None:
    check_split(collection, events)
    check_vanishing(collection, events, choose)

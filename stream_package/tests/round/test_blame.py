"""Who is blamed when merges fail: the real choosing, settling and blaming, over a naive world of outages and of
receipts that kill their merge. No services: the pending receipts are the tests' notebook, which another test holds to
the real ones."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import ceil, log2
from typing import Any, cast
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from receipt_dynamo_stream import ReceiptId
from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.control.pending import PendingReceipts
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.facts import ReceiptFacts, RunFact
from receipt_dynamo_stream.round.blame import COUNTED_FAILURES, at_risk, blame, is_nobodys
from receipt_dynamo_stream.round.choosing import choose_receipts, tried_facts
from receipt_dynamo_stream.round.plan import ONE_RUN, Plan, PlannedReceipt
from receipt_dynamo_stream.round.report import MergeCounts, ReceiptReport, ShardReport
from receipt_dynamo_stream.round.settle import settle_changes

from ..samples import LATER, NOW
from .notebook import Notebook

KILLED = "Runtime.ExitError"
ROUNDS = 60
OUTAGES = ("download", "named", "killed before it began", "killed inside")
"""Where an outage ends a round: outside the merge, by an error with a name, or by a signal before or inside the part
for which a receipt may be to blame."""


@dataclass
class World:
    """A collection: what is published of which receipt, and who kills the merge. It knows nothing of suspects.

    Every receipt has a run, some have a later one; of a guilty receipt one of them kills. `runs` and `later` have their
    states.
    """

    max_receipts: int = 250
    shards: int = 1
    guilty_run: str = "run"
    guilty: set[ReceiptId] = field(default_factory=set)
    runs: dict[ReceiptId, str] = field(default_factory=dict)
    later: dict[ReceiptId, str] = field(default_factory=dict)
    version: int = 0
    outage: str | None = None
    rounds: list[tuple[str, int, bool]] = field(default_factory=list)
    quarantined: list[ReceiptId] = field(default_factory=list)
    published: set[ReceiptId] = field(default_factory=set)
    edits: set[ReceiptId] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.pending = Notebook()
        self._numbers = count()

    # The control table and the receipts table, as far as a round writes to them.
    client: Any = None

    def put(self, run_id: str, receipt: ReceiptId, *_: Any, failing: Any, **__: Any) -> bool:
        assert run_id == self.guilty_run, "a good run pays for another one"
        self.update_item(**failing)
        self.quarantined.append(receipt)
        return True

    def of_receipts(self, _receipts: Sequence[ReceiptId]) -> dict[ReceiptId, Any]:
        """The notes of receipts: here no run has any."""
        return {}

    def update_item(self, *, Key: Any, ExpressionAttributeValues: Any, **_: Any) -> dict[str, Any]:  # noqa: N803
        key, state = re.fullmatch(r"(.*)#COMPACTION_RUN#(.*)", Key["SK"]["S"]), ExpressionAttributeValues[":state"]["S"]
        assert key
        receipt = next(one for one in self.runs if one.pk == Key["PK"]["S"] and one.sk == key[1])
        states = self.runs if key[2] == "run" else self.later
        assert (states[receipt], state) != ("COMPLETED", "FAILED"), "an outage unpublishes"
        states[receipt] = state
        return {}

    def announce(self, *receipts: ReceiptId) -> None:
        self.runs.update(dict.fromkeys(receipts, "PENDING"))
        self.mark(*receipts)

    def announce_again(self, *receipts: ReceiptId) -> None:
        self.later.update(dict.fromkeys(receipts, "PENDING"))
        self.mark(*receipts)

    def edit_published(self, *receipts: ReceiptId) -> None:
        self.runs.update(dict.fromkeys(receipts, "COMPLETED"))
        self.published |= set(receipts)
        self.edits |= set(receipts)
        self.mark(*receipts)

    def mark(self, *receipts: ReceiptId) -> None:
        self.pending.mark({one: ["x"] for one in receipts}, now=NOW, new_token=lambda: f"t{next(self._numbers)}")

    def execute(self) -> bool:
        """One execution, rounds until nothing is left or a merge fails; whether it succeeded."""
        control = cast(ControlTable, _Control(self))
        for number in range(ROUNDS):
            choice = choose_receipts(self.pending.read(), version=self.version, max_receipts=self.max_receipts)
            if not choice.chosen:
                return True
            plan = self._plan(choice, number)
            error = self._merge(plan)
            self.rounds.append((plan.trial, len(plan.receipts), error is None))
            if error is not None:
                if error != "download":
                    key = plan.plan_key("x")
                    blame(control, receipts_table="r", plan=plan, plan_key=key, error=error, now=NOW)
                return False
            reports = [self._report(plan, shard) for shard in plan.touched_shards()]
            settle_changes(control, receipts_table="r", plan=plan, reports=reports, pointer=None, now=NOW)
            if not choice.more and plan.trial != ONE_RUN:
                return True
        return True  # as the machine's bound of rounds does: the next execution goes on

    def executions_until(self, done: Any, at_most: int) -> int:
        for made in range(at_most + 1):
            if done():
                return made
            self.execute()
        raise AssertionError(f"not after {at_most} executions: {self.rounds[-20:]}")

    def _plan(self, choice: Any, place: int) -> Plan:
        facts = {one.receipt: self._facts(one.receipt) for one in choice.chosen}
        tried, trial = tried_facts(facts, choice.trial)
        number = next(self._numbers)
        base = Pointer(self.version, "s", "k", "d") if self.version else None
        planned = tuple(
            PlannedReceipt(crc32(one.receipt.key.encode()) % self.shards, one.change, 0, NOW, tried[one.receipt])
            for one in choice.chosen
        )
        return Plan("words", f"e{number}", "arn", "stream", place, number, base, "s", self.shards, NOW, planned, trial)

    def _facts(self, receipt: ReceiptId) -> ReceiptFacts:
        runs = [RunFact(NOW, "run", state=self.runs[receipt])]
        if receipt in self.later:
            runs.append(RunFact(LATER, "run-2", state=self.later[receipt]))
        return ReceiptFacts(receipt, exists=True, runs=tuple(runs))

    def _merge(self, plan: Plan) -> str | None:
        """The name of the error, or None when what is planned is published."""
        if self.outage == "download":
            return "download"
        if self.outage == "named":
            return "StorageUnavailable"
        if self.outage == "killed before it began":
            return KILLED
        killers = [
            one
            for one in plan.receipts
            if one.facts.receipt in self.guilty
            and any(run.state != "FAILED" and run.run_id == self.guilty_run for run in one.facts.runs)
        ]
        if self.outage or killers:
            asked = at_risk(cast(PendingReceipts, self.pending), plan, plan.plan_key("x"))
            if asked:  # a killed process never leaves its context
                self.pending.begin(plan.receipts[0].facts.receipt, plan.plan_key("x"))
            return KILLED
        planned = {one.facts.receipt for one in plan.receipts}
        brought = {one.facts.receipt for one in plan.receipts if any(run.state == "PENDING" for run in one.facts.runs)}
        self.version += bool((brought - self.published) | (planned & self.edits))
        self.published |= brought
        self.edits -= planned
        return None

    @staticmethod
    def _report(plan: Plan, shard: int) -> ShardReport:
        receipts = tuple(
            ReceiptReport(one.facts.receipt, {run.run_id: 1 for run in one.facts.runs if run.state != "FAILED"})
            for one in plan.receipts
            if one.shard == shard
        )
        return ShardReport("words", "e", 0, shard, "x", "p", False, None, counts=MergeCounts(), receipts=receipts)


class _Control:
    """The world as the control table of a round."""

    def __init__(self, world: World) -> None:
        self.client, self._world = world, world

    def pending(self, _collection: str) -> Notebook:
        return self._world.pending

    def quarantine(self, _collection: str) -> World:
        return self._world

    def notes(self, _collection: str) -> World:
        return self._world


def receipts(number: int) -> list[ReceiptId]:
    return [ReceiptId(f"image-{place:04d}", 1) for place in range(number)]


def is_done(world: World, guilty: Iterable[ReceiptId] = ()) -> bool:
    """Whether everything of the innocent is published, and of the guilty what was there before."""
    quiet = not world.pending.read() and not world.edits
    return quiet and world.published == set(world.runs) - set(guilty) and set(world.quarantined) == set(guilty)


def log(number: int) -> int:
    return ceil(log2(max(2, number)))


@pytest.mark.parametrize("place", [0.0, 0.3, 0.99])
@pytest.mark.parametrize("number", [1, 2, 3, 20, 40, 250])
def test_the_guilty_is_found_by_halving_and_is_the_only_one_quarantined(number: int, place: float) -> None:
    everybody = receipts(number)
    guilty = everybody[int(place * number)]
    world = World(guilty={guilty})
    world.announce(*everybody)
    world.executions_until(lambda: set(everybody) - {guilty} <= world.published, log(number) + 2)
    assert len(world.rounds) <= 2 * log(number) + 4
    assert world.version <= log(number) + 1
    world.executions_until(lambda: is_done(world, [guilty]), COUNTED_FAILURES + 2)
    assert len(world.rounds) <= 2 * (log(number) + COUNTED_FAILURES) + 2


@pytest.mark.parametrize("kind", OUTAGES)
@pytest.mark.parametrize("number", [1, 2, 40, 250])
def test_an_outage_however_long_quarantines_nothing_and_costs_few_rounds_after_it(kind: str, number: int) -> None:
    world = World(outage=kind)
    world.announce(*receipts(number))
    for _ in range(600):
        assert not world.execute()
    world.outage, world.rounds = None, []
    assert world.execute()
    assert is_done(world)
    assert len(world.rounds) <= log(number) + 4, world.rounds


def test_kills_from_outside_neither_fail_a_completed_run_nor_lose_its_edit() -> None:
    world = World(outage="killed inside")
    (published,) = receipts(1)
    world.edit_published(published)
    for _ in range(27):
        world.execute()
    assert world.runs == {published: "COMPLETED"}
    world.outage = None
    assert world.execute()
    assert is_done(world)


@pytest.mark.parametrize(("guilty", "number"), [(2, 40), (3, 40), (8, 40), (3, 250), (10, 250)])
def test_several_guilty_ones_are_found_in_a_collection_where_nothing_else_happens(guilty: int, number: int) -> None:
    everybody = receipts(number)
    world = World(guilty=set(everybody[3 :: number // guilty][:guilty]))
    world.announce(*everybody)
    world.executions_until(lambda: is_done(world, world.guilty), guilty * (log(number) + COUNTED_FAILURES))


def test_the_guilty_is_found_while_others_arrive_all_the_time() -> None:
    everybody = receipts(200)
    world = World(guilty={everybody[7]}, max_receipts=5)
    world.announce(*everybody[:20])
    for one in everybody[20:]:
        if is_done(world, world.guilty):
            break
        world.announce(one)
        world.execute()
    assert is_done(world, world.guilty)
    assert len(world.runs) < 40


def test_the_guilty_is_found_although_it_is_edited_all_the_time() -> None:
    everybody = receipts(20)
    world = World(guilty={everybody[7]})
    world.announce(*everybody)
    for _ in range(14):
        world.mark(everybody[7])
        world.execute()
    assert world.quarantined == [everybody[7]]


@pytest.mark.parametrize("guilty_run", ["run", "run-2"])
@pytest.mark.parametrize("comes_after", [0, 3, 6])
@pytest.mark.parametrize("number", [1, 20])
def test_of_two_new_runs_of_a_receipt_the_guilty_one_is_quarantined_and_the_other_published(
    number: int, comes_after: int, guilty_run: str
) -> None:
    everybody = receipts(number)
    guilty = everybody[number // 3]
    world = World(guilty={guilty}, guilty_run=guilty_run)
    world.announce(*everybody)
    for _ in range(comes_after):
        world.execute()
    world.announce_again(guilty)
    world.executions_until(lambda: not world.pending.read(), 2 * (log(number) + COUNTED_FAILURES) + 2)
    good, bad = (world.later, world.runs) if guilty_run == "run" else (world.runs, world.later)
    assert (good[guilty], bad[guilty]) == ("COMPLETED", "FAILED")
    assert world.published == set(everybody)
    assert world.quarantined == [guilty]


def test_one_that_kills_its_merge_without_a_new_run_stays_pending_and_holds_nobody_up() -> None:
    everybody = receipts(9)
    world = World(guilty={everybody[4]})
    world.edit_published(everybody[4])
    world.announce(*everybody[:4], *everybody[5:])
    world.executions_until(lambda: set(everybody) <= world.published, 6)
    later = ReceiptId("later", 1)
    for _ in range(20):
        world.execute()
    world.announce(later)
    world.execute()
    assert later in world.published
    assert world.runs[everybody[4]] == "COMPLETED"
    assert world.quarantined == []
    assert [one.receipt for one in world.pending.read()] == [everybody[4]]


@dataclass(frozen=True)
class Day:
    """What happens before an execution: how many receipts arrive, of them one guilty; the outage that is on."""

    arrive: int
    guilty: bool
    edit: bool


days = st.builds(Day, st.integers(0, 9), st.integers(0, 9).map(lambda n: n == 0), st.booleans())
outages = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 40), st.sampled_from(OUTAGES)), max_size=2)


@given(st.lists(days, max_size=40), outages, st.integers(1, 20), st.integers(1, 4))
@settings(max_examples=150, deadline=None)
def test_whatever_fails_when_nobody_innocent_is_quarantined_and_everything_of_them_is_published(
    course: list[Day], outages: list[tuple[int, int, str]], max_receipts: int, shards: int
) -> None:
    world, numbers = World(max_receipts=max_receipts, shards=shards), count()
    for place, day in enumerate(course):
        world.outage = next((kind for begin, long, kind in outages if begin <= place < begin + long), None)
        new = [ReceiptId(f"image-{next(numbers):04d}", 1) for _ in range(day.arrive)]
        world.guilty |= set(new[:1]) if day.guilty else set()
        world.announce(*new)
        if day.edit:
            world.edit_published(ReceiptId(f"edited-{next(numbers):04d}", 1))
        world.execute()
        assert set(world.quarantined) <= world.guilty
    world.outage = None
    at_most = 6 + len(world.runs) // (ROUNDS * max_receipts)
    at_most += (COUNTED_FAILURES + 3 + log(max_receipts)) * len(world.guilty)
    world.executions_until(lambda: is_done(world, world.guilty), at_most)


def test_an_error_of_a_service_or_the_file_system_makes_no_suspects() -> None:
    for error in ("StorageUnavailable", "PermissionError", "NotADirectoryError", "Lambda.EFSIOException", "OSError"):
        assert is_nobodys(error), error
    for error in ("Runtime.ExitError", "Sandbox.Timedout", "States.Timeout", "Lambda.Unknown", "MemoryError"):
        assert not is_nobodys(error), error

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from receipt_dynamo_stream import ReceiptId, TransientServiceError
from receipt_dynamo_stream.control.head import Pointer, snapshot_id_of
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.control.versions import VersionRow
from receipt_dynamo_stream.errors import InvariantViolated
from receipt_dynamo_stream.facts import ReceiptFacts
from receipt_dynamo_stream.round.plan import Plan, PlannedReceipt
from receipt_dynamo_stream.round.report import MergeCounts, ReceiptReport, Refusal, ShardReport
from receipt_dynamo_stream.round.settle import Settled, settle_changes
from receipt_dynamo_stream.runs import RunStates

from ...samples import LATER, NOW, run_item
from ..conftest import Tables

A, B, C = (ReceiptId(image, 1) for image in "abc")
RECEIPTS = (A, B, C)
SNAPSHOT = snapshot_id_of(4, 8, 0)
CHANGED = ("2026-07-28T11:59:59+00:00", "2026-07-28T11:59:30+00:00", NOW)
POINTER = Pointer(4, SNAPSHOT, "snapshots/words/manifests/x.json", "ab" * 32)


def plan(**changes: Any) -> Plan:
    made = Plan(
        collection="words",
        execution="words-1",
        execution_arn="arn",
        trigger="stream",
        round=0,
        fence=8,
        base=None,
        snapshot_id=SNAPSHOT,
        shards=2,
        planned_at=NOW,
        receipts=tuple(
            PlannedReceipt(place % 2, f"t{place}", 1, CHANGED[place], ReceiptFacts(receipt))
            for place, receipt in enumerate(RECEIPTS)
        ),
    )
    return replace(made, **changes)


def report(shard: int, *receipts: ReceiptReport, refusals: tuple[Refusal, ...] = ()) -> ShardReport:
    return ShardReport(
        collection="words",
        execution="words-1",
        round=0,
        shard=shard,
        attempt="x",
        plan_key="p",
        changed=True,
        staged=None,
        counts=MergeCounts(added=2),
        receipts=receipts,
        refusals=refusals,
        seconds={"merge": 1.0 + shard},
    )


def unchanged(*reports: ShardReport) -> tuple[ShardReport, ...]:
    """As of a round that makes no version."""
    return tuple(replace(one, changed=False) for one in reports)


REPORTS = (
    report(
        0,
        ReceiptReport(A, {"good": 7}),
        ReceiptReport(C, {}),
        refusals=(Refusal(A, "bad", "DeltaCorrupt", "a tar that is none"),),
    ),
    report(1, ReceiptReport(B, {"good": 9})),
)


@pytest.fixture
def world(tables: Tables) -> Tables:
    """Three pending receipts, with runs of the first two, and a candidate."""
    for receipt, run_id in ((A, "good"), (A, "bad"), (B, "good")):
        tables.put(run_item(sk=f"RECEIPT#00001#COMPACTION_RUN#{run_id}", image=receipt.image_id))
    tokens = iter(["t0", "t1", "t2"])
    pending = tables.control_table.pending("words")
    pending.mark({receipt: ["x"] for receipt in RECEIPTS}, now=NOW, new_token=lambda: next(tokens))
    tables.control_table.versions("words").put_candidate(VersionRow(SNAPSHOT))
    return tables


def settle(tables: Tables, client: Any = None, **changes: Any) -> Settled:
    arguments: dict[str, Any] = {"plan": plan(), "reports": REPORTS, "pointer": POINTER, "now": LATER}
    return settle_changes(
        ControlTable(client or tables.client, tables.control),
        receipts_table=tables.receipts,
        **(arguments | changes),
    )


def state(tables: Tables, receipt: ReceiptId, run_id: str) -> str:
    item = tables.receipt_item(receipt.pk, f"RECEIPT#00001#COMPACTION_RUN#{run_id}")
    return "gone" if item is None else str(item["words_state"]["S"])


def everything(tables: Tables) -> list[Any]:
    items = [
        item for table in (tables.receipts, tables.control) for item in tables.client.scan(TableName=table)["Items"]
    ]
    return sorted(items, key=repr)


def waiting(tables: Tables) -> list[ReceiptId]:
    return [one.receipt for one in tables.control_table.pending("words").read()]


def test_what_was_merged_is_settled_and_told(world: Tables) -> None:
    assert settle(world) == Settled(settled=3, kept=0, completed_runs=2, failed_runs=1)
    assert waiting(world) == []
    assert [state(world, A, "good"), state(world, A, "bad"), state(world, B, "good")] == [
        "COMPLETED",
        "FAILED",
        "COMPLETED",
    ]
    (bad,) = world.control_table.quarantine("words").list()
    assert (bad.run_id, bad.receipt, bad.error, bad.message) == ("bad", A, "DeltaCorrupt", "a tar that is none")
    row = world.control_table.versions("words").read(SNAPSHOT)
    assert row is not None
    assert (row.state, row.committed_at, row.counts["added"], row.seconds) == ("committed", LATER, 4, {"merge": 2.0})
    assert (row.receipts, row.runs, row.refused) == (3, 2, 1)
    assert row.visible_after_seconds == 330


def test_settling_twice_changes_nothing(world: Tables) -> None:
    settle(world)
    before = everything(world)
    assert settle(world).settled == 0
    assert everything(world) == before


def test_a_change_that_came_during_the_merge_stays_pending(world: Tables) -> None:
    world.control_table.pending("words").mark({B: ["y"]}, now=LATER, new_token=lambda: "newer")
    assert settle(world) == Settled(settled=2, kept=1, completed_runs=2, failed_runs=1)
    assert waiting(world) == [B]


def test_a_round_that_published_nothing_commits_no_version(world: Tables) -> None:
    settle(world, reports=unchanged(*REPORTS), pointer=None)
    row = world.control_table.versions("words").read(SNAPSHOT)
    assert row is not None
    assert row.state == "candidate"
    assert waiting(world) == []


@pytest.mark.parametrize(
    ("reports", "pointer"),
    [
        pytest.param(REPORTS, None, id="a changed shard and no version"),
        pytest.param((report(0, ReceiptReport(A)), REPORTS[1]), POINTER, id="a receipt that its merge left out"),
    ],
)
def test_nothing_is_settled_when_a_change_would_be_lost(world: Tables, reports: Any, pointer: Any) -> None:
    before = everything(world)
    with pytest.raises(InvariantViolated, match=r"^NoChangeLost: .* IMAGE#c#"):
        settle(world, reports=reports, pointer=pointer)
    assert everything(world) == before


def test_receipts_of_a_shard_without_report_stay_pending(world: Tables) -> None:
    assert settle(world, reports=REPORTS[:1]).kept == 1
    assert waiting(world) == [B]
    assert state(world, B, "good") == "PENDING"


def test_a_deleted_run_is_neither_made_again_nor_quarantined(world: Tables) -> None:
    for run_id in ("good", "bad"):
        key = {"PK": {"S": A.pk}, "SK": {"S": f"RECEIPT#00001#COMPACTION_RUN#{run_id}"}}
        world.client.delete_item(TableName=world.receipts, Key=key)
    assert settle(world) == Settled(settled=3, kept=0, completed_runs=1, failed_runs=0)
    assert state(world, A, "good") == state(world, A, "bad") == "gone"
    assert world.control_table.quarantine("words").list() == []


def test_a_late_duplicate_does_not_undo_what_a_newer_round_settled(world: Tables) -> None:
    newer = plan(fence=9)
    good = unchanged(report(0, ReceiptReport(A, {"good": 7, "bad": 3}), ReceiptReport(C)), REPORTS[1])
    settle(world, plan=newer, reports=good, pointer=None)
    settle(world)
    assert state(world, A, "bad") == "COMPLETED"
    assert world.control_table.quarantine("words").list() == []


def test_a_late_duplicate_does_not_quarantine_again_what_a_person_retries(world: Tables) -> None:
    settle(world)
    quarantine = world.control_table.quarantine("words")
    quarantine.retry("bad", A, receipts_table=world.receipts, now=LATER, new_token=lambda: "retry")
    settle(world)
    assert state(world, A, "bad") == "PENDING"
    assert quarantine.list() == []
    assert waiting(world) == [A]


def drop(world: Tables, run_id: str) -> None:
    """What `compaction quarantine drop` does."""
    RunStates(world.client, world.receipts, "words").fail(A, run_id, error="Dropped: enough", now=LATER)
    world.control_table.quarantine("words").remove(run_id, A, now=LATER)


def test_a_late_duplicate_does_not_quarantine_again_what_a_person_dropped(world: Tables) -> None:
    settle(world)
    drop(world, "bad")
    assert settle(world).failed_runs == 0
    assert world.control_table.quarantine("words").list() == []
    item = world.receipt_item(A.pk, "RECEIPT#00001#COMPACTION_RUN#bad")
    assert item is not None
    assert (item["words_state"], item["words_error"]) == ({"S": "FAILED"}, {"S": "Dropped: enough"})


def test_a_crash_between_its_writes_leaves_no_run_failed_that_is_not_in_quarantine(world: Tables) -> None:
    """It would be planned no more, and nobody would ever come and put it there."""

    class EndsAtTheQuarantine:
        def __getattr__(self, name: str) -> Any:
            def call(**request: Any) -> Any:
                if "QUARANTINE#words" in str(request):
                    raise RuntimeError("the process ends here")
                return getattr(world.client, name)(**request)

            return call

    with pytest.raises(RuntimeError):
        settle(world, client=EndsAtTheQuarantine())
    assert state(world, A, "bad") == "PENDING"
    assert A in waiting(world)


def test_a_run_that_a_person_dropped_is_not_completed_by_a_round_that_merged_it_before(world: Tables) -> None:
    drop(world, "good")
    settle(world)
    assert state(world, A, "good") == "FAILED"


@pytest.mark.parametrize("leave", ["drop", "retry"])
def test_not_even_one_that_had_read_the_run_s_state_before(world: Tables, leave: str) -> None:
    settle(world)
    quarantine = world.control_table.quarantine("words")

    def person() -> None:
        if leave == "drop":
            drop(world, "bad")
        else:
            quarantine.retry("bad", A, receipts_table=world.receipts, now=LATER, new_token=lambda: "retry")

    class ActsBeforeThePut:
        """The real client; the person acts just before the late duplicate writes to the quarantine."""

        acted = False

        def __getattr__(self, name: str) -> Any:
            def call(**request: Any) -> Any:
                if request.get("Key", {}).get("PK") == {"S": "QUARANTINE#words"} and not self.acted:
                    self.acted = True
                    person()
                return getattr(world.client, name)(**request)

            return call

    client = ActsBeforeThePut()
    settle(world, client=client)
    assert client.acted
    assert quarantine.list() == []


def test_what_a_person_dropped_is_quarantined_again_when_a_newer_round_refuses_it(world: Tables) -> None:
    settle(world)
    drop(world, "bad")
    assert settle(world, plan=plan(round=1)).failed_runs == 1
    (bad,) = world.control_table.quarantine("words").list()
    assert (bad.run_id, bad.message) == ("bad", "a tar that is none")


def test_a_late_duplicate_of_an_older_round_does_not_replace_a_newer_reason(world: Tables) -> None:
    refused = Refusal(A, "bad", "DeltaMissing", "it is gone by now")
    newer = unchanged(report(0, ReceiptReport(A), ReceiptReport(C), refusals=(refused,)), report(1, ReceiptReport(B)))
    settle(world, plan=plan(fence=9), reports=newer, pointer=None)
    settle(world)
    (bad,) = world.control_table.quarantine("words").list()
    assert (bad.error, bad.message) == ("DeltaMissing", "it is gone by now")


def test_a_completed_run_that_is_refused_by_a_newer_round_is_failed_and_quarantined(world: Tables) -> None:
    settle(world)
    corrupt = Refusal(A, "good", "DeltaCorrupt", "sha256")
    refused = unchanged(report(0, ReceiptReport(A), ReceiptReport(C), refusals=(corrupt,)), report(1, ReceiptReport(B)))
    assert settle(world, plan=plan(round=1), reports=refused, pointer=None).failed_runs == 1
    assert state(world, A, "good") == "FAILED"
    assert {run.run_id for run in world.control_table.quarantine("words").list()} == {
        "bad",
        "good",
    }


class Fails:
    """The real client, until a write of the named kind: then throttled."""

    def __init__(self, client: Any, calls: int) -> None:
        self._client = client
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> Any:
            self._calls -= 1
            if self._calls < 0:
                raise ClientError({"Error": {"Code": "ThrottlingException"}}, name)
            return getattr(self._client, name)(**request)

        return call


@pytest.mark.parametrize("calls", [0, 2, 3, 4, 6])
def test_a_crash_anywhere_is_mended_by_settling_again(world: Tables, calls: int) -> None:
    with pytest.raises(TransientServiceError):
        settle(world, client=Fails(world.client, calls))
    # The invariant that lets the step run again: a receipt is forgotten only after all that is told of its runs.
    if len(waiting(world)) < 3:
        assert state(world, A, "bad") == "FAILED"
        assert len(world.control_table.quarantine("words").list()) == 1
    settle(world)
    assert waiting(world) == []
    assert [state(world, A, "good"), state(world, A, "bad"), state(world, B, "good")] == [
        "COMPLETED",
        "FAILED",
        "COMPLETED",
    ]
    assert [run.run_id for run in world.control_table.quarantine("words").list()] == ["bad"]
    row = world.control_table.versions("words").read(SNAPSHOT)
    assert row is not None
    assert row.state == "committed"

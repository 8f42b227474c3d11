"""The list of executions: recorded rows and Step Functions together, filtered, paged and told when healed."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from receipt_dynamo_stream.control import history as recorded
from receipt_dynamo_stream.control.history import ExecutionRow
from receipt_dynamo_stream.round.report import MergeCounts

from operate.history import History, Wanted, sort_key
from operate.models import UNHEALED, Execution, name_of
from operate.stack import Stack
from operate.state_machine import StateMachine

from ..toy_stack.toy import MACHINE, ToyStack

START = datetime(2026, 7, 28, 12, 0, tzinfo=UTC)


class Recorder:
    """Writes rows of executions that Step Functions no longer lists."""

    def __init__(self, stack: ToyStack) -> None:
        self._stack = stack
        self._count = 0

    def __call__(self, collection: str = "words", status: str = "SUCCEEDED", **more: str | int) -> str:
        """One row, a second after the one before it; its name."""
        self._count += 1
        started = START + timedelta(seconds=self._count)
        outcome = more.pop("outcome", "published" if status == "SUCCEEDED" else None)
        name = f"{collection}-{more.get('trigger', 'stream')}-{self._count:032x}"
        row = ExecutionRow(
            collection=collection,
            name=name,
            arn=f"{MACHINE.replace(':stateMachine:', ':execution:')}:{name}",
            status=status,
            started_at=started.isoformat(),
            ended_at=None if status == "RUNNING" else (started + timedelta(milliseconds=500)).isoformat(),
            outcome=outcome,  # type: ignore[arg-type]
            **more,  # type: ignore[arg-type]
        )
        self._stack.control.history(row.collection).put(row)
        return name


@pytest.fixture
def record(stack: ToyStack) -> Recorder:
    return Recorder(stack)


@pytest.fixture
def history(operator: Stack) -> History:
    return operator.executions.history


def names(history: History, wanted: Wanted | None = None) -> list[str]:
    return [row.execution.name for row in history.page(wanted or Wanted()).rows]


def test_both_collections_are_listed_newest_first(history: History, record: Recorder) -> None:
    made = [record(collection) for collection in ("words", "lines", "lines", "words")]
    assert names(history) == made[::-1]
    assert names(history, Wanted(collection="lines")) == [made[2], made[1]]


def test_pages_have_every_execution_once(history: History, record: Recorder) -> None:
    made = [record("words" if number % 3 else "lines") for number in range(23)]
    seen: list[str] = []
    before, pages = None, 0
    while True:
        page = history.page(Wanted(), before, limit=5)
        seen += [row.execution.name for row in page.rows]
        pages += 1
        if (before := page.older) is None:
            break
    assert seen == made[::-1]
    assert pages == 5


@pytest.mark.slow
def test_a_page_asks_for_little_however_many_there_are(
    history: History, record: Recorder, stack: ToyStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(350):
        record()
    asked = []
    real = recorded.History.page

    def counted(self: recorded.History, **bounds: object) -> object:
        asked.append(bounds)
        return real(self, **bounds)  # type: ignore[arg-type]

    monkeypatch.setattr(recorded.History, "page", counted)
    assert len(history.page(Wanted(collection="words"), limit=50).rows) == 50
    assert len(asked) == 1


def test_what_had_nothing_to_do_is_counted_and_folded_away_unless_it_is_asked_for(
    history: History, record: Recorder
) -> None:
    published = record()
    idle = [record(outcome="coalesced"), record(outcome="nothing_pending")]
    page = history.page(Wanted())
    assert [row.execution.name for row in page.rows] == [published]
    assert page.folded == 2
    assert names(history, Wanted(idle=True)) == [*idle[::-1], published]
    assert names(history, Wanted(result="coalesced")) == [idle[0]]


def test_filters_can_be_put_together(history: History, record: Recorder) -> None:
    failed = record("words", "FAILED", error="ShardInvalid", cause="labels: 3 are missing", trigger="operator")
    record("words", "FAILED", error="Fenced", trigger="operator")
    record("lines", "FAILED", error="ShardInvalid", cause="norms", trigger="operator")
    record()
    assert names(history, Wanted(collection="words", result="failed", text="LABELS")) == [failed]
    assert names(history, Wanted(trigger="operator", text="shardinvalid", collection="words")) == [failed]
    assert names(history, Wanted(text="nowhere")) == []
    assert len(names(history, Wanted(result="fenced"))) == 1
    assert len(names(history, Wanted(result="failed"))) == 2
    assert len(names(history, Wanted(result="succeeded"))) == 1


def test_a_rerun_is_the_operators_although_its_input_is_of_the_stream(history: History, stack: ToyStack) -> None:
    row = ExecutionRow(
        collection="words",
        name=f"words-operator-{1:032x}",
        arn="arn",
        status="SUCCEEDED",
        started_at=START.isoformat(),
        trigger="stream",
    )
    stack.control.history(row.collection).put(row)
    assert [one.execution.trigger for one in history.page(Wanted()).rows] == ["operator"]


def test_times_bound_the_list(history: History, record: Recorder) -> None:
    made = [record() for _ in range(6)]
    wanted = Wanted(since=START + timedelta(seconds=2), until=START + timedelta(seconds=4))
    assert names(history, wanted) == [made[3], made[2], made[1]]


def test_a_failure_that_a_later_execution_made_good_says_so_and_leaves_the_failures(
    history: History, record: Recorder
) -> None:
    healed = record("words", "FAILED", error="ShardInvalid")
    record("lines", outcome="published")
    record("words", outcome="coalesced")
    healer = record("words", outcome="unchanged")
    unhealed = record("words", "TIMED_OUT")
    rows = {row.execution.name: row for row in history.page(Wanted(idle=True)).rows}
    assert rows[healed].healed_by is not None
    assert rows[healed].healed_by.name == healer  # type: ignore[union-attr]
    assert rows[unhealed].healed_by is None
    assert names(history, Wanted(result=UNHEALED)) == [unhealed]


def test_what_step_functions_knows_and_no_row_tells_yet_is_listed_too(
    history: History, record: Recorder, stack: ToyStack
) -> None:
    recorded = record()
    live = stack.start("words")
    assert names(history) == [live, recorded]


def test_only_what_no_row_tells_is_asked_for_one_by_one(
    history: History, operator: Stack, stack: ToyStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    unrecorded, other = stack.start("words"), stack.start("lines")
    asked: list[str] = []
    real = StateMachine.describe

    def describe(self: StateMachine, execution: str) -> dict[str, object]:
        asked.append(name_of(execution))
        return real(self, execution)

    monkeypatch.setattr(StateMachine, "describe", describe)
    history.page(Wanted(collection="words"))
    assert asked == [unrecorded]
    row = ExecutionRow(
        collection="words",
        name=unrecorded,
        arn="arn",
        status="SUCCEEDED",
        started_at=operator.executions.describe(unrecorded).started_at.isoformat(),
    )
    stack.control.history(row.collection).put(row)
    asked.clear()
    history.page(Wanted())
    assert asked == [other]


def test_a_row_that_lags_is_corrected_by_step_functions(history: History, operator: Stack, stack: ToyStack) -> None:
    name = stack.start("words")
    described = operator.executions.describe(name)
    lagging = ExecutionRow(
        collection="words",
        name=name,
        arn=described.arn,
        status="RUNNING",
        started_at=described.started_at.replace(microsecond=0).isoformat(),
    )
    stack.control.history(lagging.collection).put(lagging)
    (row,) = history.page(Wanted()).rows
    assert (row.execution.result, row.execution.version) == ("published", 3)


def test_an_old_row_that_never_heard_of_its_end_stays_as_it_is(history: History, record: Recorder) -> None:
    name = record(status="RUNNING")
    (row,) = history.page(Wanted()).rows
    assert (row.execution.name, row.execution.status) == (name, "running")


def test_a_published_execution_says_what_all_its_rounds_merged(
    history: History, record: Recorder, stack: ToyStack
) -> None:
    name = record(outcome="published", version=3, trigger="schedule")
    other = record(outcome="published", version=4, trigger="schedule")
    stack.published("words", 4)
    table = stack.connection.control_table
    for version, execution in ((2, name), (3, name), (4, other)):
        stack.dynamodb.update_item(
            TableName=table,
            Key={"PK": {"S": "COLLECTION#words"}, "SK": {"S": f"VERSION#{version:010d}-{version:010d}-0"}},
            UpdateExpression="SET execution = :e, receipts = :r",
            ExpressionAttributeValues={":e": {"S": f"arn:x:execution:compaction:{execution}"}, ":r": {"N": "5"}},
        )
    rows = {row.execution.name: row.merged for row in history.page(Wanted()).rows}
    merged = rows[name]
    assert merged is not None
    assert (merged.versions, merged.receipts) == ((2, 3), 10)
    assert merged.counts == MergeCounts(added=24, removed=4, unchanged=10)


def test_a_recorded_execution_is_found_by_its_whole_name_and_not_by_what_another_one_says(
    history: History, record: Recorder
) -> None:
    name = record("words", "FAILED", error="ShardInvalid")
    record("words", "FAILED", error="Other", cause=f"after {name}")
    found = history.find(name)
    assert found is not None
    assert (found.name, found.error) == (name, "ShardInvalid")
    assert history.find(name[:-1]) is None


def test_the_newest_of_a_collection_are_at_hand_without_filters(history: History, record: Recorder) -> None:
    made = [record(outcome="coalesced" if number % 2 else "published") for number in range(9)]
    record("lines")
    assert [one.name for one in history.recent("words", 4)] == made[:-5:-1]


def test_keys_sort_as_starts_do() -> None:
    def at(moment: datetime) -> Execution:
        return Execution("arn", "n", "succeeded", moment, None, "words", "stream")

    moments: Iterator[datetime] = (START + timedelta(milliseconds=250 * number) for number in range(9))
    keys = [sort_key(at(moment)) for moment in moments]
    assert keys == sorted(keys)
    assert replace(at(START), name="m").name == "m"

"""What each probe says of what it saw: it holds where the machine does its part, else it is broken."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from receipt_dynamo_stream.control.history import ExecutionRow
from receipt_dynamo_stream.keys import ReceiptId

from operate.conform.probes import (
    executions,
    file_system,
    iam,
    readers,
    seeded_base,
    status_events,
    stream,
    tables,
)
from operate.conform.probes.deployed import Deployed
from operate.conform.probes.file_system import NEW, OLD, TIMES
from operate.conform.probes.instances import Answer
from operate.conform.probes.reports import Reports, in_short, parsed
from operate.conform.probes.told import Told
from operate.conform.rows import Outcome, Row, Whose
from operate.models import Execution

TOLD = Told("a part", Whose.EMULATOR)
AT = datetime(2026, 1, 1, tzinfo=UTC)
FAILED = Execution(
    "arn:1", "words-999999999-operator-1", "failed", AT, AT, "words-999999999", "operator", error="InvalidInput"
)
FENCED = replace(FAILED, error="Fenced")
PUBLISHED = replace(FAILED, status="succeeded", outcome="published", error=None)
PAUSED = replace(PUBLISHED, outcome="paused")
EVENT = ExecutionRow(
    collection="words-999999999",
    name=FAILED.name,
    arn="arn:1",
    status="FAILED",
    started_at=AT.isoformat(),
    ended_at=AT.isoformat(),
    mode=status_events.MODE,
    trigger="operator",
    error="InvalidInput",
    cause="the input needs …",
)
LIVE = "arn:aws:states:r:1:stateMachine:m:live"
AS_LIVE = {"stateMachineAliasArn": LIVE, "stateMachineVersionArn": "arn:aws:states:r:1:stateMachine:m:3"}
DEFINITION = '{"Parameters": {"FunctionName": "arn:aws:lambda:r:1:function:one:7"}}'
IAM_CALLS = {
    "One": (iam.Call("dynamodb:GetItem", "control", "COLLECTION#words"),),
    "Other": (iam.Call("s3:GetObject", "objects", "plans/x"),),
}


def told(**seen: Any) -> Answer:
    return Answer("one", seen)


KILLED = Answer(None, {}, "Runtime.ExitError", "killed")
HELD_LOCK = told(refused=True, had=True, after_seconds=0.1)
FREE_LOCK = told(refused=False, had=True, after_seconds=0.0)
ONE, TWO = (1, 3), (2, 6)
GOOD = [ReceiptId("conformance-probe-1", number) for number in (1, 2)]
LATER_ONES = [ReceiptId("conformance-probe-1", number) for number in (3, 4)]


def watched(**more: Any) -> Answer:
    return told(**{"delays": [0.01] * TIMES, "last": TIMES, "went_back": False, **more})


def asked(role: Mapping[iam.Call, str]) -> Callable[[iam.Call], str]:
    return lambda call: role.get(call, "implicitDeny")


def ticks(*names: str) -> list[Execution]:
    return [replace(PUBLISHED, name=name, collection="words", trigger="schedule") for name in names]


OWN, NEIGHBOURS = IAM_CALLS["One"][0], IAM_CALLS["Other"][0]
LATER = AT + timedelta(hours=1)
REDRIVEN = ("a question", "an expectation")

CASES: dict[str, tuple[Row, Row]] = {
    "rename over an open file": (
        file_system.rename_over(TOLD, told(held=OLD, anew=NEW, also="ENOENT")),
        file_system.rename_over(TOLD, told(held=OLD[:100] + NEW[100:], anew=NEW, also="ENOENT")),
    ),
    "the new bytes after a rename": (
        file_system.rename_over(TOLD, told(held="ESTALE", anew=NEW, also="ENOENT")),
        file_system.rename_over(TOLD, told(held=OLD, anew=OLD, also="ENOENT")),
    ),
    "rename of a folder": (
        file_system.rename_of_folder(TOLD, told(held=OLD, anew="ENOENT", also=OLD)),
        file_system.rename_of_folder(TOLD, told(held=OLD, anew=OLD, also="ENOENT")),
    ),
    "a removed file": (
        file_system.removed_under_reader(TOLD, told(held=OLD, anew="ENOENT", also="ENOENT")),
        file_system.removed_under_reader(TOLD, told(held=OLD[:10], anew="ENOENT", also="ENOENT")),
    ),
    "a lock excludes": (file_system.excludes(TOLD, told(), HELD_LOCK), file_system.excludes(TOLD, told(), FREE_LOCK)),
    "a lock goes with its holder": (
        file_system.released_by_a_kill(TOLD, KILLED, HELD_LOCK),
        file_system.released_by_a_kill(TOLD, KILLED, told(refused=True, had=False, after_seconds=40.0)),
    ),
    "a lock whose holder was not killed proves nothing": (
        file_system.released_by_a_kill(TOLD, KILLED, HELD_LOCK),
        file_system.released_by_a_kill(TOLD, told(), HELD_LOCK),
    ),
    "a pointer goes forward": (
        file_system.seen_soon(TOLD, watched()),
        file_system.seen_soon(TOLD, watched(went_back=True)),
    ),
    "a pointer is seen": (
        file_system.seen_soon(TOLD, watched()),
        file_system.seen_soon(TOLD, watched(delays=[], last=0)),
    ),
    "one holder": (
        tables.one_holder(TOLD, ["published", "coalesced"], [4, 5], 1),
        tables.one_holder(TOLD, ["published", "coalesced"], [4, 4], 1),
    ),
    "one version": (
        tables.one_holder(TOLD, ["coalesced", "published"], [4], 1),
        tables.one_holder(TOLD, ["published", "published"], [4, 5], 2),
    ),
    "a lost compare-and-swap": (
        tables.lost_swap(TOLD, FENCED, 7, 7),
        tables.lost_swap(TOLD, PUBLISHED, 7, 8),
    ),
    "a fenced one that published": (tables.lost_swap(TOLD, FENCED, 7, 7), tables.lost_swap(TOLD, FENCED, 7, 8)),
    "a paused commit": (
        tables.refused_while_paused(TOLD, PAUSED, 0, 2),
        tables.refused_while_paused(TOLD, PAUSED, 1, 0),
    ),
    "redrive of an overtaken one": (
        executions.redrive_of_an_overtaken_one(TOLD, REDRIVEN, FENCED, 3, 3),
        executions.redrive_of_an_overtaken_one(TOLD, REDRIVEN, PUBLISHED, 3, 4),
    ),
    "names of the schedule": (
        executions.of_schedule(TOLD, ticks("a", "b"), LATER),
        executions.of_schedule(TOLD, ticks("a"), LATER),
    ),
    "versions of functions": (
        executions.keeps_its_code(TOLD, AS_LIVE, LIVE, DEFINITION),
        executions.keeps_its_code(TOLD, AS_LIVE, LIVE, DEFINITION.replace(":7", "")),
    ),
    "a version of the machine": (
        executions.keeps_its_code(TOLD, AS_LIVE, LIVE, DEFINITION),
        executions.keeps_its_code(TOLD, {**AS_LIVE, "stateMachineAliasArn": None}, LIVE, DEFINITION),
    ),
    "events of the stream": (
        stream.wakes(TOLD, frozenset(stream.WAKES.values())),
        stream.wakes(TOLD, frozenset({stream.WAKES["INSERT"]})),
    ),
    "the filter": (stream.drops(TOLD, False), stream.drops(TOLD, True)),
    "a batch that is halved": (
        stream.is_halved(TOLD, set(GOOD), GOOD, LATER_ONES),
        stream.is_halved(TOLD, {GOOD[0], LATER_ONES[0]}, GOOD, LATER_ONES),
    ),
    "a batch that nothing was refused of": (
        stream.is_halved(TOLD, set(GOOD), GOOD, LATER_ONES),
        stream.is_halved(TOLD, {*GOOD, *LATER_ONES}, GOOD, LATER_ONES),
    ),
    "a seeded base": (
        seeded_base.is_whole(TOLD, 70_000, 70_000, [PUBLISHED]),
        seeded_base.is_whole(TOLD, 70_000, 69_999, [PUBLISHED]),
    ),
    "a seeded base that took a failure": (
        seeded_base.is_whole(TOLD, 70_000, 70_000, [PUBLISHED]),
        seeded_base.is_whole(TOLD, 70_000, 70_000, [FAILED, PUBLISHED]),
    ),
    "poison": (
        stream.reaches_the_queue(TOLD, {"error": "KeyMalformed", "message": "…", "record": {}}),
        stream.reaches_the_queue(TOLD, None),
    ),
    "an event's field": (
        status_events.as_recorded(TOLD, FAILED, EVENT),
        status_events.as_recorded(TOLD, FAILED, replace(EVENT, cause=None)),
    ),
    "an event's error": (
        status_events.as_recorded(TOLD, FAILED, EVENT),
        status_events.as_recorded(TOLD, FAILED, replace(EVENT, error="States.Runtime")),
    ),
    "a grant that is missing": (
        iam.of_role(TOLD, "One", IAM_CALLS, asked({OWN: "allowed"})),
        iam.of_role(TOLD, "One", IAM_CALLS, asked({})),
    ),
    "a grant too much": (
        iam.of_role(TOLD, "One", IAM_CALLS, asked({OWN: "allowed"})),
        iam.of_role(TOLD, "One", IAM_CALLS, asked({OWN: "allowed", NEIGHBOURS: "allowed"})),
    ),
    "a function that is not there": (
        iam.of_role(TOLD, "One", IAM_CALLS, asked({OWN: "allowed"})),
        iam.of_role(TOLD, "One", IAM_CALLS, None),
    ),
    "a version under a reader": (
        readers.moves(TOLD, told(answers=[list(ONE), list(TWO)], fallback=None), ONE, TWO),
        readers.moves(TOLD, told(answers=[list(ONE), [2, 3], list(TWO)], fallback=None), ONE, TWO),
    ),
    "an expired reader": (
        readers.goes(TOLD, told(before=ONE, after="1 3 3", then=TWO), ONE, TWO),
        readers.goes(TOLD, told(before=ONE, after="1 3 2", then=TWO), ONE, TWO),
    ),
    "the bucket alone": (readers.from_the_bucket(TOLD, TWO, TWO), readers.from_the_bucket(TOLD, ONE, TWO)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_row_holds_where_it_should_and_is_red_where_it_is_broken(name: str) -> None:
    good, broken = CASES[name]
    assert (good.outcome, broken.outcome) == (Outcome.HELD, Outcome.BROKEN)
    assert good.passed
    assert not broken.passed
    assert good.seen


def test_what_could_not_be_asked_and_what_was_measured_do_not_fail_a_report() -> None:
    rows = [TOLD.left_out("a", "b", "why"), TOLD.measured("a", 1), executions.of_schedule(TOLD, ticks("a"), AT)]
    assert [row.outcome for row in rows] == [Outcome.LEFT_OUT, Outcome.MEASURED, Outcome.LEFT_OUT]
    assert all(row.passed for row in rows)


def test_a_fence_is_that_of_the_lease_and_a_refusal_gives_none() -> None:
    def left(name: str, output: str) -> dict[str, Any]:
        return {"stateExitedEventDetails": {"name": name, "output": output}}

    events = [
        left("AcquireLease", '{"lease": {"fence": 0}}'),
        left("TakeOverLease", '{"lease": {"fence": 9}}'),
        left("PlanCompaction", '{"lease": {"fence": 9}}'),
        {"type": "ExecutionSucceeded"},
    ]
    assert list(tables.fences_of(events)) == [9]


def test_a_transition_is_what_lies_between_a_states_end_and_the_next_ones_beginning() -> None:
    def event(kind: str, milliseconds: int) -> dict[str, Any]:
        return {"type": kind, "timestamp": AT + timedelta(milliseconds=milliseconds)}

    kinds = ("PassStateEntered", 0), ("PassStateExited", 5), ("TaskStateEntered", 25), ("TaskScheduled", 30)
    assert list(executions.transitions(event(*kind) for kind in kinds)) == [20.0]


def test_report_lines_of_lambda_are_said_in_short() -> None:
    def line(duration: str, used: int, init: str = "") -> str:
        size = f"Memory Size: 3008 MB\tMax Memory Used: {used} MB\t"
        return f"REPORT RequestId: 1\tDuration: {duration} ms\tBilled Duration: 900 ms\t{size}{init}"

    cold, warm = parsed([line("12.34", 210, "Init Duration: 887.10 ms"), line("400.00", 250)])
    assert in_short([cold, warm]) == "2 invocations, 1 cold, init 887 to 887 ms; at most 400 ms and 250 of 3008 MB"
    assert in_short(parsed(["START RequestId: 1"])) == "not invoked"
    assert cold.dollars == pytest.approx(0.9 * 3008 / 1024 * 0.0000166667 + 0.0000002), (
        "what is billed, not what passed"
    )


def test_the_reports_of_a_stretch_are_those_of_each_functions_own_group_since_it_began() -> None:
    asked: list[dict[str, Any]] = []
    sizes = "Memory Size: 512 MB\tMax Memory Used: 99 MB\t\n"
    report = f"REPORT RequestId: 1\tDuration: 1.00 ms\tBilled Duration: 2 ms\t{sizes}"

    class Logs:
        def get_paginator(self, _operation: str) -> "Logs":
            return self

        def paginate(self, **about: Any) -> list[dict[str, Any]]:
            asked.append(about)
            return [{"events": [{"message": report}]}]

    one = {"FunctionName": "one", "LoggingConfig": {"LogGroup": "/of/one"}}
    functions = {"Two": {"FunctionName": "two"}, "One": one}
    found = Reports(Logs()).of(functions, AT)
    assert [(one["logGroupName"], one["startTime"]) for one in asked] == [
        ("/of/one", AT.timestamp() * 1000),
        ("/aws/lambda/two", AT.timestamp() * 1000),
    ]
    assert {name: [(one.billed, one.used, one.init) for one in each] for name, each in found.items()} == {
        "One": [(2.0, 99, None)],
        "Two": [(2.0, 99, None)],
    }


class Base:
    """A seeded base: what the probe asks of its collection, which executions there are, and what was started."""

    def __init__(self, *executions: Execution, ended: Execution) -> None:
        self.started: list[str] = []
        self.ended = ended
        self.head = SimpleNamespace(dimension=1536)
        self.services = SimpleNamespace(now=lambda: AT)
        self.stack = SimpleNamespace(
            collections=SimpleNamespace(status=lambda _name: SimpleNamespace(records=0)),
            executions=SimpleNamespace(of=lambda _name: iter(executions if self.started else ())),
        )

    def spread_receipts(self, how_many: int) -> list[ReceiptId]:
        return [ReceiptId("conformance-probe-1", number + 1) for number in range(how_many)]

    def waiting(self, *_receipts: Any, **_more: Any) -> AbstractContextManager[None]:
        return nullcontext()

    def run(self, mode: str = "compact", **_more: Any) -> Execution:
        self.started.append(mode)
        return self.ended

    def quiet(self, _wait: float) -> None:
        """Nothing runs."""

    def pending(self) -> dict[ReceiptId, None]:
        return dict.fromkeys(GOOD)

    def states_of(self, _arn: str) -> list[str]:
        return ["AcquireLease", "PlanCompaction"]


NO_FUNCTIONS = cast(Deployed, SimpleNamespace(functions={}))


def test_a_seeded_base_whose_merge_fails_is_a_broken_row_and_is_not_tried_for_ever() -> None:
    collection: Any = Base(FAILED, ended=FAILED)
    rows = list(seeded_base.rows(collection, NO_FUNCTIONS, TOLD, records=200))
    assert collection.started == ["compact"], "neither again, nor a fold of what is not there"
    assert [row.outcome for row in rows] == [Outcome.MEASURED, Outcome.LEFT_OUT, Outcome.BROKEN]
    assert rows[-1].seen == "0 records; failed (InvalidInput)"


def test_a_stretch_is_of_the_executions_that_did_the_work_whoever_started_them() -> None:
    """The stream's execution may have the lease first: then ours coalesces into it, and is over at once."""
    work = replace(PUBLISHED, arn="arn:work", started_at=AT - timedelta(seconds=3), ended_at=AT + timedelta(seconds=37))
    before = replace(work, arn="arn:before")
    base: Any = Base(replace(PUBLISHED, outcome="coalesced"), work, before, ended=PUBLISHED)
    stretch = seeded_base.Stretch(base, NO_FUNCTIONS, AT, frozenset({"arn:before"}))
    stretch.run()
    assert stretch.executions == [work], "by whichever clock"
    measured, _ = stretch.told(TOLD, "a merge")
    assert measured.seen == "published in 40 s, 1 execution, 2 transitions"

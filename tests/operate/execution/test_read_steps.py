"""What the steps of an execution say, from histories of the local stack and from AWS's as documented."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operate.execution.read_steps import Trace, summary, trace
from operate.execution.steps import Step

from .histories import DEFINITION, RECORDED, START, Pen, load


def read(name: str, **more: Any) -> Trace:
    history = load(name)
    now = history.events[-1]["timestamp"]
    return trace(
        DEFINITION, history.events, now=now, **({"status": history.status, "ended_at": history.ended_at} | more)
    )


def drawn(pen: Pen, definition: dict[str, Any] | None = None, **more: Any) -> Trace:
    return trace(definition or {"States": {}}, pen.events, now=pen.now(), **more)


def passes(result: Trace, state: str) -> list[Step]:
    return [step for step in result.steps if step.state == state]


def only(result: Trace, state: str) -> Step:
    (step,) = passes(result, state)
    return step


# Recorded histories


def test_a_published_run_has_every_step_in_order_and_nothing_failed() -> None:
    result = read("published")
    assert (result.status, result.rounds, result.retries, result.failed_step) == ("succeeded", 1, 0, None)
    assert {step.status for step in result.steps} == {"succeeded"}
    assert [step.state for step in result.steps][-3:] == ["IsFoldDue", "ReleaseLease", "Finished"]
    assert result.steps[0].after is None
    assert only(result, "Finished").after == only(result, "ReleaseLease").id


def test_a_map_knows_its_iterations_and_each_state_in_it_knows_its_own() -> None:
    result = read("published")
    merging = only(result, "MergeShards")
    assert merging.done == merging.length == len(passes(result, "MergeDeltas")) > 1
    for state in ("MergeDeltas", "ShardChanged", "ValidateShard"):
        assert {step.index for step in passes(result, state)} == set(range(merging.done))
        assert {step.parent for step in passes(result, state)} == {merging.id}
    for step in passes(result, "ValidateShard"):
        before = next(each for each in result.steps if each.id == step.after)
        assert (before.state, before.index) == ("ShardChanged", step.index)


def test_a_task_names_the_function_or_the_action_that_it_calls() -> None:
    result = read("published")
    assert str(only(result, "SwapPointer").resource).endswith(":function:SwapPointer")
    assert only(result, "CommitSnapshot").resource == "dynamodb:updateItem"
    assert only(result, "Finished").resource is None


def test_a_lambda_that_died_is_two_attempts_with_the_wait_between_them() -> None:
    result = read("retried_and_rerun")
    (retried,) = [step for step in result.steps if step.retries]
    first, second = retried.attempts
    assert (retried.state, retried.status, retried.error) == ("MergeDeltas", "succeeded", None)
    assert (first.error, second.error) == ("Runtime.ExitError", None)
    ((start, end),) = retried.waits
    assert first.ended_at == start < end == second.started_at
    assert result.retries == 1


def test_every_state_entered_and_every_retry_is_a_transition_that_costs() -> None:
    result = read("retried_and_rerun")
    entered = sum("stateEnteredEventDetails" in event for event in load("retried_and_rerun").events)
    assert result.transitions == entered + 1
    assert result.transition_dollars == pytest.approx(0.000025 * result.transitions)


def test_functions_are_at_work_for_their_attempts_and_not_while_a_retry_waits() -> None:
    result = read("retried_and_rerun")
    tasks = [step for step in result.steps if ":function:" in (step.resource or "")]
    waited = sum((end - start).total_seconds() for step in tasks for start, end in step.waits)
    assert waited > 0
    at_most = sum(step.seconds(result.now) for step in tasks) - waited
    assert 0.9 * at_most < result.function_seconds <= at_most


def test_an_execution_that_was_asked_for_another_round_counts_two() -> None:
    result = read("retried_and_rerun")
    assert result.rounds == 2
    assert [step.round for step in passes(result, "PlanCompaction")] == [0, 1]
    assert passes(result, "ReleaseLease")[0].status == "refused"


def test_the_states_of_a_map_are_of_its_round() -> None:
    result = read("two_rounds")
    rounds = {step.id: step.round for step in passes(result, "MergeShards")}
    assert sorted(rounds.values()) == [0, 1]
    assert all(step.round == rounds[step.parent] for step in result.steps if step.parent is not None)


def test_a_task_that_raises_is_the_failed_step_with_its_error_and_its_input() -> None:
    failed = read("failed_task").failed_step
    assert failed is not None
    assert (failed.state, failed.status, failed.error) == ("SwapCommitted", "failed", "PointerMissing")
    assert failed.input is not None
    assert failed.output is None


def test_the_failed_step_is_the_innermost_one_and_its_map_failed_with_it() -> None:
    result = read("failed_in_map")
    failed, merging = result.failed_step, only(result, "MergeShards")
    assert failed is not None
    assert (failed.state, failed.error, failed.parent) == ("ValidateShard", "SegmentInvalid", merging.id)
    assert (merging.status, merging.error) == ("caught", "SegmentInvalid")
    assert merging.done <= 1  # moto lets the other iteration come to its end
    statuses = Counter(step.status for step in result.steps if step.parent == merging.id and step.index != failed.index)
    assert statuses["failed"] == 0
    assert statuses["aborted"] > 0


def test_a_fail_state_is_the_failed_step_with_its_own_error() -> None:
    result = read("fenced")
    assert result.failed_step is not None
    assert (result.failed_step.state, result.failed_step.error, result.error) == ("Fenced", "Fenced", "Fenced")
    commit = only(result, "CommitSnapshot")
    assert (commit.status, commit.error) == ("caught", "DynamoDB.ConditionalCheckFailedException")


def test_a_refused_lease_is_an_answer_and_not_a_failure() -> None:
    result = read("coalesced")
    assert only(result, "AcquireLease").status == "refused"
    assert summary(result)["AcquireLease"].failed == 0
    assert result.failed_step is None


def test_what_runs_has_no_end_yet_and_takes_as_long_as_it_has_run() -> None:
    result = read("running")
    assert result.ended_at is None
    running = {step.state: step for step in result.steps if step.status == "running"}
    assert set(running) == {"MergeShards", "MergeDeltas"}
    step = running["MergeDeltas"]
    assert step.seconds(step.entered_at + timedelta(seconds=5)) == 5
    assert step.attempts[-1].ended_at is None


def test_the_late_events_of_an_execution_that_moto_aborted_say_nothing() -> None:
    result = read("aborted")
    assert (result.status, result.error, result.failed_step) == ("aborted", None, None)
    assert {step.status for step in passes(result, "MergeDeltas")} == {"aborted"}
    assert result.ended_at == load("aborted").ended_at


# As AWS documents it


MAP = {
    "StartAt": "Each",
    "States": {
        "Each": {
            "Type": "Map",
            "End": True,
            "ItemProcessor": {"StartAt": "A", "States": {"A": {"Type": "Task", "Next": "B"}, "B": {"Type": "Task"}}},
        }
    },
}


def in_map(pen: Pen, length: int) -> list[int]:
    """Begin a Map with so many iterations; the ids of their MapIterationStarted."""
    pen.write("ExecutionStarted")
    pen.entered("Map", "Each")
    started = pen.write("MapStateStarted", length=length)
    return [pen.write("MapIterationStarted", after=started, name="Each", index=index) for index in range(length)]


def test_interleaved_iterations_are_told_apart_by_what_each_event_follows() -> None:
    pen = Pen()
    one, two = in_map(pen, 2)
    a_of_two = pen.task("A", after=two)
    a_of_one = pen.task("A", after=one)
    b_of_two = pen.task("B", after=a_of_two)
    b_of_one = pen.task("B", after=a_of_one)
    pen.write("MapIterationSucceeded", after=b_of_two, name="Each", index=1)
    pen.write("MapIterationSucceeded", after=b_of_one, name="Each", index=0)
    pen.write("MapStateSucceeded")
    pen.exited("Map", "Each")
    pen.write("ExecutionSucceeded", output="{}")
    result = drawn(pen, MAP)
    assert [(step.state, step.index) for step in result.steps[1:]] == [("A", 1), ("A", 0), ("B", 1), ("B", 0)]
    assert [step.after for step in result.steps[3:]] == [step.id for step in result.steps[1:3]]
    assert summary(result)["Each"].done == 2


def test_a_failing_iteration_aborts_the_others_and_its_map_fails_with_its_error() -> None:
    pen = Pen()
    one, two = in_map(pen, 2)
    pen.entered("Task", "A", after=two)
    waiting = pen.attempt()
    failed = pen.task("A", after=one, fails="Broken")
    pen.write("MapIterationFailed", after=failed, name="Each", index=0)
    pen.write("TaskStateAborted", after=waiting)
    pen.write("MapIterationAborted", name="Each", index=1)
    pen.write("MapStateFailed", after=failed + 1)
    pen.write("ExecutionFailed", error="Broken", cause="because")
    result = drawn(pen, MAP)
    assert {step.index: step.status for step in passes(result, "A")} == {0: "failed", 1: "aborted"}
    assert (only(result, "Each").status, only(result, "Each").error) == ("failed", "Broken")
    assert result.failed_step == next(step for step in passes(result, "A") if step.index == 0)
    assert summary(result)["A"].status == "failed"


def test_a_map_whose_catch_takes_over_is_caught() -> None:
    pen = Pen()
    (one,) = in_map(pen, 1)
    pen.task("A", after=one, fails="Broken")
    pen.write("MapIterationFailed", name="Each", index=0)
    pen.write("MapStateFailed")
    pen.exited("Map", "Each")
    pen.entered("Pass", "Mend")
    result = drawn(pen, MAP)
    assert only(result, "Each").status == "caught"
    assert only(result, "A").status == "failed"
    assert result.failed_step is None
    assert only(result, "Mend").parent is None


def test_a_redriven_task_is_a_later_step_in_the_same_place() -> None:
    pen = Pen()
    pen.write("ExecutionStarted")
    pen.task("A")
    failed = pen.task("B", fails="Broken")
    pen.write("ExecutionFailed", error="Broken")
    pen.write("ExecutionRedriven", redriveCount=1)
    pen.attempt()
    pen.write("TaskSucceeded", resourceType="lambda", resource="invoke", output="{}")
    pen.exited("Task", "B")
    pen.write("ExecutionSucceeded", output="{}")
    result = drawn(pen)
    first, second = passes(result, "B")
    assert (first.status, second.status, result.status, result.failed_step) == (
        "failed",
        "succeeded",
        "succeeded",
        None,
    )
    assert second.after == first.after == only(result, "A").id
    assert second.id > failed
    assert (second.input, second.retries) == (first.input, 0)


@pytest.mark.parametrize("follows", ["the redrive", "the failed task"])
def test_a_redriven_iteration_goes_on_in_its_map(follows: str) -> None:
    pen = Pen()
    one, two = in_map(pen, 2)
    done = pen.task("A", after=two)
    pen.write("MapIterationSucceeded", after=done, name="Each", index=1)
    failed = pen.task("A", after=one, fails="Broken")
    pen.write("MapIterationFailed", name="Each", index=0)
    pen.write("MapStateFailed")
    pen.write("ExecutionFailed", error="Broken")
    redriven = pen.write("ExecutionRedriven", redriveCount=1)
    pen.attempt(after=redriven if follows == "the redrive" else failed)
    running = only(drawn(pen, MAP), "Each")
    assert (running.status, running.ended_at, running.done) == ("running", None, 1)
    pen.write("TaskSucceeded", resourceType="lambda", resource="invoke", output="{}")
    pen.exited("Task", "A")
    pen.write("MapIterationSucceeded", name="Each", index=0)
    pen.write("MapStateSucceeded")
    pen.exited("Map", "Each")
    result = drawn(pen, MAP)
    assert (only(result, "Each").status, only(result, "Each").done) == ("succeeded", 2)
    assert [(step.index, step.status) for step in passes(result, "A")] == [
        (1, "succeeded"),
        (0, "failed"),
        (0, "succeeded"),
    ]


def test_a_redrive_that_enters_the_state_anew_is_one_later_step() -> None:
    pen = Pen()
    pen.write("ExecutionStarted")
    pen.task("A", fails="Broken")
    pen.write("ExecutionFailed", error="Broken")
    pen.write("ExecutionRedriven", redriveCount=1)
    pen.task("A")
    assert [step.status for step in drawn(pen).steps] == ["failed", "succeeded"]


@pytest.mark.parametrize(
    ("kind", "error"),
    [("TaskTimedOut", "States.Timeout"), ("TaskSubmitFailed", "X"), ("TaskStartFailed", "X"), ("TaskFailed", "X")],
)
def test_every_way_in_which_a_task_fails_ends_its_attempt(kind: str, error: str) -> None:
    pen = Pen()
    pen.write("ExecutionStarted")
    pen.entered("Task", "A")
    pen.attempt()
    pen.write(kind, **({} if error == "States.Timeout" else {"error": error}))
    pen.attempt()
    first, second = only(drawn(pen), "A").attempts
    assert (first.error, second.error) == (error, None)
    assert only(drawn(pen), "A").status == "running"


def test_the_old_lambda_events_are_attempts_too() -> None:
    pen = Pen()
    pen.write("ExecutionStarted")
    pen.entered("Task", "A")
    pen.write("LambdaFunctionScheduled", resource="arn:aws:lambda:us-east-1:123456789012:function:old", input="{}")
    pen.write("LambdaFunctionStarted")
    pen.write("LambdaFunctionTimedOut", error="States.Timeout")
    pen.write("LambdaFunctionScheduled", resource="arn:aws:lambda:us-east-1:123456789012:function:old", input="{}")
    pen.write("LambdaFunctionSucceeded", output="{}")
    pen.exited("Task", "A")
    step = only(drawn(pen), "A")
    assert (step.status, step.retries, str(step.resource).rpartition(":")[2]) == ("succeeded", 1, "old")


def test_an_execution_that_timed_out_was_in_its_newest_step() -> None:
    pen = Pen()
    pen.write("ExecutionStarted")
    pen.entered("Wait", "Linger")
    pen.write("ExecutionTimedOut")
    result = drawn(pen)
    assert (result.status, only(result, "Linger").status) == ("timed_out", "aborted")
    assert result.failed_step == only(result, "Linger")


def test_branches_of_a_parallel_are_numbered_as_in_the_definition() -> None:
    branches = [{"StartAt": name, "States": {name: {"Type": "Pass", "End": True}}} for name in "XY"]
    definition = {"StartAt": "Both", "States": {"Both": {"Type": "Parallel", "Branches": branches, "End": True}}}
    pen = Pen()
    pen.write("ExecutionStarted")
    pen.entered("Parallel", "Both")
    started = pen.write("ParallelStateStarted")
    pen.entered("Pass", "Y", after=started)
    pen.exited("Pass", "Y")
    pen.entered("Pass", "X", after=started)
    result = drawn(pen, definition)
    assert {step.state: step.index for step in result.inside(only(result, "Both").id)} == {"Y": 1, "X": 0}


@pytest.mark.parametrize(("status", "seen"), [("aborted", "aborted"), ("failed", "running"), ("succeeded", "running")])
def test_a_history_without_an_end_ends_only_when_the_execution_was_aborted(status: str, seen: str) -> None:
    """Of a failed execution it is only the beginning, and to blame its last step would be wrong."""
    pen = Pen()
    pen.write("ExecutionStarted")
    pen.entered("Wait", "Linger")
    result = drawn(pen, status=status, ended_at=START + timedelta(seconds=9))
    assert (result.status, only(result, "Linger").status, result.failed_step) == (seen, seen, None)


def test_no_event_yet_is_an_execution_without_steps() -> None:
    result = trace(DEFINITION, [], now=START)
    assert (result.steps, result.status, result.seconds, result.rounds, summary(result)) == ((), "running", 0, 0, {})


def test_a_state_says_how_often_it_ran_and_a_map_how_far_it_is() -> None:
    found = summary(read("two_rounds"))
    assert (found["PlanCompaction"].count, found["PlanCompaction"].status) == (2, "succeeded")
    assert (found["MergeShards"].count, found["MergeShards"].done, found["MergeShards"].total) == (2, 1, 1)
    found = summary(read("running"))
    assert (found["MergeShards"].status, found["MergeShards"].done) == ("running", 0)
    assert found["MergeDeltas"].running == found["MergeShards"].total
    assert summary(read("retried_and_rerun"))["ReleaseLease"].failed == 0, "a refusal is no failure"


# Laws


@given(st.sampled_from(RECORDED), st.data())
def test_any_beginning_of_a_history_has_a_step_for_each_entering_and_children_within_their_parents(
    name: str, data: st.DataObject
) -> None:
    history = load(name)
    events = history.events[: data.draw(st.integers(0, len(history.events)))]
    now = events[-1]["timestamp"] if events else START
    result = trace(DEFINITION, events, now=now)
    entered = [event["id"] for event in events if event["type"].endswith("StateEntered")]
    assert [step.id for step in result.steps] == entered
    by_id = {step.id: step for step in result.steps}
    for step in result.steps:
        assert (step.status == "running") == (step.ended_at is None)
        if step.parent is not None:
            parent = by_id[step.parent]
            assert parent.entered_at <= step.entered_at
            assert parent.ended_at is None or (step.ended_at is not None and step.ended_at <= parent.ended_at)
            assert parent.length is not None
            assert step.index in range(parent.length)
        for before, after in step.waits:
            assert before <= after


@pytest.mark.parametrize("after", [2, 3])
def test_a_failure_that_follows_itself_or_what_comes_later_leads_nowhere(after: int) -> None:
    pen = Pen()
    pen.write("MapStateEntered", after=0, name="MergeShards")
    pen.write("MapIterationFailed", after=after, name="MergeShards", index=0)
    pen.write("MapIterationFailed", after=2, name="MergeShards", index=0)
    assert drawn(pen, MAP).failed_step is None


KINDS = st.sampled_from(
    [*{event["type"] for name in RECORDED for event in load(name).events}, "MapRunStarted", "SomethingNew", "X"]
)


@given(
    st.lists(
        st.tuples(KINDS, st.integers(0, 12), st.sampled_from(["MergeShards", "MergeDeltas", "Nobody"])), max_size=12
    )
)
def test_no_history_makes_it_fail(events: list[tuple[str, int, str]]) -> None:
    pen = Pen()
    for kind, after, name in events:
        pen.write(kind, after=after, name=name, index=0)
    now = pen.now() if pen.events else START
    result = trace(DEFINITION, pen.events, now=now)
    assert all(step.entered_at <= now for step in result.steps)
    summary(result)

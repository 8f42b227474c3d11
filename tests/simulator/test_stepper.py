"""The stepper is as strict as AWS, and takes the same way as moto's interpreter over the same answers."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from receipt_dynamo_stream.keys import ReceiptId

from operate.asl.paths import StateError, UnsupportedAsl
from operate.asl.stepper import Call, Entered, Sleep, steps
from tests.folds.world import FoldWorld
from tests.quiet_stack import quiet_stack

from .executions import machine
from .recorded import Recorded, recorded, replay

A, B = ReceiptId("aaaa", 1), ReceiptId("bbbb", 1)


def drive(states: dict[str, Any], data: Any, answers: dict[str, list[Any]] | None = None) -> tuple[Any, list[Any]]:
    """The output, and what was asked for on the way; errors among the answers are thrown."""
    running = steps({"StartAt": next(iter(states)), "States": states}, data, {"Execution": {"Name": "one"}})
    asked: list[Any] = []
    answer: Any = None
    try:
        while True:
            action = running.throw(answer) if isinstance(answer, StateError) else running.send(answer)
            answer = None
            if isinstance(action, Entered):
                answer = "now"
            else:
                asked.append(action.seconds if isinstance(action, Sleep) else action.parameters)
            if isinstance(action, Call):
                answer = (answers or {})[action.state].pop(0)
    except StopIteration as end:
        return end.value, asked


TASK = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "TimeoutSeconds": 1, "End": True}


def test_a_path_that_leads_nowhere_ends_the_execution_and_nothing_catches_it() -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "T"}]
    with pytest.raises(StateError, match=r"States\.Runtime"):
        drive({"T": {**TASK, "Parameters": {"a.$": "$.b"}, "Catch": catch}}, {"a": 1})


def test_a_variable_that_is_not_there_is_an_error_of_a_choice_but_for_is_present() -> None:
    rule = {"Variable": "$.a", "NumericEquals": 1, "Next": "Yes"}
    yes = {"Type": "Succeed"}
    with pytest.raises(StateError, match=r"States\.Runtime"):
        drive({"C": {"Type": "Choice", "Choices": [rule], "Default": "Yes"}, "Yes": yes}, {})
    present = {"And": [{"Variable": "$.a", "IsPresent": True}, {"Variable": "$.a", "NumericEquals": 1}], "Next": "Yes"}
    assert drive({"C": {"Type": "Choice", "Choices": [present], "Default": "Yes"}, "Yes": yes}, {})[0] == {}


def test_what_the_subset_does_not_have_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedAsl, match="Assign"):
        drive({"T": {**TASK, "Parameters": {}, "Assign": {}}}, {})
    with pytest.raises(UnsupportedAsl, match="UUID"):
        drive({"T": {"Type": "Pass", "Parameters": {"a.$": "States.UUID()"}, "End": True}}, {})


def test_retries_wait_longer_each_time_and_then_the_error_is_caught() -> None:
    retry = [
        {"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "BackoffRate": 3.0, "MaxAttempts": 3, "MaxDelaySeconds": 5}
    ]
    caught = {"ErrorEquals": ["States.ALL"], "ResultPath": "$.why", "Next": "End"}
    states = {"T": {**TASK, "Parameters": {}, "Retry": retry, "Catch": [caught]}, "End": {"Type": "Succeed"}}
    output, asked = drive(states, {"kept": 1}, {"T": [StateError("Busy", "so")] * 4})
    assert output == {"kept": 1, "why": {"Error": "Busy", "Cause": "so"}}
    assert [each for each in asked if not isinstance(each, dict)] == [1.0, 3.0, 5.0]


def test_a_map_gives_each_item_its_own_input_and_collects_the_results_in_order() -> None:
    inner = {**TASK, "Parameters": {"n.$": "$.n"}, "ResultPath": "$.r"}
    state = {
        "Type": "Map",
        "ItemsPath": "$.items",
        "ItemSelector": {"n.$": "$$.Map.Item.Value.n"},
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "T", "States": {"T": inner}},
        "ResultSelector": {"all.$": "$[*].r", "any.$": "States.ArrayContains($[*].n, 2)"},
        "End": True,
    }
    output, asked = drive({"M": state}, {"items": [{"n": 1}, {"n": 2}]}, {"T": ["one", "two"]})
    assert (output, asked) == ({"all": ["one", "two"], "any": True}, [{"n": 1}, {"n": 2}])


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Recorded]]:
    """Executions of the real machine on moto's interpreter, by what they are."""
    with quiet_stack(tmp_path_factory.mktemp("stack")) as stack:
        world = FoldWorld(stack)
        world.published(A)
        old = world.manifest().snapshot_id
        world.published(B)
        world.mark(A)
        arns = {
            "unchanged": world.run_arn(),
            "scheduled": world.run_arn(trigger="schedule"),
            "folded": world.run_arn(mode="fold", all=True),
            "rolled back": world.run_arn(mode="rollback", snapshot_id=old),
            "paused": world.run_arn(),
            "verified": world.run_arn(mode="verify"),
            "refused": world.run_arn(mode="dance"),
            "failed": world.run_arn(mode="switch", generation="words-2"),
        }
        published = next(one.arn for one in stack.executions.find("words") if one.outcome == "published")
        yield {
            name: recorded(stack.executions.history(arn), arn) for name, arn in {**arns, "published": published}.items()
        }


OF_MOTO = ["published", "unchanged", "scheduled", "folded", "rolled back", "paused", "verified", "refused", "failed"]


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_MOTO)
def test_the_stepper_takes_the_way_that_motos_interpreter_took(histories: dict[str, Recorded], name: str) -> None:
    """The same states in the same order, every task asked for the same, and the same output or error."""
    same_way(machine("compaction-control"), histories[name])


def same_way(definition: Mapping[str, Any], history: Recorded) -> None:
    ours = replay(definition, history)
    assert ours.states == history.states
    assert ours.asked == history.asked
    assert ours.ended == history.ended

"""What is asked of executions, and which of them may be re-run, redriven or stopped."""

import json
from itertools import islice

import pytest

from operate.errors import (
    ExecutionAmbiguous,
    ExecutionNotFound,
    NotRedrivable,
    NotRunning,
    PreviewMissing,
    RerunRefused,
)
from operate.models import ASKED_BY_THEMSELVES, EXECUTION_NAME, MODES
from operate.stack import Stack
from operate.state_machine import StateMachine

from ..toy_stack.toy import ToyStack


def test_executions_are_listed_newest_first_with_outcome_version_and_error(stack: ToyStack, operator: Stack) -> None:
    names = [stack.start("words"), stack.start("words", toy="Fenced"), stack.start("words", toy="Crash")]
    stack.start("lines")
    executions = list(operator.executions.of("words"))
    assert [execution.name for execution in executions] == names[::-1]
    assert [(e.result, e.trigger, e.version, e.error) for e in executions] == [
        ("failed", "stream", None, "Runtime.ExitError"),
        ("fenced", "stream", None, "Fenced"),
        ("published", "stream", 3, None),
    ]
    assert all(e.ended_at is not None and e.started_at <= e.ended_at and e.mode == "compact" for e in executions)
    assert json.loads(json.dumps(executions[0].to_json()))["cause"].startswith("The worker")


def test_no_more_executions_are_asked_for_than_are_looked_at(
    stack: ToyStack, operator: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        stack.start("lines")
    newest = stack.start("words")
    asked: list[str] = []
    describe = StateMachine.describe
    monkeypatch.setattr(StateMachine, "describe", lambda self, arn: asked.append(arn) or describe(self, arn))
    assert [execution.name for execution in islice(operator.executions.of("words"), 1)] == [newest]
    assert [arn.rpartition(":")[2] for arn in asked] == [newest]


def test_the_list_goes_on_past_the_first_page(
    stack: ToyStack, operator: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("operate.state_machine._PAGE", 2)
    names = [stack.start("lines") for _ in range(5)]
    assert [execution.name for execution in operator.executions.of("lines")] == names[::-1]


def test_an_execution_under_a_strange_name_is_known_by_its_input(stack: ToyStack, operator: Stack) -> None:
    stack.start("words", name="by-hand", trigger="operator")
    (execution,) = operator.executions.of("words")
    assert (execution.collection, execution.trigger) == ("words", "operator")
    assert list(operator.executions.of("lines")) == []


def test_started_executions_have_fresh_names_that_listings_can_filter(operator: Stack) -> None:
    executions = [operator.executions.wait(operator.executions.start("words")) for _ in range(2)]
    assert len({execution.name for execution in executions}) == 2
    for execution in executions:
        named = EXECUTION_NAME.fullmatch(execution.name)
        assert named is not None
        assert (named["collection"], named["trigger"]) == ("words", "operator")
        assert (execution.result, execution.version) == ("published", 3)


def test_a_name_of_a_generation_s_execution_says_the_generation_and_what_started_it() -> None:
    named = EXECUTION_NAME.fullmatch("words-2-stream-1b0f2c3d")
    assert named is not None
    assert named.groupdict() == {"collection": "words-2", "trigger": "stream", "unique": "1b0f2c3d"}
    assert EXECUTION_NAME.fullmatch("words-0-stream-1b0f2c3d") is None


def test_waiting_asks_until_the_execution_has_ended(stack: ToyStack) -> None:
    slept: list[float] = []

    def stop_it(seconds: float) -> None:
        slept.append(seconds)
        stack.sfn.stop_execution(executionArn=arn)

    operator = Stack(stack.connection, sleep=stop_it)
    arn = operator.executions.resolve(stack.start("lines", toy="Hold"))
    assert operator.executions.wait(arn, poll_seconds=0.25).status == "aborted"
    assert slept == [0.25]


def test_a_rerun_is_a_new_execution_with_the_very_same_input(stack: ToyStack, operator: Stack) -> None:
    old = stack.start("words", toy="Fenced")
    again = operator.executions.wait(operator.executions.rerun(old))
    assert again.name != old
    assert again.name.startswith("words-operator-")
    assert again.error == "Fenced"
    inputs = [
        stack.sfn.describe_execution(executionArn=operator.executions.resolve(name))["input"]
        for name in (old, again.name)
    ]
    assert inputs[0] == inputs[1]


def test_executions_are_found_by_arn_by_name_and_by_the_beginning_of_a_name(stack: ToyStack, operator: Stack) -> None:
    first, second = stack.start("words"), stack.start("words")
    arn = operator.executions.resolve(first)
    assert arn.endswith(f":execution:compaction:{first}")
    assert operator.executions.resolve(arn) == arn
    assert operator.executions.resolve(second[: len("words-stream-") + 8]).endswith(second)
    with pytest.raises(ExecutionAmbiguous, match="2 executions begin with words-stream-"):
        operator.executions.resolve("words-stream-")


@pytest.mark.parametrize(
    "given",
    ["lines-stream-00", "not a name", "", "arn:aws:states:us-east-1:123456789012:execution:compaction:none", "arn:x"],
)
def test_what_is_not_an_execution_is_refused_by_name(stack: ToyStack, operator: Stack, given: str) -> None:
    stack.start("words")
    with pytest.raises(ExecutionNotFound, match="history"):
        operator.executions.resolve(given)


def test_a_preview_without_anything_pending_plans_nothing(operator: Stack) -> None:
    preview = operator.executions.preview(operator.executions.wait(operator.executions.start("words", "plan")))
    assert (preview.base_version, preview.version, preview.receipts, preview.more) == (3, None, (), False)


def test_an_execution_that_planned_nothing_has_no_preview(operator: Stack) -> None:
    with pytest.raises(PreviewMissing, match="nothing_pending"):
        operator.executions.preview(operator.executions.wait(operator.executions.start("lines")))


def test_what_is_asked_first_by_itself_is_never_repeated_by_a_rerun(stack: ToyStack, operator: Stack) -> None:
    for mode in MODES:
        old = stack.start("words", mode=mode)
        if mode in ASKED_BY_THEMSELVES:
            command = "renew --switch" if mode == "switch" else mode
            for refused in (operator.executions.to_rerun, operator.executions.rerun):
                with pytest.raises(RerunRefused, match=f"`compaction {command}` does that, and asks first"):
                    refused(old)
        else:
            assert operator.executions.to_rerun(old).name == old
            operator.executions.rerun(old)


def test_what_has_ended_cannot_be_stopped(stack: ToyStack, operator: Stack) -> None:
    ended = stack.start("words")
    with pytest.raises(NotRunning, match="has ended already: published"):
        operator.executions.stop(ended, "too late")


def test_what_step_functions_does_not_offer_to_redrive_is_refused_with_its_reason(
    stack: ToyStack, operator: Stack
) -> None:
    with pytest.raises(NotRedrivable, match="this service does not offer it"):
        operator.executions.redrive(stack.start("words", toy="Crash"))


def test_an_execution_is_given_by_its_name_or_its_arn(stack: ToyStack, operator: Stack) -> None:
    name = stack.start("words")
    described = operator.executions.describe(name)
    assert operator.executions.describe(described.arn) == described
    assert operator.executions.details(described.arn) == operator.executions.details(name)
    assert operator.executions.events(described.arn, 9) == operator.executions.events(name, 9)
    assert operator.executions.definition(described.arn) == operator.executions.definition(name)
    assert operator.executions.output(name)["result"]["version"] == 3


def test_a_preview_whose_plan_is_gone_is_missed_by_name(stack: ToyStack, operator: Stack) -> None:
    planned = operator.executions.wait(operator.executions.start("words", "plan"))
    output = {"result": {"plan_key": "plans/words/x/0-a.json.gz", "base_version": 1, "more": False}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operator.executions, "output", lambda _: output)
        with pytest.raises(PreviewMissing, match="is gone"):
            operator.executions.preview(planned)

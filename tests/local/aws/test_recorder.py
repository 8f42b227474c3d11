"""Executions of a running stack reach the function that records them."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from local.application import functions_of
from local.aws.executions import wait_until
from local.stack import LocalStack

from ..tools import QUICK, freeze, toy_application


@pytest.fixture(scope="module")
def module_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    (recorder,) = functions_of(["Record"], package="toy_handlers")
    application = replace(toy_application(), recorder=recorder)
    with LocalStack(tmp_path_factory.mktemp("stack"), QUICK, application=application, filters=()) as stack:
        yield stack


@pytest.fixture
def stack(module_stack: LocalStack) -> Iterator[LocalStack]:
    yield module_stack
    module_stack.reset(busy_seconds=1)


def details(stack: LocalStack) -> list[dict[str, Any]]:
    """Of every event that was recorded, in order, once all are delivered."""
    assert stack.status_events.wait_delivered(20)
    file = stack.efs / "events.jsonl"
    return [json.loads(line)["detail"] for line in file.read_text().splitlines()] if file.exists() else []


def statuses(stack: LocalStack) -> list[str]:
    return [detail["status"] for detail in details(stack)]


def test_an_execution_is_recorded_when_it_starts_and_when_it_ends(stack: LocalStack) -> None:
    execution = stack.wait_for_execution(stack.executions.start("words"))
    began, ended = details(stack)
    assert (began["status"], began["stopDate"], began["output"]) == ("RUNNING", None, None)
    assert (ended["status"], ended["executionArn"], ended["name"]) == ("SUCCEEDED", execution.arn, execution.name)
    assert json.loads(ended["input"]) == execution.input
    assert json.loads(ended["output"]) == execution.output
    assert execution.stopped_at is not None
    assert abs(ended["stopDate"] - execution.stopped_at.timestamp() * 1000) < 1_000  # Step Functions says seconds
    assert ended["startDate"] == began["startDate"]


def test_failed_and_aborted_executions_are_recorded_as_what_they_are(stack: LocalStack) -> None:
    stack.wait_for_execution(stack.executions.start("words", mode="fail"))
    stack.executions.stop(stack.executions.start("words", mode="wait"))
    failed, aborted = (detail for detail in details(stack) if detail["status"] != "RUNNING")
    assert (failed["status"], failed["output"]) == ("FAILED", None)
    assert (aborted["status"], aborted["output"]) == ("ABORTED", None)


def test_an_execution_stopped_inside_a_map_is_recorded_as_aborted_only(stack: LocalStack, tmp_path: Any) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    arn = stack.executions.start("words", mode="map", folders=[str(folder)])
    wait_until(lambda: (folder / "started").exists() or None, 20, "the map does not run")
    stack.executions.stop(arn)
    (folder / "release").touch()
    wait_until(lambda: not stack.workers.in_flight("Hold") or None, 20, "the worker does not answer")
    assert statuses(stack) == ["RUNNING", "ABORTED"]


def test_a_recorder_that_fails_once_gets_the_event_again(stack: LocalStack) -> None:
    stack.wait_for_execution(stack.executions.start_with({"record": "fail once", "mode": "compact"}))
    assert statuses(stack) == ["RUNNING", "SUCCEEDED"]


def test_a_frozen_recorder_holds_up_no_execution(stack: LocalStack) -> None:
    first = stack.wait_for_execution(stack.executions.start("words"))
    assert statuses(stack) == ["RUNNING", "SUCCEEDED"]
    stack.executions.start_with({"record": "hang", "mode": "compact"})
    (held,) = wait_until(lambda: stack.workers.in_flight("Record") or None, 20, "the recorder has nothing to do")
    freeze(held.pid)
    second = stack.wait_for_execution(stack.executions.start("words"), timeout=20)
    assert (first.status, second.status) == ("SUCCEEDED", "SUCCEEDED")
    assert not stack.status_events.wait_delivered(0.1)


def test_a_reset_records_the_ends_that_it_brings_about_and_no_event_outlives_it(stack: LocalStack) -> None:
    stack.executions.start("words", mode="wait")
    seen: list[list[str]] = []
    original = stack._cloud.reset

    def reset() -> None:
        seen.append(statuses(stack))
        original()

    stack._cloud.reset = reset  # type: ignore[method-assign]
    try:
        stack.reset()
    finally:
        stack._cloud.reset = original  # type: ignore[method-assign]
    assert seen == [["RUNNING", "ABORTED"]]
    assert statuses(stack) == []
    stack.wait_for_execution(stack.executions.start("words"))
    assert statuses(stack) == ["RUNNING", "SUCCEEDED"]


def test_a_reset_gives_up_a_recorder_that_hangs(stack: LocalStack) -> None:
    stack.executions.start_with({"record": "hang", "mode": "wait"})
    wait_until(lambda: stack.workers.in_flight("Record") or None, 20, "the recorder has nothing to do")
    stack.reset(busy_seconds=0.1)
    assert statuses(stack) == []
    stack.wait_for_execution(stack.executions.start("words"))
    assert statuses(stack) == ["RUNNING", "SUCCEEDED"]


def test_an_application_without_recorder_gets_no_worker_for_it(module_stack: LocalStack) -> None:
    assert [function.name for function in module_stack.application.functions].count("Record") == 1
    assert len(toy_application().functions) == len(module_stack.application.functions) - 1

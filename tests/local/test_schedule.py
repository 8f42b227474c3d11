"""The schedule, with executions by hand."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from local.schedule import Schedule


class Executions:
    """Notes what is started; raises what it is told to, first."""

    def __init__(self) -> None:
        self.started: list[tuple[str, str]] = []
        self.errors: list[Exception] = []
        self.changed = threading.Condition()

    def start(self, collection: str, *, mode: str, trigger: str) -> str:
        with self.changed:
            if self.errors:
                raise self.errors.pop()
            assert mode == "compact"
            self.started.append((collection, trigger))
            self.changed.notify_all()
        return f"arn:{len(self.started)}"

    def wait_for(self, count: int) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: len(self.started) >= count, 10)


@pytest.fixture
def executions() -> Executions:
    return Executions()


@pytest.fixture
def schedule_of(executions: Executions) -> Iterator[Any]:
    schedules = []

    def make(interval: float | None) -> Schedule:
        schedule = Schedule(executions, interval)  # type: ignore[arg-type]
        schedule.start()
        schedules.append(schedule)
        return schedule

    yield make
    for schedule in schedules:
        schedule.stop()


def test_every_interval_starts_one_execution_per_collection(executions: Executions, schedule_of: Any) -> None:
    schedule_of(0.01)
    assert executions.wait_for(4)
    assert executions.started[:4] == [("lines", "schedule"), ("words", "schedule")] * 2


def test_while_paused_nothing_is_started_but_by_hand(executions: Executions, schedule_of: Any) -> None:
    schedule = schedule_of(0.01)
    assert executions.wait_for(1)
    schedule.pause()
    count = len(executions.started)
    schedule.trigger_now("words")
    assert len(executions.started) == count + 1
    assert executions.started[-1] == ("words", "schedule")
    schedule.resume()
    assert executions.wait_for(count + 3)


def test_without_an_interval_it_starts_only_what_it_is_told_to(executions: Executions, schedule_of: Any) -> None:
    schedule = schedule_of(None)
    assert schedule.trigger_now("lines") == "arn:1"
    schedule.stop()
    assert executions.started == [("lines", "schedule")]


@pytest.mark.parametrize(
    "error",
    [ClientError({"Error": {"Code": "InternalServerError"}}, "StartExecution"), ReadTimeoutError(endpoint_url="")],
    ids=["an answer", "none"],
)
def test_a_start_that_fails_does_not_end_the_schedule(
    error: Exception, executions: Executions, schedule_of: Any
) -> None:
    executions.errors = [error]
    schedule_of(0.01)
    assert executions.wait_for(2)

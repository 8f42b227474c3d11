"""Several activities in one thread, that take turns where they say so: executions, and the functions that they call.

Which one is next is asked of a function, so that a run is the same each time. Time is virtual: it moves a
millisecond with every effect, and jumps when everybody waits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from greenlet import getcurrent, greenlet
from receipt_dynamo_stream.errors import InvariantViolated

from .broken import Broken


class Crash(BaseException):
    """The process that a task stands for is gone."""


class Stuck(Exception):
    """Everybody waits for somebody."""


@dataclass(eq=False)
class Task:
    """`crashed`: from now on nothing of it has an effect. `behind`: it goes on when others rest; `late`: so too, and
    nobody waits for it any more."""

    name: str
    work: Callable[[], Any]
    hub: greenlet
    waits: Callable[[], bool] | None = None
    wakes_at: datetime | None = None
    done: bool = False
    crashed: bool = False
    late: bool = False
    behind: bool = False
    result: Any = None
    error: BaseException | None = None
    thread: greenlet = field(init=False)

    def __post_init__(self) -> None:
        self.thread = greenlet(self._run, self.hub)
        self.thread.task = self

    def _run(self) -> None:
        try:
            if self.crashed:
                return
            self.result = self.work()
        except BaseException as error:  # noqa: BLE001 -- Crash is one; whoever waits looks at it
            self.error = error
        finally:
            self.done = True


class Scheduler:
    """Runs tasks until all rest. choose: of those that could go on, which does."""

    def __init__(self, start: datetime = datetime(2026, 3, 1, tzinfo=UTC)) -> None:
        self.now = start
        self.hub = getcurrent()
        self.tasks: list[Task] = []
        self.choose: Callable[[Sequence[Task]], Task] = lambda ready: ready[-1]

    def start(self, name: str, work: Callable[[], Any]) -> Task:
        """A new task; it begins when it is chosen."""
        task = Task(name, work, self.hub)
        self.tasks.append(task)
        return task

    def tick(self) -> None:
        """A millisecond passes."""
        self.now += timedelta(milliseconds=1)

    def run(self, until: Callable[[], bool] | None = None, *, late: bool = True) -> None:
        """Until every task is done, or `until` holds. Late ones go on last, and only if asked for."""
        while not (until and until()):
            self.tasks = [task for task in self.tasks if not task.done]
            able = [task for task in self.tasks if self._is_ready(task)]
            ready = [task for task in able if task.crashed][:1] or [
                task for task in able if not task.late and not task.behind
            ]
            if not ready and not self._sleeping():
                ready = [task for task in able if task.behind] or (able if late else [])
            if ready:
                task = self.choose(ready)
                task.thread.switch()
                if isinstance(task.error, AssertionError | NotImplementedError):
                    raise task.error  # what must not be: whoever waits for it may have gone
                if isinstance(task.error, InvariantViolated):  # a step found it by itself
                    raise Broken(f"{task.error}; found by {task.name}")
            elif times := self._sleeping() or (self._sleeping(late=True) if late else []):
                self.now = min(times)
            else:
                waiting = [task.name for task in self.tasks if not task.late or late]
                if waiting and not until:
                    raise Stuck(f"everybody waits: {waiting}")
                return

    def _is_ready(self, task: Task) -> bool:
        if task.wakes_at is not None and task.wakes_at > self.now:
            return False
        return task.waits is None or task.waits()

    def _sleeping(self, *, late: bool = False) -> list[datetime]:
        """When those who sleep go on: the late ones, or the others."""
        asleep = [task for task in self.tasks if task.late == late and task.wakes_at]
        return [task.wakes_at for task in asleep if task.wakes_at and task.wakes_at > self.now]

    @staticmethod
    def forget(task: Task) -> None:
        """End a task in the middle of what it does: it unwinds at its next turn, without an effect."""
        task.crashed, task.late, task.behind = True, False, False
        task.waits = task.wakes_at = None

    def end(self) -> None:
        """Let nothing go on."""
        for task in self.tasks:
            self.forget(task)
        self.run()


def current() -> Task | None:
    """The task that this code runs in; None outside of all."""
    return getattr(getcurrent(), "task", None)


def give_way() -> None:
    """Let others go on, if there are any."""
    task = current()
    if task is None:
        return
    task.thread.parent.switch()
    if task.crashed:
        raise Crash


def let_others_rest() -> None:
    """Go on when all others have done what they can."""
    task = current()
    assert task is not None
    task.behind = True
    give_way()
    task.behind = False


def wait(until: Callable[[], bool]) -> None:
    """Until it holds."""
    task = current()
    assert task is not None
    task.waits = until
    give_way()
    task.waits = None


def sleep_until(moment: datetime) -> None:
    """Until that time."""
    task = current()
    assert task is not None
    task.wakes_at = moment
    give_way()
    task.wakes_at = None

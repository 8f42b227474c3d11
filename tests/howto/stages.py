"""What the tests of pages do with a local stage: let it work as the schedule does, ask the model, run a page on it."""

from local.stack import LocalStack
from tests.operator.desk import Desk

BOTH = ("words", "lines")


def quiet(stack: LocalStack) -> None:
    """Until the stream is read and nothing runs; what is pending may wait."""
    stack.poller.wait_caught_up(timeout=60)
    Desk.until(lambda: not stack.executions.running, "the executions to end", seconds=180)


def work_it_off(desk: Desk) -> None:
    """What the schedule does on a deployed stage, until nothing waits."""
    quiet(desk.stack)
    for collection in BOTH:
        desk.stack.wait_for_execution(desk.stack.schedule.trigger_now(collection), timeout=180)
    desk.settle_down()


def is_right(desk: Desk) -> bool:
    """What readers see is what table and deltas say, by the independent model."""
    return [desk.verdict(collection).differences for collection in BOTH] == [(), ()]

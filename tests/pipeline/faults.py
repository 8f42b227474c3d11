"""Faults in the DynamoDB that the state machine talks to: an answer that is lost, an update that is refused, and what
others do just before it. They stand in moto's backend: the interpreter's own client and its retries are the real ones.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.dynamodb.exceptions import ConditionalCheckFailed
from moto.dynamodb.models import DynamoDBBackend
from moto.s3.models import S3Backend

Act = Callable[[Callable[[], Any]], Any]


class AnswerLostError(JsonRESTError):
    """What a client sees of a request whose answer never came."""

    code = 500

    def __init__(self) -> None:
        super().__init__("InternalServerError", "the answer was lost")


@contextmanager
def at_update(ending: str, act: Act, *, times: int = 1) -> Iterator[list[str]]:
    """For the first `times` updates whose UpdateExpression ends so, call `act(update)` in place of `update()`.

    Yields a list with the expression of each update it stood in for, so that a test can say that the fault happened.
    """
    original = DynamoDBBackend.update_item
    seen: list[str] = []

    def update_item(self: DynamoDBBackend, *args: Any, **kwargs: Any) -> Any:
        expression = str(kwargs["update_expression"] if "update_expression" in kwargs else args[2])
        if expression.endswith(ending) and len(seen) < times:
            seen.append(expression)
            return act(lambda: original(self, *args, **kwargs))
        return original(self, *args, **kwargs)

    DynamoDBBackend.update_item = update_item
    try:
        yield seen
    finally:
        DynamoDBBackend.update_item = original


@contextmanager
def after_report(act: Callable[[], None]) -> Iterator[list[str]]:
    """Call `act` when MergeDeltas has staged its shard and writes its report: before anybody validates it."""
    original = S3Backend.put_object
    seen: list[str] = []

    def put_object(self: S3Backend, *args: Any, **kwargs: Any) -> Any:
        key = str(kwargs["key_name"] if "key_name" in kwargs else args[1])
        if key.startswith("reports/"):
            seen.append(key)
            act()
        return original(self, *args, **kwargs)

    S3Backend.put_object = put_object
    try:
        yield seen
    finally:
        S3Backend.put_object = original


def lose_the_answer(update: Callable[[], Any]) -> Any:
    """The update happens; nobody hears of it."""
    update()
    raise AnswerLostError


def refuse(_update: Callable[[], Any]) -> Any:
    """The update does not happen, although its condition would have held a moment later."""
    raise ConditionalCheckFailed(None)


def after(before: Callable[[], None]) -> Act:
    """Somebody else does something first."""

    def act(update: Callable[[], Any]) -> Any:
        before()
        return update()

    return act

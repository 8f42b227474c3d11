"""Asking a service for rows: a right that is missing or a service that is out is a row, and throttling waits."""

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from operate.conform.rows import Outcome, Row, Whose
from operate.throttling import is_throttled

DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_LONGEST_WAIT: Final = 30.0
_TRIES: Final = 10


def asked(part: str, right: str, whose: Whose, rows: Iterator[Row]) -> Iterator[Row]:
    """The rows; where the service gives no more of them, one that is left out and says why. It is required: a report
    in which something was not asked has not passed. `right`: the actions that are needed."""
    try:
        yield from rows
    except ClientError as error:
        code = error.response["Error"]["Code"]
        why = f"needs the right to {right}" if code in DENIED else f"{code}: {error.response['Error']['Message']}"
        yield left_out(part, why, whose)
    except BotoCoreError as error:
        yield left_out(part, f"no answer: {type(error).__name__}: {error}", whose)


def left_out(part: str, why: str, whose: Whose, *, required: bool = True) -> Row:
    """What could not be asked."""
    return Row(part, "all of this, or the rest", "an answer", why, whose, Outcome.LEFT_OUT, required=required)


class Patient:
    """A client whose calls wait when the service asks for fewer, and say so."""

    def __init__(self, client: Any, tell: Callable[[str], None], sleep: Callable[[float], None] = time.sleep) -> None:
        self._client, self._tell, self._sleep = client, tell, sleep

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)

        def patiently(**request: Any) -> Any:
            for attempt in range(_TRIES):
                try:
                    return call(**request)
                except ClientError as error:
                    if not is_throttled(error) or attempt == _TRIES - 1:
                        raise
                    seconds = min(2.0**attempt, _LONGEST_WAIT)
                    self._tell(f"{name}: AWS asks for fewer calls, waiting {seconds:.0f} s")
                    self._sleep(seconds)
            raise AssertionError("the last attempt returns or raises")

        return patiently

"""What the simulator raises when a law does not hold, whoever found it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from receipt_dynamo_stream.errors import InvariantViolated


class Broken(AssertionError):
    """An invariant does not hold; the text begins with its name. No error of ours, which a step might catch."""


@contextmanager
def breaking() -> Iterator[None]:
    """What is violated in the block is Broken."""
    try:
        yield
    except InvariantViolated as violated:
        raise Broken(str(violated)) from None

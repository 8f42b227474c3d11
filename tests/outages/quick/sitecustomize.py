"""For the workers of these tests: an AWS client tries as often as ever, and waits for nothing in between."""

from typing import Any

from botocore.retries import standard


def _at_once(_self: standard.ExponentialBackoff, _context: Any) -> float:
    return 0.0


standard.ExponentialBackoff.delay_amount = _at_once

"""Level 1: what is asked of a stack that runs."""

from collections.abc import Iterator
from importlib import import_module

from operate.conform.rows import Row
from operate.stack import Stack


def probe_rows(stack: Stack) -> Iterator[Row]:
    """The probes' rows, as they come. Close the iterator to end early: what was made is removed in any case."""
    rows: Iterator[Row] = import_module("operate.conform.probes").probe_rows(stack)
    return rows

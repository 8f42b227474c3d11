"""The toy stack, and commands against it."""

from tests.toy_stack.fixtures import (
    connection,
    endpoint,
    history,
    kept_histories,
    new_history,
    operator,
    run,
    segmented,
    stack,
)

__all__ = [
    "connection",
    "endpoint",
    "history",
    "kept_histories",
    "new_history",
    "operator",
    "run",
    "segmented",
    "stack",
]

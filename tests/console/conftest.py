"""The toy stack, and commands against it."""

from tests.toy_stack.fixtures import api, connection, endpoint, history, new_history, run, stack

__all__ = ["api", "connection", "endpoint", "history", "new_history", "run", "stack"]

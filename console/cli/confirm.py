"""Asking before something is done that is hard to take back."""

import sys
from argparse import Namespace

from operate.errors import Declined, UsageError


def require_answer(arguments: Namespace) -> None:
    """Raises UsageError when --yes is not given and nobody can be asked: before anything is asked of a stack."""
    if arguments.yes:
        return
    if arguments.json:
        raise UsageError(f"with --json nobody can be asked: `{arguments.called}` needs --yes too")
    if not sys.stdin.isatty():
        raise UsageError(f"there is no terminal to ask on: `{arguments.called}` needs --yes")


def confirm(arguments: Namespace, question: str) -> None:
    """Ask on the terminal, unless --yes was given. Raises Declined for every answer but `y` and `yes`."""
    require_answer(arguments)
    if arguments.yes:
        return
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Declined("nothing was done")

"""Asking before something is done that is hard to take back."""

import sys
from argparse import Namespace

from receipt_dynamo_stream.texts import one_line
from rich.text import Text

from console.cli.progress import stdout_console
from operate.asked_first import AskedFirst
from operate.errors import Declined, UsageError


def require_answer(arguments: Namespace) -> None:
    """Raises UsageError when --yes is not given and nobody can be asked: before anything is asked of a stack."""
    if arguments.yes:
        return
    if arguments.json:
        raise UsageError(f"with --json nobody can be asked: `{arguments.called}` needs --yes too")
    if not sys.stdin.isatty():
        raise UsageError(f"there is no terminal to ask on: `{arguments.called}` needs --yes")


def confirm(arguments: Namespace, asked: AskedFirst) -> None:
    """Say what will happen, unless for a script, and ask on the terminal, unless --yes was given.

    Raises Declined for every answer but `y` and `yes`.
    """
    require_answer(arguments)
    if not arguments.json:
        for sentence in asked.says:
            stdout_console().print(Text(sentence))
    if arguments.yes:
        return
    print(f"{one_line(asked.title)}? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Declined("nothing was done")

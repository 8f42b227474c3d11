"""The command that erases a deleted receipt."""

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from console.cli.commands import print_json, stack_of, waiting
from console.cli.confirm import confirm, require_answer
from console.cli.progress import stdout_console
from console.cli.remains_command import say_remains
from operate import asked_first
from operate.receipts import parse_receipt
from operate.stack import Stack
from operate.wording import count_of

if TYPE_CHECKING:
    from operate.erasing import Erased

LOOK_EVERY_SECONDS = 120.0


def erase(arguments: Namespace) -> int:
    """Exit code 0 only when nothing is left, 1 while it waits for versions or something was found.

    Raises UsageError, EraseRefused, VersionRefused, ExecutionFailed, Declined.
    """
    from operate.remains import check_is_gone

    receipt = parse_receipt(arguments.receipt)
    require_answer(arguments)
    stack = stack_of(arguments)
    check_is_gone(stack, receipt)
    confirm(arguments, asked_first.erase(receipt.key, stack.collections.names()))
    while (done := _pass(stack, arguments)).waiting and arguments.wait:
        with waiting("waiting for the older versions to be past the grace"):
            stack.sleep(LOOK_EVERY_SECONDS)
    if arguments.json:
        print_json(done.to_json())
    else:
        _say(done)
    return 0 if done.erased_at else 1


def _pass(stack: Stack, arguments: Namespace) -> "Erased":
    from operate.erasing import erase as erase_as_far_as_it_comes

    stdout = stdout_console()
    with waiting("erasing"):
        return erase_as_far_as_it_comes(
            stack,
            parse_receipt(arguments.receipt),
            copies=Path(arguments.copies),
            deltas=[Path(given) for given in arguments.delta],
            efs=Path(arguments.efs) if arguments.efs else None,
            say=lambda text: None if arguments.json else stdout.print(Text(text)),
        )


def _say(done: "Erased") -> None:
    stdout = stdout_console()
    for name, versions in done.waiting.items():
        stdout.print(Text(f"{name}: older and still there: {', '.join(map(str, versions))}."))
    if done.waiting:
        stdout.print("They go when they are past the grace, and an hour after that. Erase again then, or with --wait.")
    if done.remains is not None:
        if done.deleted:
            stdout.print(f"Deleted {count_of(done.deleted, 'object version')}, its deltas among them.")
        say_remains(done.remains)

"""The command that asks where a receipt's changes are."""

from argparse import Namespace

from console.cli.commands import collections_of, print_json, stack_of, waiting
from console.cli.progress import stdout_console
from operate.receipts import parse_receipt


def where(arguments: Namespace) -> int:
    """Raises UsageError for what is no receipt, ReceiptNotFound for one that nothing knows."""
    from console.cli.render_where import where_lines
    from operate.contents.contents import Contents
    from operate.whereabouts.where import where_is

    receipt = parse_receipt(arguments.receipt)
    stack = stack_of(arguments)
    collections = collections_of(arguments, stack)
    with waiting("asking for its runs and versions"), Contents(stack) as contents:
        found = where_is(stack, contents, receipt, collections)
    if arguments.json:
        print_json(found.to_json())
        return 0
    stdout = stdout_console()
    for part in where_lines(found, stack.now(), width=stdout.width):
        stdout.print(part)
    return 0

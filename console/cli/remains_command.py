"""The command that looks for the bytes of a deleted receipt."""

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from console.cli.commands import print_json, stack_of, waiting
from console.cli.progress import stdout_console
from console.cli.tables import NARROW, new_table
from operate.errors import UsageError
from operate.receipts import parse_receipt
from operate.wording import count_of

if TYPE_CHECKING:
    from operate.remains import Remains


def remains(arguments: Namespace) -> int:
    """Exit code 0 only when all was looked for everywhere and nothing was there, 1 otherwise.

    Raises UsageError for what is no receipt, folder or delta, EraseRefused for a receipt that is not gone,
    VersionUnreadable.
    """
    from operate.checked_deltas import Belongs, check_path
    from operate.remains import find_remains

    receipt = parse_receipt(arguments.receipt)
    stack = stack_of(arguments)
    vectors = []
    for given in arguments.delta:
        checked = check_path(Path(given), Belongs(receipt=receipt))
        if checked.error is not None:
            raise UsageError(f"{given} is no delta of {receipt.key}: {checked.message}")
        vectors += [record.embedding for record in checked.rows]
    with waiting("reading everything once"):
        found = find_remains(stack, receipt, vectors=vectors, efs=Path(arguments.efs) if arguments.efs else None)
    if arguments.json:
        print_json(found.to_json())
    else:
        say_remains(found)
    return 0 if found.nothing_left else 1


def say_remains(found: "Remains") -> None:
    """What a search found, on stdout."""
    stdout = stdout_console()
    if found.remnants:
        table = new_table("", narrow=stdout.width < NARROW)
        for column in ("Where", "What", "What keeps it"):
            table.add_column(column, overflow="fold")
        for one in found.remnants:
            table.add_row(Text(f"{one.where}: {one.path}"), Text(one.what), Text(one.kept_by))
        stdout.print(table)
    searched = ", ".join(f"{number:,} in the {where}" for where, number in found.searched.items())
    if found.vectors:
        sought = f"its ids and {count_of(found.vectors, 'vector')}"
    else:
        sought = "its ids alone, no vector that is its own"
    stdout.print(Text(f"Looked for {sought} in all that is there: {searched}."))
    for place in found.not_searched:
        stdout.print(Text(f"Not searched: {place}."))
    if found.nothing_left:
        stdout.print(Text(f"Nothing is left of {found.receipt}."))
    elif found.remnants:
        places = count_of(len(found.remnants), "place")
        stdout.print(Text(f"Something of {found.receipt} is in {places}: docs/erase.md says how each is emptied."))
    else:
        stdout.print(Text("Nothing was found; but not everything was looked for everywhere."))

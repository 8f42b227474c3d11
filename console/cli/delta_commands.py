"""The commands about a delta before a merge reads it: what one would say of it, and its rows."""

import logging
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from receipt_dynamo_stream.errors import KeyMalformed
from receipt_dynamo_stream.keys import ReceiptId
from rich.text import Text

from console.cli import render_delta
from console.cli.commands import print_json, stack_of, waiting
from console.cli.progress import stdout_console
from operate.connection import bucket_alone
from operate.errors import StackNotRunning, UsageError
from operate.stack import Stack

if TYPE_CHECKING:
    from operate.checked_deltas import CheckedDelta

EXIT_REFUSED = 1


def check(arguments: Namespace) -> int:
    """Exit code 1 when a merge would refuse it. Raises UsageError, RunNotFound, RunAmbiguous."""
    found = _checked(arguments)
    if arguments.json:
        print_json({"given": arguments.delta, "deltas": [one.to_json() for one in found]})
    else:
        stdout = stdout_console()
        stdout.print(render_delta.checked_table(found))
        for one in found:
            for line in (one.message, one.note):
                if line:
                    stdout.print(Text(f"{one.belongs.collection or 'The delta'}: {line}"))
    return EXIT_REFUSED if any(one.error for one in found) else 0


def show(arguments: Namespace) -> int:
    """Rows as they were decoded, also of a delta whose content a merge would refuse; exit codes as of `check`."""
    found = _checked(arguments)
    if arguments.json:
        print_json({"given": arguments.delta, "deltas": [_with_rows(one, arguments.n) for one in found]})
    else:
        stdout = stdout_console()
        for one in found:
            if one.rows:
                stdout.print(render_delta.rows_table(one, arguments.n))
            if (hidden := len(one.rows) - arguments.n) > 0:
                stdout.print(f"Not shown: {hidden:,} more (-n).")
            stdout.print(render_delta.verdict(one))
    return EXIT_REFUSED if any(one.error for one in found) else 0


def _with_rows(one: "CheckedDelta", limit: int) -> dict[str, Any]:
    rows = [
        {"id": row.id, "document": row.document, "metadata": row.metadata, "norm": render_delta.norm(row)}
        for row in one.rows[:limit]
    ]
    return {**one.to_json(), "rows": rows}


def _checked(arguments: Namespace) -> "Sequence[CheckedDelta]":
    from operate.checked_deltas import Belongs, check_path, check_prefix
    from operate.deltas import Deltas

    logging.getLogger("receipt_chroma").addHandler(logging.NullHandler())  # a refusal is the answer, and said once
    given, receipt = arguments.delta, _receipt(arguments.receipt)
    belongs = Belongs(arguments.collection, receipt, arguments.dimension)
    if given.startswith("s3://"):
        with waiting("fetching the delta"):
            if (stack := _stack_if_any(arguments)) is not None:
                return [Deltas(stack).check_prefix(given, belongs, delta_buckets=arguments.delta_bucket)]
            bucket, _, prefix = given.removeprefix("s3://").partition("/")
            return [check_prefix(bucket_alone(bucket, arguments.region), prefix, belongs)]
    path = Path(given)
    if not given:
        raise UsageError("DELTA is empty: give a file or folder, s3://bucket/prefix, or the id of an announced run")
    if path.exists() or "/" in given or given.endswith((".arrow", ".tar.gz")):
        stack = _stack_if_any(arguments) if arguments.dimension is None else None
        return [check_path(path, belongs) if stack is None else Deltas(stack).check_path(path, belongs)]
    if arguments.collection or arguments.dimension:
        raise UsageError("--collection and --dimension are for files: a run says what it is of")
    with waiting("reading the run and its receipt"):
        return Deltas(stack_of(arguments)).check_run(given, receipt=receipt, delta_buckets=arguments.delta_bucket)


def _stack_if_any(arguments: Namespace) -> Stack | None:
    """The stack that is named, or runs here; without one a bucket is read alone, and a file as it is."""
    if arguments.region and not arguments.stack:
        return None
    try:
        return stack_of(arguments)
    except StackNotRunning:
        return None


def _receipt(given: str | None) -> ReceiptId | None:
    try:
        return None if given is None else ReceiptId.parse(given)
    except KeyMalformed as error:
        raise UsageError(str(error)) from error

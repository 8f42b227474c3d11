"""Where a receipt is, as text and tables."""

from collections.abc import Iterator
from datetime import datetime

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from console.cli.tables import NARROW, new_table
from operate.whereabouts.models import MergedChange, ReceiptWhere, Where
from operate.whereabouts.wording import of_collection, of_receipt
from operate.wording import age, changed, count_of, number, short_name

_STYLES = {"waiting": "yellow", "quarantined": "bold red", "served": "green"}


def where_lines(found: ReceiptWhere, now: datetime, *, width: int) -> Iterator[RenderableType]:
    """The receipt, then of each collection what readers see, what waits, its changes and its runs."""
    yield Text(f"{found.receipt}\n{of_receipt(found)}")
    for where in found.collections:
        yield Text.assemble("\n", (where.collection, "bold"), ": ", (where.state, _STYLES.get(where.state, "")))
        for sentence in of_collection(where, now):
            yield Text(sentence)
        if where.changes:
            yield _changes_table(where.changes, now, width=width)
        elif where.looked_at:
            yield Text(f"None of the last {count_of(where.looked_at, 'merged version')} brought anything of it.")
        if where.runs:
            yield _runs_table(where, now, width=width)
            yield from (Text(f"{run.run_id}: {run.says}") for run in where.runs if run.says)
        if where.more_runs:
            yield Text(f"Not shown: {count_of(where.more_runs, 'older run')}.")


def _changes_table(changes: tuple[MergedChange, ...], now: datetime, *, width: int) -> Table:
    """Newest first; the execution only where there is room."""
    narrow = width < NARROW
    table = new_table("", narrow=narrow)
    table.add_column("Version", justify="right", no_wrap=True)
    table.add_column("Change came", justify="right", no_wrap=True)
    table.add_column("Seen", justify="right", no_wrap=True)
    table.add_column("Records", overflow="fold")
    if not narrow:
        table.add_column("Execution", overflow="fold")
    for one in changes:
        records = "unknown" if one.counts is None else changed(one.counts)
        records += "" if one.exists else " (deleted)"
        records += f" (taken back by {one.taken_back})" if one.taken_back else ""
        execution = () if narrow else (Text(short_name(one.execution)),)
        table.add_row(number(one.version), age(one.came_at, now), age(one.seen_at, now), records, *execution)
    return table


def _runs_table(where: Where, now: datetime, *, width: int) -> Table:
    """Newest first."""
    narrow = width < NARROW
    table = new_table("", narrow=narrow)
    table.add_column("Run", overflow="fold")
    table.add_column("State", overflow="fold")
    for name in ("Announced", "Vectors", "Version"):
        table.add_column(name, justify="right", no_wrap=True)
    for run in where.runs:
        announced = age(run.announced_at, now)
        table.add_row(Text(run.run_id), Text(run.state), announced, number(run.vectors), number(run.version))
    return table

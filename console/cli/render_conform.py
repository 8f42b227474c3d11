"""A report of conformance as tables: broken rows in full, held ones only where they are few."""

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from console.cli.tables import NARROW, new_table
from operate.conform.report import Report
from operate.conform.rows import Outcome, Row
from operate.wording import count_of

FEW = 12
"""Of a part of more rows, only the number of those that held is said."""
_STYLES = {
    Outcome.HELD: "green",
    Outcome.BROKEN: "bold red",
    Outcome.LEFT_OUT: "yellow",
    Outcome.MEASURED: "cyan",
}


def part_lines(rows: Sequence[Row], *, width: int) -> Iterator[RenderableType]:
    """The rows of one part, all of one answerer's. Known differences are counted by what explains them."""
    hidden = [row for row in rows if row.outcome is Outcome.HELD] if len(rows) > FEW else []
    shown = [row for row in rows if not row.known and row not in hidden]
    yield Text.assemble("\n", (rows[0].part, "bold"), f", asked of {rows[0].whose}")
    if shown:
        yield _table(shown, narrow=width < NARROW)
        broken = (row.source for row in shown if row.source and row.outcome is Outcome.BROKEN)
        yield from (Text(f"What is expected: {source}") for source in dict.fromkeys(broken))
    if hidden:
        yield Text(f"{len(hidden):,} {Outcome.HELD}", style=_STYLES[Outcome.HELD])
    for (known, source), number in Counter((row.known, row.source) for row in rows if row.known).items():
        differ = f"{number:,} {'differs' if number == 1 else 'differ'}"
        yield Text.assemble((differ, "yellow"), f", which is known of {known} ({source})")


def _table(rows: Sequence[Row], *, narrow: bool) -> RenderableType:
    table = new_table("", narrow=narrow)
    table.add_column("", no_wrap=True)
    for column in ("What", "Expected", "Seen"):
        table.add_column(column, overflow="fold")
    for row in rows:
        style = _STYLES[row.outcome]
        seen = Text(row.seen, style="red" if row.outcome is Outcome.BROKEN else "")
        table.add_row(Text(row.outcome, style=style), Text(row.what), Text(row.expected or "-"), seen)
    return table


def closing_line(report: Report) -> Text:
    """What it came to, in a line."""
    verdict = ("Passed", "bold green") if report.passed else ("Not passed", "bold red")
    known = sum(bool(row.known) for row in report.rows)
    counts = [(one, report.count(one) - (known if one is Outcome.BROKEN else 0)) for one in Outcome]
    told = [f"{number:,} {one.value}" for one, number in counts if number]
    told += [f"{count_of(known, 'known difference')}"] if known else []
    missing = sum(not row.passed for row in report.rows)
    why = f"; {count_of(missing, 'required row')} did not hold" if missing else ""
    return Text.assemble("\n", verdict, f": {', '.join(told) or 'nothing was asked'}{why}.")

"""A report of conformance as tables: broken rows in full, held ones only where they are few."""

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from console.cli.tables import NARROW, new_table
from operate.conform.report import Report
from operate.conform.rows import Outcome, Row
from operate.wording import count_of

FEW = 25
"""So many held rows of a part are shown; of more only their number is said."""
_STYLES = {
    Outcome.HELD: "green",
    Outcome.BROKEN: "bold red",
    Outcome.LEFT_OUT: "yellow",
    Outcome.MEASURED: "cyan",
}


def part_lines(rows: Sequence[Row], *, width: int) -> Iterator[RenderableType]:
    """The rows of one part, all of one answerer's."""
    held = [row for row in rows if row.outcome is Outcome.HELD]
    shown = list(rows) if len(held) <= FEW else [row for row in rows if row.outcome is not Outcome.HELD]
    yield Text(f"\n{rows[0].part}", style="bold")
    if shown:
        yield _table(shown, narrow=width < NARROW)
    if len(held) > FEW:
        yield Text.assemble((f"{len(held):,} held", _STYLES[Outcome.HELD]), f", asked of {rows[0].whose}.")


def _table(rows: Sequence[Row], *, narrow: bool) -> RenderableType:
    table = new_table("", narrow=narrow)
    for column in ("What", "Expected", "Seen"):
        table.add_column(column, overflow="fold")
    table.add_column("Answer", overflow="fold")
    for row in rows:
        style = "yellow" if row.outcome is Outcome.BROKEN and not row.required else _STYLES[row.outcome]
        told = Text.assemble((row.outcome.value, style), f" ({row.whose})")
        seen = Text(row.seen, style="red" if style == "bold red" else "")
        if row.source and row.outcome is not Outcome.HELD:
            seen.append(f" ({row.source})", style="default")
        table.add_row(Text(row.what), Text(row.expected or "-"), seen, told)
    return table


def closing_line(report: Report) -> Text:
    """What it came to, in a line."""
    verdict = ("Passed", "bold green") if report.passed else ("Not passed", "bold red")
    counts = [(one, report.count(one)) for one in Outcome]
    told = ", ".join(f"{number:,} {one.value}" for one, number in counts if number)
    missing = sum(row.required and row.outcome is not Outcome.HELD for row in report.rows)
    why = f"; {count_of(missing, 'required row')} did not hold" if missing else ""
    return Text.assemble("\n", verdict, f": {told or 'nothing was asked'}{why}.")

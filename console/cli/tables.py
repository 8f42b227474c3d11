"""Values as text and tables, readable at 60 columns; what a colour says, a word says too.

Texts that come from a stack (names, errors, documents) are wrapped in `Text`: brackets in them are never markup.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich import box
from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from operate.contents.embedder import NEAR
from operate.models import FENCED, CollectionStatus, Execution, PlanPreview, name_of
from operate.wording import age, cause_text, count_of, duration, number, plain, short_name, short_record

if TYPE_CHECKING:
    from operate.contents.query import Answer
    from operate.history import Listed

WIDE = 100
"""From this many columns on, tables show what can be left out."""
NARROW = 76
"""Below this, they leave out what is not looked for first, and stand closer; 60 columns are enough."""

STYLES = {
    "published": "green",
    "current": "green",
    "rolled_back": "green",
    "verified": "green",
    "restored": "green",
    "folded": "green",
    "resharded": "green",
    "switched": "green",
    "not_complete": "yellow",
    "fold_lost": "yellow",
    "reshard_lost": "yellow",
    "running": "cyan",
    "behind": "yellow",
    "paused": "yellow",
    FENCED: "yellow",
    "aborted": "yellow",
    "unseen": "bold red",
    "failed": "bold red",
    "timed_out": "bold red",
}
_WORD_WIDTH = 24  # a longer word, an id or a path, may be broken


def word(text: str) -> Text:
    """A status word: `timed_out` reads `timed out`."""
    return Text(plain(text), style=STYLES.get(text, ""))


def plain_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table of any values; columns of numbers only are aligned right."""
    body = [[cell if isinstance(cell, Text) else Text(_cell(cell)) for cell in row] for row in rows]
    table = new_table(title)
    table.show_header = any(columns)
    for index, column in enumerate(columns):
        numeric = bool(body) and all(_is_number(row[index].plain) for row in body)
        table.add_column(Text(column), justify="right" if numeric else "left", overflow="fold")
    for row in body:
        table.add_row(*row)
    return table


def fitting_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, width: int) -> Table:
    """The table, or the table on its side when its columns would have to break words: few rows with many values."""
    lines = [columns, *([_cell(cell) for cell in row] for row in rows)]
    needed = sum(max(map(_longest_word, column)) for column in zip(*lines, strict=True)) + 3 * len(columns)
    if needed <= width or len(rows) >= len(columns):
        return plain_table(title, columns, rows)
    first, *others = zip(*([columns, *rows]), strict=True)
    return plain_table(title, [str(cell) for cell in first], others)


def status_table(statuses: Sequence[CollectionStatus], now: datetime) -> Table:
    """One column per collection, one row per fact: readable in any width. Rare facts are said only when true."""
    facts: list[tuple[str, Callable[[CollectionStatus], Text | str], bool]] = [  # name, how to say it, whether to
        (
            "Problem",
            lambda s: Text(s.problem or "none", style="bold red" if s.problem else ""),
            any(s.problem for s in statuses),
        ),
        ("State", lambda s: word(s.state), True),
        ("Paused", lambda s: s.paused or "no", any(s.paused is not None for s in statuses)),
        ("Version", lambda s: f"{s.version} ({age(s.committed_at, now)})" if s.version else "none yet", True),
        (
            "Readers see",
            _readers_see,
            any(s.unseen is not None or s.projected_version < s.version for s in statuses),
        ),
        (
            "HEAD went back",
            lambda s: Text(s.went_back or "no", style="bold red" if s.went_back else ""),
            any(s.went_back is not None for s in statuses),
        ),
        ("Records", lambda s: number(s.records), True),
        (
            "Fresh records",
            lambda s: f"{number(s.fresh_records)} in {count_of(s.segments, 'segment')}" if s.fresh_records else "none",
            any(s.fresh_records for s in statuses),
        ),
        ("Pending receipts", lambda s: number(s.pending), True),
        ("Behind by", lambda s: duration(s.behind_seconds) if s.pending else "nothing", True),
        ("Quarantined runs", lambda s: number(s.quarantined), True),
        ("Lease", lambda s: _lease(s, now), True),
        (
            "Another round",
            lambda s: "asked for" if s.rerun is not None else "no",
            any(s.rerun is not None for s in statuses),
        ),
        ("Fencing token", lambda s: number(s.fence), True),
        ("Shards", lambda s: number(s.shards), True),
        ("Last execution", lambda s: _last(s.last_execution, now), True),
    ]
    table = new_table("")
    table.add_column("")
    for status in statuses:
        table.add_column(Text(status.collection), overflow="fold")
    for name, say, worth_saying in facts:
        if worth_saying:
            table.add_row(name, *(_text(say(status)) for status in statuses))
    return table


def history_table(rows: Sequence["Listed"], now: datetime, *, width: int) -> Table:
    """Newest first. The name tells collection and trigger; a wide terminal gets the modes and the causes too, a narrow
    one not even how long they took."""
    wide, narrow = width >= WIDE, width < NARROW
    table = new_table("", narrow=narrow)
    table.add_column("Execution", no_wrap=True)
    table.add_column("Result", overflow="fold")
    if wide:
        table.add_column("Mode", no_wrap=True)
    for name in ("Version", "Started", *(() if narrow else ("Took",))):
        table.add_column(name, justify="right", no_wrap=True)
    if wide:
        table.add_column("Cause", overflow="fold")
    for row in rows:
        execution, result = row.execution, _result(row.execution)
        if row.healed_by is not None:
            result.append(" (healed)", style="default not bold")
        cells: list[RenderableType] = [Text(short_name(execution.name)), result]
        cells += [Text(execution.mode or "-")] if wide else []
        cells += [number(execution.version), age(execution.started_at, now)]
        cells += [] if narrow else [duration(execution.seconds(now))]
        cells += [Text(cause_text(execution.cause))] if wide else []
        table.add_row(*cells)
    return table


def execution_line(execution: Execution, now: datetime) -> Text:
    """What became of one execution, in a line."""
    line = Text.assemble(f"{short_name(execution.name)}: ", word(execution.result))
    if execution.version is not None:
        line.append(f" version {execution.version}")
    return line.append(f" after {duration(execution.seconds(now))}")


def preview_table(preview: PlanPreview) -> Table:
    """What a compaction would do now, without doing it."""
    facts: list[tuple[str, object]] = [
        ("Base version", preview.base_version or "none yet"),
        ("Next version", preview.version if preview.version is not None else "none: nothing is pending"),
        ("Receipts", len(preview.receipts)),
        ("Runs", preview.runs),
        ("Shards touched", len(preview.shards)),
        ("More in later rounds", preview.more),
    ]
    if preview.wait_seconds > 0:
        facts.append(("Waits for the interval", duration(preview.wait_seconds)))
    return plain_table(f"A compaction of {preview.collection} would merge", ("", ""), facts)


def answer_table(answer: "Answer", *, width: int) -> Table:
    """The nearest records, best first. Under 100 columns ids are short and shards left out, in a narrow terminal labels
    too; `--json` has all."""
    narrow = width < NARROW
    table = new_table(f"{answer.collection}, version {answer.version}", narrow=narrow)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("Distance", justify="right", no_wrap=True)
    table.add_column("Document", overflow="fold")
    table.add_column("Merchant", overflow="fold")
    if not narrow:
        table.add_column("Labels", overflow="fold")
    if width >= WIDE:
        table.add_column("Shard", justify="right", no_wrap=True)
    table.add_column("Record", overflow="fold", no_wrap=width < WIDE)
    for hit in answer.hits:
        table.add_row(
            str(hit.rank),
            f"{hit.distance:.3f}",
            Text(hit.document or "-"),
            Text(hit.merchant or "-"),
            *(() if narrow else (Text(", ".join(hit.labels) or "-"),)),
            *([str(hit.shard), Text(hit.id)] if width >= WIDE else [Text(short_record(hit.id))]),
        )
    return table


def embedded_line(answer: "Answer") -> Text | None:
    """Which embedder made a text a vector, and whether it is the collection's; None for a question by vector."""
    if answer.embedder is None:
        return None
    line = Text(f"Embedded by {answer.embedder}")
    if answer.nearness is None:
        return line.append("; no record here has a text to compare it by.")
    line.append(f", which comes as near as {answer.nearness:.2f} to these records' vectors (1 is the same)")
    return line.append("." if answer.nearness >= NEAR else ": they are hardly of its making.")


def new_table(title: str, *, narrow: bool = False) -> Table:
    """An empty table in the style of all; a narrow one has one column less between two."""
    padding = (0, 1, 0, 0) if narrow else (0, 1)
    table = Table(title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=padding)
    if title:
        table.title = Text(title, style="bold")
        table.min_width = cell_len(title) + 2  # or the title would be folded to the width of a small table
    return table


def _readers_see(status: CollectionStatus) -> Text:
    if status.unseen is not None:
        return Text(status.unseen.removeprefix("readers see "), style="bold red")
    return Text(f"version {status.projected_version}")


def _lease(status: CollectionStatus, now: datetime) -> str:
    if status.holder is None:
        return "free"
    since = status.holder_since or now
    return f"{short_name(name_of(status.holder))} (for {duration(round((now - since).total_seconds()))})"


def _last(execution: Execution | None, now: datetime) -> Text:
    if execution is None:
        return Text("none yet")
    return Text.assemble(word(execution.result), f" ({age(execution.started_at, now)})")


def _result(execution: Execution) -> Text:
    result = word(execution.result)
    if execution.error and execution.result != FENCED:
        result.append(f": {execution.error}", style="default not bold")
    return result


def _text(value: Text | str) -> Text:
    return value if isinstance(value, Text) else Text(value)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _longest_word(text: str) -> int:
    return max((min(cell_len(part), _WORD_WIDTH) for part in text.split()), default=1)


def _is_number(text: str) -> bool:
    return text == "-" or text.replace(",", "").replace(".", "", 1).removeprefix("-").isdigit()

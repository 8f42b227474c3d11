"""Deltas as tables, readable at 60 columns."""

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from console.cli.tables import new_table
from operate.wording import count_of, number, short_receipt, short_record

if TYPE_CHECKING:
    from receipt_chroma.records import Record

    from operate.checked_deltas import CheckedDelta

_TEXT = 60


def checked_table(found: Sequence["CheckedDelta"]) -> Table:
    """A column for each delta, a row for each fact."""
    table = new_table("")
    table.add_column("")
    for one in found:
        table.add_column(one.belongs.collection or "-", overflow="fold")
    table.add_row("Receipt", *(_receipt(one) for one in found))
    table.add_row("Records", *(number(one.records) for one in found))
    table.add_row("Dimension", *(number(one.belongs.dimension) for one in found))
    table.add_row("A merge", *(_verdict(one) for one in found))
    if any(one.brings is not None for one in found):
        table.add_row("Would bring", *(number(one.brings) for one in found))
    return table


def rows_table(one: "CheckedDelta", limit: int) -> Table:
    """The first rows, in their order."""
    table = new_table(f"{one.belongs.collection or 'delta'}, receipt {_receipt(one)}")
    table.add_column("Record", no_wrap=True)
    table.add_column("Document", overflow="fold")
    table.add_column("Metadata", overflow="fold")
    table.add_column("Norm", justify="right", no_wrap=True)
    for row in one.rows[:limit]:
        table.add_row(
            Text(short_record(row.id)),
            Text("-" if row.document is None else _cut(row.document)),
            Text(_cut(json.dumps(row.metadata, ensure_ascii=False, default=str)) if row.metadata else "-"),
            f"{norm(row):.3f}",
        )
    return table


def verdict(one: "CheckedDelta") -> Text:
    """What a merge would do with it, in a line."""
    what = Text.assemble(f"{count_of(one.records or 0, 'record')}; a merge ", _verdict(one))
    return what.append(f": {one.message}", style="default not bold") if one.message else what


def norm(row: "Record") -> float:
    """The length of a record's vector."""
    return math.hypot(*map(float, row.embedding))


def _verdict(one: "CheckedDelta") -> Text:
    return (
        Text("takes it", style="green") if one.error is None else Text(f"refuses it as {one.error}", style="bold red")
    )


def _receipt(one: "CheckedDelta") -> Text:
    receipt = one.belongs.receipt
    return Text(short_receipt(receipt.image_id, receipt.receipt_id) if receipt else "-")


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT else f"{text[: _TEXT - 1]}…"

"""What differs between two versions as tables, readable at 80 columns."""

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from console.cli.tables import WIDE, new_table, plain_table
from operate.contents.models import KINDS, Comparison, RecordChange, RecordRow, Value
from operate.wording import short_record

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_LONGEST = 60


def counts_table(found: Comparison) -> Table:
    """How many records differ, and in what."""
    facts: list[tuple[str, object]] = [
        ("Added", found.added),
        ("Removed", found.removed),
        ("Changed", found.changed),
        *((f"  {name}", count) for name, count in (("document", found.documents), ("vector", found.vectors)) if count),
        *((f"  {key}", count) for key, count in found.keys.items()),
        ("Unchanged", found.unchanged),
        ("Shards", found.shards if found.across_shards is None else f"{found.older_shards}, then {found.shards}"),
        ("Shards read", found.shards - found.skipped),
    ]
    return plain_table(f"{found.collection}, from version {found.older} to version {found.newer}", ("", ""), facts)


def changes_table(found: Comparison, *, width: int) -> Table:
    """The records that are listed: `+` added, `-` removed, `~` changed and how."""
    table = new_table("")
    table.add_column("", no_wrap=True)
    table.add_column("Record", overflow="fold", no_wrap=width < WIDE)
    table.add_column("What", overflow="fold")
    for sign, record_id, what in _lines(found):
        table.add_row(sign, Text(record_id if width >= WIDE else short_record(record_id)), Text(what))
    return table


def hidden(found: Comparison) -> str:
    """`3 added, 5 changed` that the listing does not have; empty when it has all."""
    listed = {"added": found.added_records, "removed": found.removed_records, "changed": found.changed_records}
    left = ((kind, int(getattr(found, kind)) - len(listed[kind])) for kind in KINDS)
    return ", ".join(f"{count:,} {kind}" for kind, count in left if count)


def _lines(found: Comparison) -> Iterator[tuple[str, str, str]]:
    for kind, records in (("added", found.added_records), ("removed", found.removed_records)):
        for record in records:
            yield _SIGNS[kind], record.id, _content(record)
    for change in found.changed_records:
        yield _SIGNS["changed"], change.id, _change(change)


def _content(record: RecordRow) -> str:
    return _short(record.document) if record.document is not None else "-"


def _change(change: RecordChange) -> str:
    parts = [f"document {_said(change.document[0])} → {_said(change.document[1])}"] if change.document else []
    parts += ["vector"] if change.vector else []
    parts += [f"{key} {_said(old)} → {_said(new)}" for key, (old, new) in change.metadata.items()]
    return "\n".join(parts)


def _said(value: Value | None) -> str:
    if isinstance(value, list):
        return _short(", ".join(map(str, value)))
    return "-" if value is None else _short(str(value))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"

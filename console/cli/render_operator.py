"""Versions, rollbacks, expiry and quarantine as tables, readable at 60 columns."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from receipt_chroma.snapshot.manifest import MERGE, RESHARD
from receipt_dynamo_stream.control.notes import NotedReceipt
from receipt_dynamo_stream.control.quarantine import QuarantinedRun
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.texts import one_line
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from console.cli.tables import NARROW, WIDE, new_table, plain_table
from operate.lineage import Version
from operate.models import Execution, parse_time
from operate.resharding import AT_ONCE, ReshardPlan
from operate.versions import Expiry
from operate.wording import age, cause_text, changed, duration, failure_line, number, short_name, short_receipt, size

KINDS = {RESHARD: "re-shard"}
"""How the kind of a version reads, where that is not its name."""
_SHORT_ID = 8
_ALL_OF_A_VERSION = 132
"""Columns that take a version with all that is known of it, unbroken."""


def versions_table(
    collection: str, versions: Sequence[Version], now: datetime, *, width: int, ids: bool = False
) -> Table:
    """From HEAD back. Under 132 columns there are either the executions or, with `ids`, the snapshot ids; in a narrow
    terminal neither, or the ids in place of all numbers.

    How many records are fresh is said when any are, under 100 columns in place of the size: of a version whose shards
    are bases alone, none.
    """
    wide, narrow = width >= _ALL_OF_A_VERSION, width < NARROW
    numbers, by = not (narrow and ids), wide or not (narrow or ids)
    table = new_table(collection, narrow=narrow)
    table.add_column("Version", justify="right", no_wrap=True)
    table.add_column("State", overflow="fold", min_width=len("committed"))
    fresh = numbers and any(version.segments for version in versions)
    sizes = numbers and (width >= WIDE or narrow or not fresh)
    shown = {"Records": numbers, "Fresh": fresh, "Size": sizes, "Made": True}
    for name in (name for name, is_shown in shown.items() if is_shown):
        table.add_column(name, justify="right", no_wrap=True)
    if wide:
        table.add_column("Changed", overflow="fold")
    if by:
        table.add_column("By", no_wrap=True, overflow="fold")
    if wide or ids:
        table.add_column("Snapshot", no_wrap=True)
    for version in versions:
        cells: list[RenderableType] = [str(version.version), _state(version, wide=wide)]
        cells += [number(version.records)] if numbers else []
        cells += [number(version.fresh_records) if version.segments else "-"] if fresh else []
        cells += [size(version.bytes)] if sizes else []
        cells += [age(version.made_at, now)]
        cells += [changed(version.counts)] if wide else []
        cells += [Text(short_name(version.execution) or "-")] if by else []
        cells += [version.snapshot_id] if wide or ids else []
        table.add_row(*cells)
    return table


def _state(version: Version, *, wide: bool) -> Text:
    text = Text(version.state, style="green" if version.state == "current" else "")
    if version.state == "current" and not version.readers:
        text.append(", not yet with readers")
    if version.state != "current" and version.readers:
        text.append(", readers see it")
    if version.kind not in (None, MERGE):
        text.append(f", {KINDS.get(version.kind, version.kind)}")
    if version.pinned is not None:
        text.append(f", pinned: {version.pinned}" if wide else ", pinned")
    return text


def rollback_table(collection: str, current: Version, target: Version, now: datetime) -> Table:
    """From where to where a rollback leads; what it will do is said by what is asked first."""
    difference = target.records - current.records
    facts: list[tuple[str, object]] = [
        ("From", f"version {current.version}, {current.records:,} records, {age(current.made_at, now)}"),
        ("To what was", f"version {target.version}, {target.records:,} records, {age(target.made_at, now)}"),
        ("Records", f"{difference:+,}"),
    ]
    return plain_table(f"A rollback of {collection}", ("", ""), facts)


def reshard_table(plan: ReshardPlan) -> Table:
    """What a re-shard takes, as far as the manifest tells."""
    facts: list[tuple[str, object]] = [
        ("Records", f"{plan.records:,}, of version {plan.version}"),
        ("Shards", f"{plan.shards}, then {plan.into}"),
        ("In the largest", f"about {plan.largest:,} records"),
        ("Takes", f"about {duration(plan.seconds)}, {AT_ONCE} shards at once"),
        ("Functions called", plan.functions),
        ("Read from EFS", size(plan.read_bytes)),
        ("Written to EFS", f"{size(plan.written_bytes)}, and as much to S3"),
        ("Costs", f"about ${plan.dollars:.2f}"),
        ("Memory per function", f"{size(plan.memory_bytes)}, where the largest shard is proved"),
        ("Disk per function", size(plan.disk_bytes)),
        ("Must refresh", "every reader, with its next refresh"),
    ]
    return plain_table(f"A re-shard of {plan.collection}", ("", ""), facts)


def expiry_table(collection: str, expiry: Expiry) -> Table:
    """What expiry did, or would do."""
    would = "would " if expiry.dry_run else ""
    facts: list[tuple[str, object]] = [
        (f"Versions {would + 'be ' if would else ''}marked EXPIRED", number(expiry.expired)),
        (f"Manifests {would + 'be ' if would else ''}deleted", number(expiry.manifests)),
        (f"Bases {would + 'be ' if would else ''}deleted", number(expiry.shards)),
        (f"Segments {would + 'be ' if would else ''}deleted", number(expiry.segments)),
        (f"Staging folders {would + 'be ' if would else ''}deleted", number(expiry.staging)),
        ("Bytes on EFS and S3", size(expiry.bytes)),
    ]
    if expiry.archived:
        facts.append((f"Rows {would + 'be ' if would else ''}moved to the archive", number(expiry.archived)))
    if expiry.unremovable:
        facts.append(("Could not be deleted", number(expiry.unremovable)))
        facts += [("", Text(one)) for one in expiry.named]
    if expiry.more:
        facts.append(("Not at the end yet", Text("expire again: a table of many rows is worked off in parts")))
    return plain_table(f"Expiry of {collection}{' (dry run)' if expiry.dry_run else ''}", ("", ""), facts)


def no_expiry_line(execution: Execution) -> str:
    """Why an execution of mode expire has no answer."""
    if execution.status != "succeeded":
        return failure_line(execution)
    return f"{short_name(execution.name)} did not get to expiry: it ended {execution.result}"


def quarantine_table(collection: str, runs: Sequence[QuarantinedRun], now: datetime, *, width: int) -> Table:
    """The runs that wait for a person. A narrow terminal gets enough of their ids to give them back."""
    return _runs_table(
        collection,
        [(run.run_id, run.receipt, run.quarantined_at, f"{run.error}: {cause_text(run.message)}") for run in runs],
        now,
        width=width,
    )


def notes_table(collection: str, receipts: Sequence[NotedReceipt], now: datetime, *, width: int) -> Table:
    """The runs that have a note, and how many more of a receipt have one."""
    rows = []
    for one in receipts:
        rows += [(run.run_id, one.receipt, run.noted_at, f"{run.note}: {run.message}") for run in one.runs]
        if one.more:
            rows.append(("", one.receipt, "", f"{number(one.more)} more runs have a note"))
    return _runs_table(f"{collection}: notes", rows, now, width=width)


def _runs_table(title: str, rows: Iterable[tuple[str, ReceiptId, str, str]], now: datetime, *, width: int) -> Table:
    table = new_table(title)
    table.add_column("Run", no_wrap=True)
    table.add_column("Receipt", no_wrap=True)
    table.add_column("Since", justify="right", no_wrap=True)
    table.add_column("Why", overflow="fold")
    for run_id, receipt, since, why in rows:
        table.add_row(
            Text(one_line(run_id if width >= WIDE else run_id[:_SHORT_ID])),
            Text(short_receipt(receipt.image_id, receipt.receipt_id)),
            age(parse_time(since), now),
            Text(why),
        )
    return table

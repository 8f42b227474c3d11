"""An independent check of a published snapshot: every record derived anew from the table and the deltas, and compared.

It shares no code with the packages it checks, reads states of runs only to check them, and decides by itself which
deltas are corrupt. It is slow and simple on purpose.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.demo.naive.deltas import Records, Refused, read_run
from local.demo.naive.metadata import line_metadata, word_metadata
from local.demo.naive.published import NaiveRecord, read_published
from local.demo.naive.table import Fields, TableReceipt

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass
class Expected:
    """What a collection must hold. `refused`: run id -> why; `problems`: states of runs that contradict the deltas."""

    records: Records = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Verdict:
    """Published against expected. `differences` has one line for everything that is wrong; empty means equal."""

    collection: str
    version: int
    records: int
    expected_records: int
    refused: dict[str, str]
    differences: tuple[str, ...]

    @property
    def equal(self) -> bool:
        return not self.differences


def check_collection(
    receipts: Iterable[TableReceipt],
    s3: S3Client,
    *,
    bucket: str,
    efs: Path,
    collection: str,
    dimension: int,
    exported: Path | None = None,
    generation: str | None = None,
) -> Verdict:
    """Compare what `efs` publishes of a collection with what the table and the deltas say it must be.

    `receipts`: what `scan_receipts` found. exported: an export of the current version, a plain Chroma directory;
    without it the shards themselves are read. generation: a later one of the collection, into which all runs of the
    receipts belong that are given. Raises PublishedDamaged when the files contradict each other.
    """
    published = read_published(efs, generation or collection, exported)
    expected = expect(receipts, s3, bucket=bucket, collection=collection, dimension=dimension)
    differences = [*expected.problems, *compare(expected.records, published.records)]
    if published.manifest["records"] != len(published.records):
        differences.append(f"the manifest counts {published.manifest['records']} records, its shards hold "
                           f"{len(published.records)}")  # fmt: skip
    return Verdict(
        generation or collection,
        published.version,
        len(published.records),
        len(expected.records),
        expected.refused,
        tuple(differences),
    )


def expect(receipts: Iterable[TableReceipt], s3: S3Client, *, bucket: str, collection: str, dimension: int) -> Expected:
    """Every record that a collection must hold, derived from nothing."""
    expected = Expected()
    for receipt in receipts:
        _expect_receipt(expected, receipt, s3, bucket, collection, dimension)
    return expected


def _expect_receipt(
    expected: Expected, receipt: TableReceipt, s3: S3Client, bucket: str, collection: str, dimension: int
) -> None:
    if receipt.fields is None:
        return
    merged: Records = {}
    for run in sorted(receipt.runs.values(), key=lambda run: (run["created_at"], run["run_id"])):
        if run["created_at"] < receipt.fields["timestamp_added"]:
            continue  # announced for an earlier receipt of the same id
        prefix = run.get(f"{collection}_delta_prefix")
        try:
            merged |= read_run(s3, bucket, prefix, collection, receipt.prefix, dimension)
        except Refused as refusal:
            expected.refused[run["run_id"]] = str(refusal)
        expected.problems += _state_problems(run, collection, expected.refused.get(run["run_id"]))
    for record_id, record in merged.items():
        metadata = _metadata(receipt, record_id, record.metadata)
        if metadata is not None:
            expected.records[record_id] = NaiveRecord(record.vector, record.document, metadata)


def _metadata(receipt: TableReceipt, record_id: str, delta: dict[str, Any]) -> dict[str, Any] | None:
    """The record's metadata, or None where the table no longer has what the record is about."""
    rest = record_id.removeprefix(receipt.prefix).split("#")  # LINE, line, and for a word WORD, word
    line = int(rest[1])
    if len(rest) == 2:
        return line_metadata(receipt, delta, line) if line in receipt.lines else None
    word = int(rest[3])
    return word_metadata(receipt, delta, line, word) if (line, word) in receipt.words else None


def _state_problems(run: Fields, collection: str, refused: str | None) -> list[str]:
    state, wanted = run.get(f"{collection}_state"), "FAILED" if refused else "COMPLETED"
    if state == wanted:
        return []
    why = f"its delta must be refused: {refused}" if refused else "its delta is good"
    return [f"run {run['run_id']} is {state} in {collection}, and {why}"]


def compare(expected: Records, published: Records) -> list[str]:
    """One line for every record that is missing, extra or different, in order of record id."""
    differences = []
    for record_id in sorted(expected.keys() | published.keys()):
        if record_id not in published:
            differences.append(f"{record_id} is missing")
        elif record_id not in expected:
            differences.append(f"{record_id} must not be there")
        else:
            differences += [f"{record_id}: {what}" for what in _differences(expected[record_id], published[record_id])]
    return differences


def _differences(expected: NaiveRecord, published: NaiveRecord) -> list[str]:
    found = []
    if expected.vector != published.vector:
        length, expected_length = len(published.vector) // 4, len(expected.vector) // 4
        same = length == expected_length
        found.append(f"its vector has {'other bits' if same else f'{length} dimensions, expected {expected_length}'}")
    if expected.document != published.document:
        found.append(f"its document is {published.document!r}, expected {expected.document!r}")
    for key in sorted(expected.metadata.keys() | published.metadata.keys()):
        wanted, seen = expected.metadata.get(key), published.metadata.get(key)
        if not _same(wanted, seen):
            found.append(f"its {key} is {seen!r}, expected {wanted!r}")
    return found


def _same(wanted: object, seen: object) -> bool:
    """Equal in type and value. Chroma gives one double in three back a last place off: 15 digits of a float count."""
    if type(wanted) is not type(seen):
        return False
    if isinstance(wanted, list) and isinstance(seen, list):
        return len(wanted) == len(seen) and all(map(_same, wanted, seen))
    if isinstance(wanted, float) and isinstance(seen, float):
        return math.isclose(wanted, seen, rel_tol=1e-14)
    return bool(wanted == seen)

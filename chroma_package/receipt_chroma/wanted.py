"""What a receipt's records should be: one pure function of its deltas and its facts.

The current snapshot is no input, with one exception: when the delta of a COMPLETED run can no longer be read, nobody
but the snapshot knows the records that it brought, and `Wanted.kept` are those.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Final

from receipt_dynamo_stream import names
from receipt_dynamo_stream.facts import ReceiptFacts, RunFact
from receipt_dynamo_stream.keys import parse_record_id
from receipt_dynamo_stream.times import instant

from receipt_chroma.derived import DerivedMetadata
from receipt_chroma.errors import RunTimeInvalid
from receipt_chroma.records import Record


class Gone(Enum):
    """Why a run has no records."""

    VANISHED = "vanished"


VANISHED: Final = Gone.VANISHED
"""In place of records: the run is COMPLETED, and its delta is gone or cannot be read any more."""


@dataclass(frozen=True)
class RunDelta:
    """A run and the records of its delta in one collection."""

    run: RunFact
    records: Sequence[Record] | Gone


@dataclass(frozen=True)
class Wanted:
    """The records that the readable deltas give, by id, and which run each one's vector comes from.

    left_out: by run, the ids in its delta whose word or line is not there, sorted.
    """

    records: Mapping[str, Record]
    sources: Mapping[str, str]
    left_out: Mapping[str, Sequence[str]]
    _vanished: bool
    _covered: frozenset[str]  # ids in readable deltas newer than every vanished one
    _derived: DerivedMetadata

    @property
    def needs_existing(self) -> bool:
        """Whether `kept` looks at what exists: a delta is not there any more whose run was merged."""
        return self._vanished

    def resolve(self, existing: Mapping[str, Record]) -> dict[str, Record]:
        """The records that the receipt should have; `existing` are those that the snapshot has of it."""
        return {**self.records, **self.kept(existing)}

    def kept(self, existing: Mapping[str, Record]) -> dict[str, Record]:
        """Those of the existing records that stay because a vanished delta may have brought them: none without one.

        A record whose word or line is still there stays with its vector, document and own metadata, unless a newer
        readable delta has its id: the vanished delta may also have replaced what an older readable one says.
        """
        return {
            record_id: kept
            for record_id, record in (existing.items() if self._vanished else ())
            if record_id not in self._covered and (kept := _derive(self._derived, record)) is not None
        }

    def replaces(self, vectors: int) -> bool:
        """Whether the newest readable deltas bring so many records that a vanished run with this number of vectors
        may have been replaced by them."""
        return len(self._covered) >= max(1, vectors)


def run_order(run: RunFact) -> tuple[datetime, str]:
    """Key that sorts runs: (created_at, run_id), last wins. Raises RunTimeInvalid."""
    moment = instant(run.created_at)
    if moment is None:
        raise RunTimeInvalid(f"run {run.run_id}: created_at {run.created_at!r} is not an ISO-8601 time")
    return moment, run.run_id


def is_eligible(run: RunFact, facts: ReceiptFacts) -> bool:
    """False for a FAILED run and for one older than the receipt: it belongs to an earlier receipt of that id.

    Raises RunTimeInvalid.
    """
    return run.state != names.FAILED and not is_too_old(run, facts)


def is_too_old(run: RunFact, facts: ReceiptFacts) -> bool:
    """Whether a run was announced before its receipt was added. Raises RunTimeInvalid."""
    added = instant(facts.timestamp_added)
    return added is not None and run_order(run)[0] < added


def wanted_records(deltas: Iterable[RunDelta], facts: ReceiptFacts, collection: str) -> Wanted:
    """Overlay the deltas of a receipt's runs by (created_at, run_id), drop what no longer exists, derive metadata.

    The order of `deltas` does not matter; runs that are not eligible are ignored. Raises RunTimeInvalid for a run
    without a readable time and DeltaMetadataInvalid for a malformed row_line_ids (read_delta refuses such a delta
    before).
    """
    derived = DerivedMetadata(facts, collection)
    left_out: dict[str, Sequence[str]] = {}
    overlay: dict[str, tuple[Record, str]] = {}
    covered: set[str] = set()
    vanished = False
    eligible = [delta for delta in deltas if is_eligible(delta.run, facts)]
    for delta in sorted(eligible, key=lambda delta: run_order(delta.run)):
        if isinstance(delta.records, Gone):
            vanished = True
            covered.clear()
            continue
        left_out[delta.run.run_id] = sorted(
            record.id for record in delta.records if not derived.exists(parse_record_id(record.id))
        )
        for record in delta.records:
            overlay[record.id] = (record, delta.run.run_id)
            covered.add(record.id)
    records = {record_id: kept for record_id, (record, _) in overlay.items() if (kept := _derive(derived, record))}
    return Wanted(
        records=records,
        sources={record_id: overlay[record_id][1] for record_id in records},
        left_out=left_out,
        _vanished=vanished,
        _covered=frozenset(covered),
        _derived=derived,
    )


def _derive(derived: DerivedMetadata, record: Record) -> Record | None:
    """The record with its derived metadata, or None when its word or line is gone."""
    record_id = parse_record_id(record.id)
    if not derived.exists(record_id):
        return None
    return replace(record, metadata=derived.apply(record_id, record.metadata))

"""Reading the deltas of a receipt's runs, and what is said of those that cannot be read.

A run that is not COMPLETED is refused. What a COMPLETED one brought is published, and stays as the snapshot has it: the
run gets a note that says why its delta is not read any more. It is refused only where nothing of it is there.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from receipt_dynamo_stream import names
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.facts import ReceiptFacts, RunFact
from receipt_dynamo_stream.round.plan import Plan
from receipt_dynamo_stream.round.report import Note, Refusal
from receipt_dynamo_stream.runs import DeltaLocation, delta_location
from receipt_dynamo_stream.texts import one_line

from receipt_chroma.delta.bounds import MAX_DELTA_BYTES
from receipt_chroma.delta.objects import LargerThanAsked
from receipt_chroma.delta.read import Fetched, decode_delta, fetch_delta
from receipt_chroma.errors import (
    DeltaMissing,
    DeltaPrefixForbidden,
    DeltaPrefixMissing,
    DeltaRefused,
    RunTimeInvalid,
)
from receipt_chroma.records import Record
from receipt_chroma.wanted import VANISHED, RunDelta, Wanted, is_eligible, run_order, wanted_records

logger = logging.getLogger(__name__)

OLDER_THAN_RECEIPT: Final = "OlderThanReceipt"
RECORDS_LEFT_OUT: Final = "RecordsLeftOut"
"""Names of notes, beside those of the errors."""


@dataclass(frozen=True)
class DeltaSource:
    """Where deltas are read from: the bucket of plain prefixes, and others that a run may name."""

    bucket: Bucket
    collection: str
    delta_buckets: tuple[str, ...] = ()

    def read(
        self, facts: ReceiptFacts, run: RunFact, dimension: int | None, fetched: Fetched | None = None
    ) -> list[Record]:
        """The checked records of one run, whose files may be fetched already. Raises subclasses of DeltaRefused."""
        form, files = fetched or self._fetch(run, MAX_DELTA_BYTES)
        return decode_delta(form, files, collection=self.collection, receipt=facts.receipt, dimension=dimension)

    def fetch_ahead(self, facts: ReceiptFacts, most: int) -> dict[str, Fetched]:
        """The files of the receipt's runs, by their ids, up to so many bytes. What is larger, or refused, is left to
        `read`. Raises what may work later."""
        found: dict[str, Fetched] = {}
        for run in facts.runs if facts.exists else ():
            with suppress(DeltaRefused, LargerThanAsked):
                if is_read(run, facts):
                    found[run.run_id] = self._fetch(run, most)
                    most -= sum(map(len, found[run.run_id][1].values()))
        return found

    def _fetch(self, run: RunFact, most: int) -> Fetched:
        location = delta_location(run.delta_prefix, self.bucket.name)
        self._check(location)
        return fetch_delta(replace(self.bucket, name=location.bucket), location.prefix, most)

    def _check(self, location: DeltaLocation) -> None:
        """Raise DeltaPrefixForbidden where no delta may lie: an empty name is DeltaPrefixMissing's."""
        if location.bucket == self.bucket.name:
            if location.is_of_the_pipeline:
                raise DeltaPrefixForbidden(
                    f"the run's prefix {location.prefix[:200]!r} is a place that the pipeline writes"
                )
        elif location.bucket and location.bucket not in self.delta_buckets:
            raise DeltaPrefixForbidden(
                f"the run's prefix is in the bucket {location.bucket[:100]!r}: deltas are read from {self.bucket.name}"
                " and from those that the deployment's delta_buckets name"
            )


@dataclass(frozen=True)
class WantedReceipt:
    """What a receipt's records should be, the runs that were read with their vectors, the refused ones, and notes.

    unread: the COMPLETED runs whose delta cannot be read any more, and why.
    """

    facts: ReceiptFacts
    wanted: Wanted
    runs: dict[str, int]
    refusals: tuple[Refusal, ...]
    notes: tuple[Note, ...]
    unread: tuple[tuple[RunFact, DeltaRefused], ...]

    def said(self, kept: Mapping[str, Record]) -> tuple[list[Refusal], list[Note]]:
        """Every refusal and note, once it is known which records the snapshot `kept`: of an unread run nothing is said
        when its delta is gone and its records are there."""
        refusals, notes = list(self.refusals), list(self.notes)
        for run, error in self.unread:
            name, is_gone = type(error).__name__, isinstance(error, DeltaMissing | DeltaPrefixMissing)
            is_published = bool(kept) or self.wanted.replaces(run.merged)
            if is_published and not is_gone:
                message = f"{error}; what is published of it stays"
                notes.append(Note(self.facts.receipt, run.run_id, name, message))
            elif is_gone and not is_published:
                message = f"{error}, and nothing of it is in the snapshot: upload it as a new run"
                notes.append(Note(self.facts.receipt, run.run_id, name, message))
            elif not is_published:
                refusals.append(Refusal(self.facts.receipt, run.run_id, name, str(error)))
        return refusals, notes


def is_read(run: RunFact, facts: ReceiptFacts) -> bool:
    """Whether a run counts; without a place in the order nothing is read. Raises RunTimeInvalid."""
    return is_eligible(run, facts) and bool(run_order(run))


def want_receipt(
    source: DeltaSource,
    facts: ReceiptFacts,
    dimension: int | None,
    fetched: Mapping[str, Fetched] = MappingProxyType({}),
) -> WantedReceipt:
    """Read the deltas of a receipt's runs and overlay them; a refused run is left out and named.

    fetched: what DeltaSource.fetch_ahead has of them already.

    The number of a run's vectors counts the wanted records whose vector is that run's: a record that a newer run brings
    again counts for the newer one. No delta of a receipt that is gone is read.
    """
    deltas: list[RunDelta] = []
    refusals: list[Refusal] = []
    notes: list[Note] = []
    unread: list[tuple[RunFact, DeltaRefused]] = []
    for run in facts.runs if facts.exists else ():
        try:
            if is_read(run, facts):
                deltas.append(RunDelta(run, source.read(facts, run, dimension, fetched.get(run.run_id))))
            elif run.state != names.FAILED:
                notes.append(_older(facts, run))
        except DeltaRefused as error:
            if run.state == names.COMPLETED and not isinstance(error, RunTimeInvalid):
                deltas.append(RunDelta(run, VANISHED))
                unread.append((run, error))
            else:
                logger.warning("delta refused", extra={"run_id": run.run_id, "error": type(error).__name__})
                refusals.append(Refusal(facts.receipt, run.run_id, type(error).__name__, str(error)))
    wanted = wanted_records(deltas, facts, source.collection)
    notes += [_left_out(facts, run_id, ids) for run_id, ids in wanted.left_out.items() if ids]
    counts = {delta.run.run_id: 0 for delta in deltas if delta.records is not VANISHED}
    for run_id in wanted.sources.values():
        counts[run_id] += 1
    return WantedReceipt(facts, wanted, counts, tuple(refusals), tuple(notes), tuple(unread))


def _older(facts: ReceiptFacts, run: RunFact) -> Note:
    return Note(
        facts.receipt,
        run.run_id,
        OLDER_THAN_RECEIPT,
        f"its created_at {run.created_at} is before the receipt's timestamp_added {facts.timestamp_added}, so it is of"
        " an earlier receipt with that id, and is not merged: announce it again as a new run",
    )


def _left_out(facts: ReceiptFacts, run_id: str, ids: Sequence[str]) -> Note:
    return Note(
        facts.receipt,
        run_id,
        RECORDS_LEFT_OUT,
        f"{len(ids)} of its records are not in the snapshot, since their word or line is not in the table, such as"
        f" {one_line(ids[0][:200])}: each comes in when its item is written",
    )


def first_dimension(source: DeltaSource, plan: Plan) -> int | None:
    """The dimension of a collection that has none yet: that of the plan's first readable run with records.

    First by (created_at, run_id) over the whole plan, so that every shard of a round decides alike. None when there
    is none.
    """
    for facts, run in sorted(_first_candidates(plan), key=lambda pair: run_order(pair[1])):
        try:
            records = source.read(facts, run, None)
        except DeltaRefused:
            continue
        if records:
            return len(records[0].embedding)
    return None


def _first_candidates(plan: Plan) -> Iterable[tuple[ReceiptFacts, RunFact]]:
    for planned in plan.receipts:
        for run in planned.facts.runs if planned.facts.exists else ():
            try:
                if is_read(run, planned.facts):
                    yield planned.facts, run
            except RunTimeInvalid:
                continue  # the receipt's own merge refuses the run by name

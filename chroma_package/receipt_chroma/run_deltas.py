"""Reading the deltas of a receipt's runs, and what is said of those that cannot be read."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from receipt_dynamo_stream import names
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.facts import ReceiptFacts, RunFact
from receipt_dynamo_stream.round.plan import Plan
from receipt_dynamo_stream.round.report import Refusal
from receipt_dynamo_stream.runs import DeltaLocation, delta_location

from receipt_chroma.delta.read import read_delta
from receipt_chroma.errors import (
    DeltaMissing,
    DeltaNotGiven,
    DeltaPrefixForbidden,
    DeltaPrefixMissing,
    DeltaRefused,
    DeltaTooLarge,
    RunTimeInvalid,
)
from receipt_chroma.records import Record
from receipt_chroma.wanted import VANISHED, RunDelta, Wanted, is_eligible, run_order, wanted_records

logger = logging.getLogger(__name__)

NOT_READ_ANY_MORE: Final = (DeltaMissing, DeltaNotGiven, DeltaPrefixForbidden, DeltaPrefixMissing, DeltaTooLarge)
"""Refusals that say nothing of a delta's content: it is gone, or a newer release or deployment has narrower bounds. The
records that a COMPLETED run brought stay then as the snapshot has them."""


@dataclass(frozen=True)
class DeltaSource:
    """Where deltas are read from: the bucket of plain prefixes, and others that a run may name."""

    bucket: Bucket
    collection: str
    delta_buckets: tuple[str, ...] = ()

    def read(self, facts: ReceiptFacts, run: RunFact, dimension: int | None) -> list[Record]:
        """The checked records of one run. Raises subclasses of DeltaRefused."""
        location = delta_location(run.delta_prefix, self.bucket.name)
        self._check(location)
        return read_delta(
            replace(self.bucket, name=location.bucket),
            location.prefix,
            collection=self.collection,
            receipt=facts.receipt,
            dimension=dimension,
        )

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
    """What a receipt's records should be, the runs that were read with their vectors, and the refused ones."""

    facts: ReceiptFacts
    wanted: Wanted
    runs: dict[str, int]
    refusals: tuple[Refusal, ...]


def want_receipt(source: DeltaSource, facts: ReceiptFacts, dimension: int | None) -> WantedReceipt:
    """Read the deltas of a receipt's runs and overlay them; a refused run is left out and named.

    The number of a run's vectors counts the wanted records whose vector is that run's: a record that a newer run brings
    again counts for the newer one. No delta of a receipt that is gone is read.
    """
    deltas: list[RunDelta] = []
    refusals: list[Refusal] = []
    for run in facts.runs if facts.exists else ():
        try:
            if is_eligible(run, facts):
                deltas.append(_read_run(source, facts, run, dimension))
        except DeltaRefused as error:
            logger.warning("delta refused", extra={"run_id": run.run_id, "error": type(error).__name__})
            refusals.append(Refusal(facts.receipt, run.run_id, type(error).__name__, str(error)))
    wanted = wanted_records(deltas, facts, source.collection)
    counts = {delta.run.run_id: 0 for delta in deltas if delta.records is not VANISHED}
    for run_id in wanted.sources.values():
        counts[run_id] += 1
    return WantedReceipt(facts, wanted, counts, tuple(refusals))


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
                if is_eligible(run, planned.facts) and run_order(run):
                    yield planned.facts, run
            except RunTimeInvalid:
                continue  # the receipt's own merge refuses the run by name


def _read_run(source: DeltaSource, facts: ReceiptFacts, run: RunFact, dimension: int | None) -> RunDelta:
    run_order(run)  # a run without a place in the order is refused before anything is read
    try:
        return RunDelta(run, source.read(facts, run, dimension))
    except NOT_READ_ANY_MORE as error:
        if run.state == names.COMPLETED:
            if not isinstance(error, DeltaMissing | DeltaPrefixMissing):
                logger.warning("a merged delta is not read any more", extra={"run_id": run.run_id, "error": str(error)})
            return RunDelta(run, VANISHED)
        raise

"""Settle what a round merged: tell the producers, then forget the pending receipts."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from receipt_dynamo_stream import names
from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.control.pending import WORKERS
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.invariants import no_change_lost
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.retry import transient_errors
from receipt_dynamo_stream.round.brought import brought_by, merged_runs
from receipt_dynamo_stream.round.noting import write_notes
from receipt_dynamo_stream.round.plan import ALONE, ONE_RUN, SUSPECTS, WITHOUT, Plan
from receipt_dynamo_stream.round.report import Refusal, ShardReport
from receipt_dynamo_stream.runs import RunStates, settle_order

EASED_FROM: Final = 2
"""The round of an execution from which a merge of suspects tells that an outage is over: it is the third in a row that
succeeded. Sooner, several guilty ones would be brought together again and again."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Settled:
    """Receipts settled and kept (marked again since, or settled before); runs COMPLETED now, quarantined by it, and
    with a note that is new."""

    settled: int
    kept: int
    completed_runs: int
    failed_runs: int
    noted_runs: int = 0


def settle_changes(
    control: ControlTable,
    *,
    receipts_table: str,
    plan: Plan,
    reports: Sequence[ShardReport],
    pointer: Pointer | None,
    now: str,
) -> Settled:
    """Write back what the reports of a plan say, and settle the plan's receipts; may run twice, and late.

    Runs, quarantine and notes come first and pending receipts last: after a crash in between, the receipts are still
    pending and everything is done again. Every write carries a condition that a late duplicate fails: the token of the
    plan for a receipt, the order of the round for a run, its note and its place in quarantine, the candidate state for
    the VERSION row (written when pointer is given: the snapshot that this round published). Receipts of a shard that
    has no report stay pending. So does one that was merged without its new runs, whose next failure counts from now on,
    and one that was merged with the oldest of them, whose turn ends.

    Raises TransientServiceError, InvariantViolated before anything is written, other errors of AWS as they are.
    """
    _check_kept(plan, reports, pointer)
    order = settle_order(plan.fence, plan.round)
    seen = pointer or plan.base
    version = seen.version if seen else None
    runs = RunStates(control.client, receipts_table, plan.collection)
    quarantine, pending = control.quarantine(plan.collection), control.pending(plan.collection)

    def complete(merged: tuple[ReceiptId, str, int]) -> bool:
        receipt, run_id, vectors = merged
        state = runs.complete(receipt, run_id, merged_vectors=vectors, version=version, now=now, order=order)
        return state == names.COMPLETED

    def refuse(refusal: Refusal) -> bool:
        receipt, run_id, error, message = refusal.receipt, refusal.run_id, refusal.error, refusal.message
        failing = runs.failing(receipt, run_id, error=f"{error}: {message}", now=now, order=order)
        return quarantine.put(run_id, receipt, error, message, now, order=order, failing=failing)

    refusals = [refusal for report in reports for refusal in report.refusals]
    reported = {report.shard for report in reports}
    planned = [one for one in plan.receipts if one.shard in reported]
    with transient_errors():
        completed_runs = sum(_parallel(complete, merged_runs(reports)))
        failed_runs = sum(_parallel(refuse, refusals))
        if pointer is not None:
            versions = control.versions(plan.collection)
            versions.mark_committed(pointer.snapshot_id, committed_at=now, brought=brought_by(plan, reports))
        noted_runs = 0
        if plan.trial == WITHOUT:  # which says nothing of the runs that it left out
            for one in planned:
                pending.contrast(one.facts.receipt)
            planned = []
        else:
            found = [note for report in reports for note in report.notes]
            facts = [one.facts for one in planned]
            noted_runs = write_notes(control.notes(plan.collection), runs, facts, found, now=now, order=order)
        if plan.trial == ONE_RUN:
            for one in planned:
                pending.acquit_run(one.facts.receipt, order=order)
            planned = []
        settled = sum(_parallel(lambda one: pending.settle(one.facts.receipt, one.change), planned))
        if settled and plan.trial in (SUSPECTS, ALONE) and plan.round >= EASED_FROM:
            pending.ease()
    return Settled(settled, len(plan.receipts) - settled, completed_runs, failed_runs, noted_runs)


def _check_kept(plan: Plan, reports: Sequence[ShardReport], pointer: Pointer | None) -> None:
    """What is settled was merged: looked at by its shard's merge, and published where that changed the shard."""
    reported = {report.shard for report in reports}
    merged = [report for report in reports if pointer is not None or not report.changed]
    no_change_lost(
        f"settling round {plan.round} of {plan.execution}",
        {one.facts.receipt.key for one in plan.receipts},
        published={one.receipt.key for report in merged for one in report.receipts},
        pending={one.facts.receipt.key for one in plan.receipts if one.shard not in reported},
        quarantined={refusal.receipt.key for report in merged for refusal in report.refusals},
    )


def _parallel(work: Callable[[T], R], values: Sequence[T]) -> Iterable[R]:
    if len(values) <= 1:
        return [work(value) for value in values]
    with ThreadPoolExecutor(min(WORKERS, len(values)), thread_name_prefix="settle") as pool:
        return list(pool.map(work, values))

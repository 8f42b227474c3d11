"""PlanCompaction: choose pending receipts, read their facts, and write down what the round does.

The order is the protocol's: the base, then the tokens, then the facts. A token that was read after the facts could
settle a change that the facts do not have.
"""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Head, require_pointer_or_empty, snapshot_id_of
from receipt_dynamo_stream.control.pending import WORKERS, PendingReceipt, PendingReceipts
from receipt_dynamo_stream.control.quarantine import MERGE_KEEPS_FAILING
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.measuring import Measure
from receipt_dynamo_stream.read_facts import read_many_facts
from receipt_dynamo_stream.round.choosing import QUARANTINE_AFTER, bound_facts, choose_receipts, runs_to_quarantine
from receipt_dynamo_stream.round.plan import Plan, PlannedReceipt, save_plan
from receipt_dynamo_stream.runs import RunStates, settle_order
from receipt_dynamo_stream.sharding import shard_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Round:
    """A round that an execution asks for. execution is its name; attempt the Lambda request id, which is in the plan's
    key; a preview writes nothing but the plan."""

    collection: str
    execution: str
    execution_arn: str
    trigger: str
    round: int
    fence: int
    attempt: str
    preview: bool = False


@dataclass(frozen=True, kw_only=True)
class RoundBounds:
    """How much a round may do, how long after the last commit the next one comes, and how many shards a collection has
    that was never published."""

    receipts: int
    records: int
    bytes: int
    commit_interval: timedelta
    default_shards: int = 1


@dataclass(frozen=True, kw_only=True)
class PlannedRound:
    """base is what the round builds on. Without a plan nothing is pending, or wait_seconds are left of the interval.

    more: another round has work left.
    """

    base: Head
    snapshot_id: str
    plan: Plan | None = None
    plan_key: str = ""
    more: bool = False
    wait_seconds: int = 0


def plan_compaction(
    asked: Round,
    *,
    control: ControlTable,
    receipts_table: str,
    bucket: Bucket,
    bounds: RoundBounds,
    now: datetime,
    measure: Measure,
) -> PlannedRound:
    """Plan the longest waiting receipts, within the bounds, and save the plan.

    An attempt is counted for each; the runs of one whose merge keeps failing even alone are set aside. Raises
    PointerMissing when versions exist and HEAD names none of them, TransientServiceError, others of AWS as they are.
    """
    head = _read_base(control, asked.collection, bounds.default_shards)
    pending = control.pending(asked.collection)
    waiting = pending.read()
    _measure_backlog(waiting, now, measure)
    choice = choose_receipts(waiting, max_receipts=bounds.receipts)
    nothing = PlannedRound(base=head, snapshot_id=snapshot_id_of(head.version + 1, asked.fence, asked.round))
    if not choice.chosen and not choice.quarantine:
        return nothing
    if not asked.preview and (seconds := seconds_to_wait(head, bounds.commit_interval, now)):
        return replace(nothing, wait_seconds=seconds)
    if choice.quarantine and not asked.preview:
        quarantined = _quarantine_stuck(control, receipts_table, asked, choice.quarantine, now)
        measure("QuarantinedRuns", quarantined)
    planned, left = _plan_receipts(pending, receipts_table, choice.chosen, head.shards, bounds)
    if not asked.preview:
        _count_attempts(pending, planned)
    plan = Plan(
        collection=asked.collection,
        execution=asked.execution,
        execution_arn=asked.execution_arn,
        trigger=asked.trigger,
        round=asked.round,
        fence=asked.fence,
        base=head.pointer,
        snapshot_id=nothing.snapshot_id,
        shards=head.shards,
        planned_at=now.isoformat(),
        receipts=planned,
    )
    plan_key = plan.plan_key(asked.attempt)
    save_plan(bucket, plan_key, plan)
    more = choice.more or left or bool(choice.quarantine)
    return replace(nothing, plan=plan, plan_key=plan_key, more=more)


def seconds_to_wait(head: Head, interval: timedelta, now: datetime) -> int:
    """Seconds until the next commit is allowed, rounded up; 0 when it is."""
    if head.committed_at is None:
        return 0
    due = datetime.fromisoformat(head.committed_at) + interval
    return max(0, ceil((due - now).total_seconds()))


def _read_base(control: ControlTable, collection: str, default_shards: int) -> Head:
    head = control.head(collection).read()
    if head is None or head.pointer is None:
        require_pointer_or_empty(head, [row.state for row in control.versions(collection).list()])
    return head or Head(collection, shards=default_shards)


def _plan_receipts(
    pending: PendingReceipts, receipts_table: str, chosen: Sequence[PendingReceipt], shards: int, bounds: RoundBounds
) -> tuple[tuple[PlannedReceipt, ...], bool]:
    """The chosen receipts with their facts, and whether some were left for the next round because of their size."""
    tokens = {one.receipt: one for one in chosen}
    facts = read_many_facts(pending.client, receipts_table, list(tokens), pending.collection)
    receipts = [
        PlannedReceipt(
            shard=shard_of(receipt.image_id, receipt.receipt_id, shards),
            change=one.change,
            attempts=one.attempts + 1,
            first_changed_at=one.first_changed_at,
            facts=facts[receipt],
        )
        for receipt, one in tokens.items()
    ]
    return bound_facts(receipts, pending.collection, max_records=bounds.records, max_bytes=bounds.bytes)


def _count_attempts(pending: PendingReceipts, planned: Sequence[PlannedReceipt]) -> None:
    """Before the merge, since nothing runs after an execution that dies."""
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(lambda one: pending.count_attempt(one.facts.receipt, one.change), planned))


def _quarantine_stuck(
    control: ControlTable, receipts_table: str, asked: Round, stuck: Sequence[PendingReceipt], now: datetime
) -> int:
    """Set aside the runs of receipts whose merge keeps failing even alone, so that nobody waits; returns how many.

    The receipt stays pending and is planned again without them.
    """
    at, order = now.isoformat(), settle_order(asked.fence, asked.round)
    pending, quarantine = control.pending(asked.collection), control.quarantine(asked.collection)
    runs = RunStates(control.client, receipts_table, asked.collection)
    message = f"the receipt was planned {QUARANTINE_AFTER} times and never settled; see the failed executions"
    facts = read_many_facts(control.client, receipts_table, [one.receipt for one in stuck], asked.collection)
    quarantined = 0
    for one in stuck:
        for run in runs_to_quarantine(facts[one.receipt]):
            log.error("run %s of %s is set aside: %s", run.run_id, one.receipt.key, message)
            runs.fail(one.receipt, run.run_id, error=f"{MERGE_KEEPS_FAILING}: {message}", now=at, order=order)
            quarantine.put(run.run_id, one.receipt, MERGE_KEEPS_FAILING, message, at, order=order)
            quarantined += 1
        pending.forgive(one.receipt, one.change)
    return quarantined


def _measure_backlog(waiting: Sequence[PendingReceipt], now: datetime, measure: Measure) -> None:
    """How many receipts wait, and since when: the freshness that an alarm watches."""
    oldest = min((datetime.fromisoformat(one.first_changed_at) for one in waiting), default=now)
    measure("PendingReceipts", len(waiting))
    measure("OldestPendingAge", max(0.0, (now - oldest).total_seconds()), "Seconds")

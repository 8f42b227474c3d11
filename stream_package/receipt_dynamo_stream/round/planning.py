"""PlanCompaction: choose pending receipts, read their facts, and write down what the round does.

The order is the protocol's: the base, then the tokens, then the facts. A token that was read after the facts could
settle a change that the facts do not have.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from uuid import uuid4

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Head, require_pointer_or_empty, snapshot_id_of
from receipt_dynamo_stream.control.pending import PendingReceipt, PendingReceipts
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.errors import GenerationRefused
from receipt_dynamo_stream.generations import collection_of, number_of
from receipt_dynamo_stream.measuring import Measure
from receipt_dynamo_stream.read_facts import read_many_facts
from receipt_dynamo_stream.round.choosing import Choice, bound_facts, choose_receipts, tried_facts
from receipt_dynamo_stream.round.plan import ONE_RUN, Plan, PlannedReceipt, save_plan
from receipt_dynamo_stream.sharding import shard_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Round:
    """A round that an execution asks for. execution is its name; attempt the Lambda request id, which is in the plan's
    key; a preview writes nothing but the plan. deployment names the code that is deployed, "" where nothing does."""

    collection: str
    execution: str
    execution_arn: str
    trigger: str
    round: int
    fence: int
    attempt: str
    preview: bool = False
    deployment: str = ""


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

    Raises PointerMissing when versions exist and HEAD names none of them, GenerationRefused for a generation that
    nobody made, TransientServiceError, others of AWS as they are.
    """
    head = _read_base(control, asked.collection, bounds.default_shards)
    pending = control.pending(asked.collection)
    if asked.round == 0 and not asked.preview:
        _try_suspected_runs_again(control, receipts_table, asked, now)
    waiting = pending.read()
    _measure_backlog(waiting, now, measure)
    choice = choose_receipts(waiting, version=head.version, max_receipts=bounds.receipts)
    nothing = PlannedRound(base=head, snapshot_id=snapshot_id_of(head.version + 1, asked.fence, asked.round))
    if not choice.chosen:
        return nothing
    if not asked.preview and (seconds := seconds_to_wait(head, bounds.commit_interval, now)):
        return replace(nothing, wait_seconds=seconds)
    planned, left, trial = _plan_receipts(pending, receipts_table, choice, head, bounds)
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
        trial=trial,
        model=head.model,
        dimension=head.dimension,
    )
    plan_key = plan.plan_key(asked.attempt)
    save_plan(bucket, plan_key, plan)
    return replace(nothing, plan=plan, plan_key=plan_key, more=choice.more or left or trial == ONE_RUN)


def seconds_to_wait(head: Head, interval: timedelta, now: datetime) -> int:
    """Seconds until the next commit is allowed, rounded up; 0 when it is. Never more than the interval: a commit of a
    later time than now's is the word of another clock, and who waited for it would hold the lease that long."""
    if head.committed_at is None:
        return 0
    due = datetime.fromisoformat(head.committed_at) + interval
    return max(0, ceil(min(due - now, interval).total_seconds()))


def _try_suspected_runs_again(control: ControlTable, receipts_table: str, asked: Round, now: datetime) -> None:
    quarantine = control.quarantine(asked.collection)
    for run in quarantine.due(now=now, deployment=asked.deployment):
        log.info("run %s of %s is tried once more", run.run_id, run.receipt.key)
        quarantine.try_again(
            run.run_id,
            run.receipt,
            receipts_table=receipts_table,
            now=now.isoformat(),
            new_token=lambda: uuid4().hex,
        )


def _read_base(control: ControlTable, collection: str, default_shards: int) -> Head:
    head = control.head(collection).read()
    if number_of(collection) > 1 and not (head and head.model):
        raise GenerationRefused(f"{collection} was never made: `compaction renew {collection_of(collection)}` does")
    if head is None or head.pointer is None:
        require_pointer_or_empty(head, [row.state for row in control.versions(collection).list()])
    return head or Head(collection, shards=default_shards)


def _plan_receipts(
    pending: PendingReceipts, receipts_table: str, choice: Choice, head: Head, bounds: RoundBounds
) -> tuple[tuple[PlannedReceipt, ...], bool, str]:
    """The chosen receipts with their facts, whether some were left for the next round because of their size, and what
    is tried."""
    tokens = {one.receipt: one for one in choice.chosen}
    found = read_many_facts(pending.client, receipts_table, list(tokens), pending.collection, model=head.model)
    facts, trial = tried_facts(found, choice.trial)
    receipts = [
        PlannedReceipt(
            shard=shard_of(receipt.image_id, receipt.receipt_id, head.shards),
            change=one.change,
            attempts=one.attempts,
            first_changed_at=one.first_changed_at,
            facts=facts[receipt],
        )
        for receipt, one in tokens.items()
    ]
    kept, left = bound_facts(receipts, pending.collection, max_records=bounds.records, max_bytes=bounds.bytes)
    return kept, left, trial


def _measure_backlog(waiting: Sequence[PendingReceipt], now: datetime, measure: Measure) -> None:
    """How many receipts wait, and since when: the freshness that an alarm watches."""
    oldest = min((datetime.fromisoformat(one.first_changed_at) for one in waiting), default=now)
    measure("PendingReceipts", len(waiting))
    measure("OldestPendingAge", max(0.0, (now - oldest).total_seconds()), "Seconds")

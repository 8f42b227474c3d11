"""PlanCompaction: choose pending receipts, read their facts, and write down what the round does."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from receipt_dynamo_stream.control.head import Head, require_pointer_or_empty, snapshot_id_of
from receipt_dynamo_stream.control.pending import PendingReceipt, PendingReceipts
from receipt_dynamo_stream.control.quarantine import MERGE_KEEPS_FAILING
from receipt_dynamo_stream.read_facts import read_many_facts
from receipt_dynamo_stream.round.plan import Plan, PlannedReceipt, save_plan
from receipt_dynamo_stream.round.planning import QUARANTINE_AFTER, bound_facts, choose_receipts, runs_to_quarantine
from receipt_dynamo_stream.runs import RunStates, settle_order
from receipt_dynamo_stream.sharding import shard_of

from .clients import bucket, client, control_table
from .settings import settings
from .step import Event, metrics, step

log = logging.getLogger(__name__)


@step
def plan_compaction(event: Event, context: Any) -> Event:
    """{collection, mode, trigger, execution, execution_name, round, fence} -> {plan_key, receipts, more, wait_seconds,
    base_version, version, snapshot_id, shards}. Mode plan writes nothing but the plan.

    The order is the protocol's: the base, then the tokens, then the facts. A token that was read after the facts
    could settle a change that the facts do not have.
    """
    now = datetime.now(UTC)
    collection, preview = event["collection"], event["mode"] == "plan"
    head = read_base(collection)
    pending = control_table().pending(collection)
    waiting = pending.read()
    measure_backlog(collection, [one.first_changed_at for one in waiting], now)
    choice = choose_receipts(waiting, max_receipts=settings().max_receipts_per_round)
    answer: Event = {
        "plan_key": "",
        "receipts": 0,
        "more": False,
        "wait_seconds": 0,
        "base_version": head.version,
        "version": head.version + 1,
        "snapshot_id": snapshot_id_of(head.version + 1, event["fence"], event["round"]),
        "shards": [],
    }
    if not choice.chosen and not choice.quarantine:
        return answer
    if not preview and (seconds := seconds_to_wait(head, now)):
        return {**answer, "wait_seconds": seconds}
    if choice.quarantine and not preview:
        quarantine_stuck(pending, choice.quarantine, order=settle_order(event["fence"], event["round"]), now=now)
    planned, left = plan_receipts(pending, choice.chosen, head.shards, count_attempts=not preview)
    plan = Plan(
        collection=collection,
        execution=event["execution_name"],
        execution_arn=event["execution"],
        trigger=event["trigger"],
        round=event["round"],
        fence=event["fence"],
        base=head.pointer,
        snapshot_id=answer["snapshot_id"],
        shards=head.shards,
        planned_at=now.isoformat(),
        receipts=planned,
    )
    plan_key = plan.plan_key(context.aws_request_id)
    save_plan(bucket(), plan_key, plan)
    return {
        **answer,
        "plan_key": plan_key,
        "receipts": len(planned),
        "more": choice.more or left or bool(choice.quarantine),
        "shards": [{"shard": shard} for shard in plan.touched_shards()],
    }


def read_base(collection: str) -> Head:
    """HEAD, whose pointer the plan builds on. Raises PointerMissing when versions exist and HEAD names none of them."""
    control = control_table()
    head = control.head(collection).read()
    if head is None or head.pointer is None:
        require_pointer_or_empty(head, [row.state for row in control.versions(collection).list()])
    return head or Head(collection, shards=settings().default_shards)


def seconds_to_wait(head: Head, now: datetime) -> int:
    """Seconds until the next commit is allowed, rounded up; 0 when it is."""
    if head.committed_at is None:
        return 0
    due = datetime.fromisoformat(head.committed_at) + timedelta(seconds=settings().min_commit_interval_seconds)
    return max(0, ceil((due - now).total_seconds()))


def plan_receipts(
    pending: PendingReceipts, chosen: Sequence[PendingReceipt], shards: int, *, count_attempts: bool
) -> tuple[tuple[PlannedReceipt, ...], bool]:
    """The chosen receipts with their facts, and whether some were left for the next round because of their size.

    An attempt is counted for each before its merge, since nothing runs after an execution that dies.
    """
    tokens = {one.receipt: one for one in chosen}
    facts = read_many_facts(client("dynamodb"), settings().receipts_table, list(tokens), pending.collection)
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
    planned, left = bound_facts(
        receipts,
        pending.collection,
        max_records=settings().max_records_per_round,
        max_bytes=settings().max_bytes_per_round,
    )
    if count_attempts:
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda one: pending.count_attempt(one.facts.receipt, one.change), planned))
    return planned, left


def quarantine_stuck(pending: PendingReceipts, stuck: Sequence[PendingReceipt], *, order: str, now: datetime) -> None:
    """Set aside the runs of receipts whose merge keeps failing even alone, so that they hold nobody up.

    The receipt stays pending and is planned again without them.
    """
    dynamodb = client("dynamodb")
    quarantine = control_table().quarantine(pending.collection)
    message = f"the receipt was planned {QUARANTINE_AFTER} times and never settled; see the failed executions"
    facts = read_many_facts(dynamodb, settings().receipts_table, [one.receipt for one in stuck], pending.collection)
    quarantined = 0
    for one in stuck:
        for run in runs_to_quarantine(facts[one.receipt]):
            log.error("run %s of %s is set aside: %s", run.run_id, one.receipt.key, message)
            RunStates(dynamodb, settings().receipts_table, pending.collection).fail(
                one.receipt, run.run_id, error=f"{MERGE_KEEPS_FAILING}: {message}", now=now.isoformat(), order=order
            )
            quarantine.put(run.run_id, one.receipt, MERGE_KEEPS_FAILING, message, now.isoformat(), order=order)
            quarantined += 1
        pending.forgive(one.receipt, one.change)
    metrics().add_metric(name="QuarantinedRuns", unit=MetricUnit.Count, value=quarantined)


def measure_backlog(collection: str, first_changes: Sequence[str], now: datetime) -> None:
    """How many receipts wait, and since when: the freshness that an alarm watches."""
    oldest = min(map(datetime.fromisoformat, first_changes), default=now)
    metrics().add_dimension(name="collection", value=collection)
    metrics().add_metric(name="PendingReceipts", unit=MetricUnit.Count, value=len(first_changes))
    age = max(0.0, (now - oldest).total_seconds())
    metrics().add_metric(name="OldestPendingAge", unit=MetricUnit.Seconds, value=age)

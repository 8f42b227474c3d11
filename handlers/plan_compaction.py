"""PlanCompaction: choose pending receipts, read their facts, and write down what the round does."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from receipt_dynamo_stream.head import Head, read_head, require_pointer_or_empty, snapshot_id_of
from receipt_dynamo_stream.pending import PendingReceipts
from receipt_dynamo_stream.plan import Plan, PlannedReceipt, save_plan
from receipt_dynamo_stream.planning import choose_receipts
from receipt_dynamo_stream.read_facts import read_many_facts
from receipt_dynamo_stream.sharding import shard_of
from receipt_dynamo_stream.versions import list_versions

from .clients import client
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
    dynamodb, collection, preview = client("dynamodb"), event["collection"], event["mode"] == "plan"
    head = read_base(collection)
    pending = PendingReceipts(dynamodb, settings().control_table, collection)
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

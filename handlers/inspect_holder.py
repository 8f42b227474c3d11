"""InspectHolder: does the execution that holds a collection's lease still run?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from receipt_dynamo_stream.control.head import Head

from .border import InspectHolderInput, InspectHolderOutput
from .clients import client, control_table
from .step import LambdaContext, step

# Step Functions may not know an execution yet that has just started, and never again one of a deleted state machine.
UNKNOWN_COUNTS_AS_RUNNING = timedelta(minutes=5)

BRIEF_WAITS, BRIEF_SECONDS, SECONDS = 30, 1, 5
"""Whoever waits gets the lease after the holder's round: it asks often at first, since most rounds are short."""


@step
def inspect_holder(event: InspectHolderInput, _context: LambdaContext) -> InspectHolderOutput:
    """Promptness rests on the answer, safety never."""
    head = control_table().head(event["collection"]).read()
    wait = SECONDS if event.get("waits", 0) >= BRIEF_WAITS else BRIEF_SECONDS
    if head is None or head.holder is None:
        fence = head.fence if head else 0
        return {"held": False, "holder": "", "fence": fence, "running": False, "wait_seconds": wait}
    running = is_running(head, client("stepfunctions"), datetime.now(UTC))
    return {"held": True, "holder": head.holder, "fence": head.fence, "running": running, "wait_seconds": wait}


def is_running(head: Head, sfn: Any, now: datetime) -> bool:
    """Whether Step Functions runs the holder. One that it does not know counts as running for five minutes after it
    took the lease, then as dead: a redeployed state machine can leave such a holder for ever."""
    try:
        return bool(sfn.describe_execution(executionArn=head.holder)["status"] == "RUNNING")
    except sfn.exceptions.ExecutionDoesNotExist:
        acquired = datetime.fromisoformat(head.acquired_at) if head.acquired_at else now
        return now - acquired < UNKNOWN_COUNTS_AS_RUNNING

"""InspectHolder: does the execution that holds a collection's lease still run?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from .border import InspectHolderInput, InspectHolderOutput
from .clients import control_table, stepfunctions
from .step import LambdaContext, step

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

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
    running = is_running(head.holder, head.acquired_at, stepfunctions(), datetime.now(UTC))
    return {"held": True, "holder": head.holder, "fence": head.fence, "running": running, "wait_seconds": wait}


def is_running(holder: str, acquired_at: str | None, sfn: SFNClient, now: datetime) -> bool:
    """Whether Step Functions runs the holder. One that it does not know counts as running for five minutes after it
    took the lease, then as dead: a redeployed state machine can leave such a holder for ever."""
    try:
        return bool(sfn.describe_execution(executionArn=holder)["status"] == "RUNNING")
    except sfn.exceptions.ExecutionDoesNotExist:
        acquired = datetime.fromisoformat(acquired_at) if acquired_at else now
        return now - acquired < UNKNOWN_COUNTS_AS_RUNNING

"""StartFold: an execution of mode fold, unless one is at it. Two at once are safe, and pointless."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from receipt_dynamo_stream.control.head import CollectionHead

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

AT_WORK: Final = {"RUNNING", "PENDING_REDRIVE"}
FAILED: Final = {"FAILED", "TIMED_OUT", "ABORTED"}


def start_fold(
    head: CollectionHead, sfn: "SFNClient", machine: str, *, trigger: str, asked_by: str, new_token: Callable[[], str]
) -> bool:
    """Start one under a fresh name, with the trigger of who asks; True when it was started.

    `machine` and `asked_by` are the ARNs of the state machine and of the execution that asks. A fold that failed is
    tried again for the schedule only: else every publication would try it, and each try writes whole shards. May run
    twice: the second finds what the first started. Raises what boto3 raises.
    """
    now = head.read()
    if now is None or now.paused is not None:
        return False
    # Who asks may be that fold itself: then it has ended, as far as folding goes.
    status = None if now.fold in (None, asked_by) else _status(sfn, now.fold)
    if status in AT_WORK or (status in FAILED and trigger != "schedule"):
        return False
    name = f"{head.collection}-{trigger}-{new_token()}"
    execution = f"{machine.replace(':stateMachine:', ':execution:')}:{name}"
    # Named on HEAD first, so that of two that ask at once one starts it.
    if not head.claim_fold(execution, instead_of=now.fold):
        return False
    asked = {"collection": head.collection, "mode": "fold", "trigger": trigger}
    sfn.start_execution(stateMachineArn=machine, name=name, input=json.dumps(asked))
    return True


def _status(sfn: "SFNClient", execution: str) -> str | None:
    """What Step Functions says of it; None when it knows none: its start failed, or it is long forgotten."""
    try:
        return str(sfn.describe_execution(executionArn=execution)["status"])
    except sfn.exceptions.ExecutionDoesNotExist:
        return None

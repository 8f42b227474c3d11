"""Blame needs evidence: what the failure of a merge says of the receipts that were in it.

- A round that fails in its merge makes suspects of its receipts, which only means that they go in halves from then on
  (`choosing`). Errors that are never a receipt's own (of a service, of the file system) make none.
- A suspect that goes alone leaves evidence while it may be what ends the process: from when base, file system and
  services answered until its part of the work is done (`may_be_to_blame`). A killed process leaves it there.
- Its failure counts when there is such evidence, and other work of the collection succeeded since it failed last: a
  version was published, or else, where nothing else is left to do, a round without its new runs came to its end.
  So one outage, however long, counts at most once.
- After COUNTED_FAILURES its new runs are quarantined. A COMPLETED run never is.
"""

import builtins
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final

from receipt_dynamo_stream.control.pending import WORKERS, PendingReceipts
from receipt_dynamo_stream.control.quarantine import MERGE_KEEPS_FAILING
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.retry import transient_errors
from receipt_dynamo_stream.round.choosing import runs_to_quarantine
from receipt_dynamo_stream.round.plan import ALONE, ONE_RUN, WITHOUT, Plan
from receipt_dynamo_stream.runs import RunStates, settle_order

log = logging.getLogger(__name__)

COUNTED_FAILURES: Final = 3
"""Failures of a receipt alone, each after other work succeeded, after which its new runs are quarantined."""

NOBODYS: Final = frozenset(
    {
        "ClientError",
        "DeltaReaderUnavailable",
        "DiskFull",
        "Fenced",
        "ManifestConflict",
        "ObjectMissing",
        "PlanMissing",
        "PointerMissing",
        "ReportMissing",
        "SchemaUnsupported",
        "ServiceRefused",
        "SettingsError",
        "SnapshotDamaged",
        "StagingMissing",
        "StorageUnavailable",
        "StoredObjectDamaged",
        "TransientServiceError",
    }
    | {name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, OSError)}
)
"""Errors of a merge that no receipt is to blame for."""

_ONE_SUSPECT: Final = (ALONE, ONE_RUN)

AtRisk = Callable[[], AbstractContextManager[None]]


def is_nobodys(error: str) -> bool:
    """Whether an error of this name, as Step Functions has it, says nothing of the receipts.

    `Lambda.Unknown` is how a killed process may appear; the other errors of Lambda are about starting one.
    """
    return error in NOBODYS or (error.startswith("Lambda.") and error != "Lambda.Unknown")


def at_risk(pending: PendingReceipts, plan: Plan, plan_key: str) -> AtRisk | None:
    """What a merge or a validation wraps around the work in which its receipt may be to blame.

    None for a plan that tries no suspect alone: nobody would read the evidence. Raises TransientServiceError.
    """
    return (lambda: _evidence(pending, plan, plan_key)) if plan.trial in _ONE_SUSPECT else None


def risk(asked: AtRisk | None) -> AbstractContextManager[None]:
    """The context of `at_risk`, or one that does nothing."""
    return asked() if asked else nullcontext()


@contextmanager
def _evidence(pending: PendingReceipts, plan: Plan, plan_key: str) -> Iterator[None]:
    (suspect,) = plan.receipts
    with transient_errors():
        pending.begin(suspect.facts.receipt, plan_key)
    try:
        yield
    except Exception as error:
        if is_nobodys(type(error).__name__):
            with transient_errors():
                pending.end(suspect.facts.receipt, plan_key)
        raise
    with transient_errors():
        pending.end(suspect.facts.receipt, plan_key)


def blame(
    control: ControlTable,
    *,
    receipts_table: str,
    plan: Plan,
    plan_key: str,
    error: str,
    now: str,
    deployment: str = "",
) -> int:
    """Write down what the failed merge of a plan says of its receipts; returns how many runs it quarantined.

    May run twice, and late: every write carries the order of its round. Raises TransientServiceError, and other errors
    of AWS as they are.
    """
    if is_nobodys(error):
        log.info("the merge failed with %s, which no receipt is to blame for", error)
        return 0
    pending, order = control.pending(plan.collection), settle_order(plan.fence, plan.round)
    base = plan.base.version if plan.base else 0
    with transient_errors():
        if plan.trial in _ONE_SUSPECT:
            (suspect,) = plan.receipts
            counted = pending.count_attempt(suspect.facts.receipt, plan_key=plan_key, base=base, order=order)
            if counted >= COUNTED_FAILURES:
                return _quarantine(control, receipts_table, plan, error, now, deployment)
            if counted:
                return 0
        if plan.trial == WITHOUT:
            for one in plan.receipts:
                pending.tried_without(one.facts.receipt, order=order)
            return 0
        suspects = [one.facts.receipt for one in plan.receipts]
        half = (len(suspects) + 1) // 2
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="blame") as pool:
            list(pool.map(lambda one: pending.suspect(one, together=half, base=base, order=order), suspects))
    return 0


def _quarantine(control: ControlTable, receipts_table: str, plan: Plan, error: str, now: str, deployment: str) -> int:
    """Set aside the new runs of the plan's one receipt; it stays pending, and is planned again without them."""
    (guilty,) = plan.receipts
    receipt, order = guilty.facts.receipt, settle_order(plan.fence, plan.round)
    runs, quarantine = RunStates(control.client, receipts_table, plan.collection), control.quarantine(plan.collection)
    message = (
        f"the merge of this receipt alone failed {COUNTED_FAILURES} times with {error} while other work succeeded;"
        f" see the failed executions, the last is {plan.execution}"
    )
    quarantined = 0
    refused = runs_to_quarantine(guilty.facts)
    for run in refused:
        text = f"{MERGE_KEEPS_FAILING}: {message}"
        quarantined += quarantine.put(
            run.run_id,
            receipt,
            MERGE_KEEPS_FAILING,
            message,
            now,
            order=order,
            since=guilty.first_changed_at,
            deployment=deployment,
            failing=runs.failing(receipt, run.run_id, error=text, now=now, order=order, suspected=True),
        )
    if quarantined:
        log.error("%s runs of %s are set aside: %s", quarantined, receipt.key, message)
    if refused:  # also by an earlier attempt, which may have ended here
        control.pending(plan.collection).forgive(receipt)
    return quarantined

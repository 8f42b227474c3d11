"""The runs that were refused and wait for a person: who waits, another chance, or giving one up; and noted runs."""

from collections.abc import Sequence

from receipt_dynamo_stream.control.notes import NotedReceipt
from receipt_dynamo_stream.control.quarantine import QuarantinedRun
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.runs import DROPPED, RunStates

from operate.errors import RunAmbiguous, RunNotFound
from operate.executions import Executions
from operate.generations import active_names
from operate.services import Services

DROP_REASON = "DROP COMPACTION_RUN"

Waiting = tuple[str, QuarantinedRun]
"""A collection, and a run that is in its quarantine."""


class WaitingRuns:
    """The quarantine of all collections, or of those that are named: by default of all that is kept up."""

    def __init__(self, services: Services, executions: Executions) -> None:
        self._services = services
        self._executions = executions

    def runs(self, collections: Sequence[str] = (), reason: str | None = None) -> list[Waiting]:
        """The runs that wait for a person, or those refused as `reason`, the oldest first in each collection."""
        control = self._services.control
        return [
            (collection, run)
            for collection in collections or active_names(control)
            for run in control.quarantine(collection).list()
            if reason in (None, run.error)
        ]

    def notes(self, collections: Sequence[str] = ()) -> list[tuple[str, NotedReceipt]]:
        """The receipts with runs that were not refused and yet are not in the snapshot, in part or at all, or not read
        any more: the longest noted first in each collection."""
        control = self._services.control
        wanted = collections or active_names(control)
        return [(collection, one) for collection in wanted for one in control.notes(collection).list()]

    def find(self, given: str, collections: Sequence[str] = (), receipt: ReceiptId | None = None) -> list[Waiting]:
        """Where the run of this id, or of the only id that begins so, is in quarantine; of this receipt, where several
        have a run of that id.

        Raises RunNotFound or RunAmbiguous.
        """
        waiting = [one for one in self.runs(collections) if receipt in (None, one[1].receipt)]
        found = [one for one in waiting if one[1].run_id == given]
        found = found or [one for one in waiting if given and one[1].run_id.startswith(given)]
        if not found:
            raise RunNotFound(f"no run {given} in quarantine: `compaction quarantine list` shows them")
        if len({run.run_id for _, run in found}) > 1:
            raise RunAmbiguous(f"several runs in quarantine begin with {given}: give more of the id")
        if len(receipts := sorted({run.receipt for _, run in found})) > 1:
            named = ", ".join(f"{one.image_id}/{one.receipt_id}" for one in receipts)
            raise RunAmbiguous(f"several receipts have a run {given} in quarantine: give --receipt, one of {named}")
        return found

    def retry(self, waiting: Waiting) -> str:
        """Give a run another chance, and start an execution; returns its ARN."""
        return self.retry_all([waiting])[waiting[0]]

    def retry_all(self, waiting: Sequence[Waiting]) -> dict[str, str]:
        """Give runs another chance, and start an execution of each of their collections; returns the ARNs."""
        services = self._services
        for collection, run in waiting:
            services.control.quarantine(collection).retry(
                run.run_id,
                run.receipt,
                receipts_table=services.connection.receipts_table,
                now=services.now().isoformat(),
                new_token=services.new_unique,
            )
        return {collection: self._executions.start(collection) for collection in dict(waiting)}

    def drop_all(self, waiting: Sequence[Waiting], why: str) -> list[str | None]:
        """Take runs out of quarantine for good, one after the other; returns what `drop` does of each."""
        return [self.drop(one, why) for one in waiting]

    def drop(self, waiting: Waiting, why: str) -> str | None:
        """Take a run out of quarantine for good. It is FAILED, and its error says who gave it up and why.

        Returns the run's state: COMPLETED when a later round merged it after all, None when its item is gone.
        """
        (collection, run), services = waiting, self._services
        now = services.now().isoformat()
        states = RunStates(services.dynamodb, services.connection.receipts_table, collection)
        state = states.fail(
            run.receipt, run.run_id, error=f"{DROPPED}{why}; it was refused as {run.error}: {run.message}", now=now
        )
        # A round that merged it meanwhile may have committed; the mark lets the next one leave it out again.
        failed = services.control.pending(collection).mark(
            {run.receipt: [DROP_REASON]}, now=now, new_token=services.new_unique
        )
        for error in failed.values():
            raise error
        # Last, so that a crash in between leaves the run where it is found and dropped again.
        services.control.quarantine(collection).remove(run.run_id, run.receipt, now=now)
        return state

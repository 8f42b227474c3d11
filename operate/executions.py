"""Executions: what each did, starting one, and what may be re-run, redriven or stopped.

The list of them, recorded and live, is `executions.history`.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from operate.errors import (
    ExecutionAmbiguous,
    ExecutionNotFound,
    NotRedrivable,
    NotRunning,
    PreviewMissing,
    RerunRefused,
)
from operate.history import History
from operate.models import Execution, PlanPreview, described_execution, execution_name
from operate.services import Services
from operate.state_machine import StateMachine
from operate.stored import Stored
from operate.wording import plain

EVENTS_PAGE = 1_000
"""What GetExecutionHistory gives in one answer; an execution has at most 25,000 events."""
_SEARCHED = 1_000
"""How many of the latest executions a shortened name is looked for in."""


@dataclass(frozen=True)
class Details:
    """One execution as Step Functions knows it. `input` and `output` are JSON texts; `redrive` is why it cannot be
    redriven, None when it can be."""

    execution: Execution
    input: str
    output: str | None
    redrive: str | None


@dataclass(frozen=True)
class Events:
    """The history of an execution, oldest first. `whole` is False when there are more than were asked for."""

    events: Sequence[Mapping[str, Any]]
    whole: bool


class Executions:
    """An execution is given by its whole name or its ARN; whoever asks for one that Step Functions does not know, or
    has forgotten, gets ExecutionNotFound."""

    def __init__(self, services: Services, machine: StateMachine, history: History, stored: Stored) -> None:
        self.history = history
        self._services = services
        self._machine = machine
        self._stored = stored

    # What is

    def of(self, collection: str) -> Iterator[Execution]:
        """The executions of a collection that Step Functions lists, newest first, each described when it is reached."""
        for row in self._machine.listed():
            if row.collection in (None, collection):
                execution = self.describe(row.arn)
                if execution.collection == collection:
                    yield execution

    def describe(self, execution: str) -> Execution:
        """What became of an execution so far."""
        return described_execution(self._machine.describe(execution))

    def details(self, execution: str) -> Details:
        """The same with input, output and whether it can be redriven."""
        answer = self._machine.describe(execution)
        can = answer.get("redriveStatus") == "REDRIVABLE"
        why = answer.get("redriveStatusReason") or "this service does not offer it"
        return Details(described_execution(answer), answer["input"], answer.get("output"), None if can else why)

    def output(self, execution: str) -> dict[str, Any]:
        """What an execution that succeeded gave; an empty object before that."""
        output: dict[str, Any] = json.loads(self._machine.describe(execution).get("output") or "{}")
        return output

    def resolve(self, given: str) -> str:
        """The ARN of an execution given by ARN, by name, or by the beginning of a name that fits only one.

        Raises ExecutionAmbiguous too.
        """
        if given.startswith("arn:"):
            return self.describe(given).arn
        not_found = f"no execution {given}: `compaction history` lists them"
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,80}", given):
            raise ExecutionNotFound(not_found)
        try:
            return self.describe(given).arn
        except ExecutionNotFound:
            found = [row for row in islice(self._machine.listed(), _SEARCHED) if row.name.startswith(given)]
        if not found:
            raise ExecutionNotFound(not_found)
        if len(found) > 1:
            raise ExecutionAmbiguous(f"{len(found)} executions begin with {given}: give more of the name")
        return found[0].arn

    def events(self, execution: str, limit: int) -> Events:
        """The first `limit` events of an execution's history."""
        client = self._services.stepfunctions
        asked: dict[str, Any] = {"executionArn": self._machine.arn_of(execution), "maxResults": EVENTS_PAGE}
        found: list[Mapping[str, Any]] = []
        try:
            while len(found) < limit:
                page = client.get_execution_history(**asked)
                found += page["events"]
                if not page.get("nextToken"):
                    return Events(found[:limit], len(found) <= limit)
                asked["nextToken"] = page["nextToken"]
        except client.exceptions.ExecutionDoesNotExist:
            self._machine.describe(execution)  # raises what we say of it
            raise
        return Events(found[:limit], False)

    def definition(self, execution: str) -> dict[str, Any]:
        """The state machine that an execution runs, as it was when it started."""
        client = self._services.stepfunctions
        try:
            answer = client.describe_state_machine_for_execution(executionArn=self._machine.arn_of(execution))
        except client.exceptions.ExecutionDoesNotExist:
            self._machine.describe(execution)
            raise
        return _parsed(answer["definition"])

    def wait(self, execution: str, *, poll_seconds: float = 0.5) -> Execution:
        """Wait until an execution has ended, well or not; the state machine's own timeout bounds it."""
        while (found := self.describe(execution)).status == "running":
            self._services.sleep(poll_seconds)
        return found

    def preview(self, planned: Execution) -> PlanPreview:
        """What an ended execution of mode `plan` would have done. Raises PreviewMissing when it made no plan."""
        result = self.output(planned.arn).get("result", {})
        if planned.outcome != "planned" or planned.collection is None:
            raise PreviewMissing(f"{planned.name} made no plan: it ended {planned.result}")
        plan = self._stored.plan(result["plan_key"]) if result["plan_key"] else None
        if plan is None and result["plan_key"]:
            raise PreviewMissing(f"the plan of {planned.name} is gone: plans are kept for a time only")
        receipts = plan.receipts if plan else ()
        return PlanPreview(
            collection=planned.collection,
            base_version=result["base_version"],
            version=result["version"] if receipts else None,
            receipts=tuple(planned_receipt.facts.receipt.key for planned_receipt in receipts),
            runs=sum(len(planned_receipt.facts.runs) for planned_receipt in receipts),
            shards=tuple(sorted({planned_receipt.shard for planned_receipt in receipts})),
            more=bool(result["more"]),
            wait_seconds=result["wait_seconds"],
            plan_key=result["plan_key"],
        )

    # What an operator does

    def start(self, collection: str, mode: str = "compact", trigger: str = "operator", **more: str | bool | int) -> str:
        """Start an execution under a fresh name; returns its ARN. `more` is what its mode needs besides."""
        given = {"collection": collection, "mode": mode, "trigger": trigger, **more}
        return self._start(collection, trigger, json.dumps(given))

    def to_rerun(self, given: str) -> Execution:
        """The execution that a re-run would repeat, given as `resolve` takes it. Raises RerunRefused."""
        return self._to_rerun(given)[0]

    def rerun(self, given: str) -> str:
        """Start a new execution with the input of an old one, given as `resolve` takes it; returns the new ARN.

        Raises RerunRefused.
        """
        old, text = self._to_rerun(given)
        return self._start(old.collection or "unknown", "operator", text)

    def to_redrive(self, execution: str) -> Execution:
        """The execution that may be redriven. Raises NotRedrivable."""
        details = self.details(execution)
        if details.redrive is not None:
            name = details.execution.name
            raise NotRedrivable(f"{name} cannot be redriven: {details.redrive}; a re-run starts a new one")
        return details.execution

    def redrive(self, execution: str) -> None:
        """Resume a failed execution from the state it failed in. Raises NotRedrivable."""
        self._services.stepfunctions.redrive_execution(executionArn=self.to_redrive(execution).arn)

    def to_stop(self, execution: str) -> Execution:
        """The execution that may be stopped. Raises NotRunning."""
        found = self.describe(execution)
        if found.status != "running":
            raise NotRunning(f"{found.name} has ended already: {plain(found.result)}; nothing was stopped")
        return found

    def stop(self, execution: str, why: str) -> None:
        """End an execution. Its Lambda goes on for a while, and changes nothing any more. Raises NotRunning."""
        self._services.stepfunctions.stop_execution(
            executionArn=self.to_stop(execution).arn, error="StoppedByOperator", cause=why
        )

    def _to_rerun(self, given: str) -> tuple[Execution, str]:
        answer = self._machine.describe(self.resolve(given))
        old = described_execution(answer)
        if not old.may_be_rerun:
            raise RerunRefused(old.name, str(old.mode))
        return old, answer["input"]

    def _start(self, collection: str, trigger: str, given: str) -> str:
        name = execution_name(collection, trigger, self._services.new_unique())
        started_as = self._machine.started_as
        answer = self._services.stepfunctions.start_execution(stateMachineArn=started_as, name=name, input=given)
        arn: str = answer["executionArn"]
        return arn


@lru_cache(maxsize=8)
def _parsed(definition: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(definition)
    return value

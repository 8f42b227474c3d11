"""What an operator can ask of one execution and of the recorded history, and how one is stopped or redriven."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any
from urllib.parse import quote

from botocore.exceptions import ClientError
from receipt_dynamo_stream.control.history import Page
from receipt_dynamo_stream.control.pending import PendingReceipt
from receipt_dynamo_stream.control.versions import VersionRow

from operate.errors import NotRedrivable
from operate.models import Execution, described_execution
from operate.operator_api import OperatorApi

EVENTS_PAGE = 1_000
"""What GetExecutionHistory gives in one answer; an execution has at most 25,000 events."""
NEWEST = 100


@dataclass(frozen=True)
class Described:
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


class ExecutionsApi(OperatorApi):
    """The API, with everything that the pages show of executions."""

    def arn_of(self, name: str) -> str:
        """The ARN of the execution of this name, whether there is one or not."""
        return f"{self.connection.state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"

    def described(self, name: str) -> Described:
        """Raises ExecutionNotFound: there never was one, or Step Functions has forgotten it."""
        answer = self._describe(self.arn_of(name))
        can = answer.get("redriveStatus") == "REDRIVABLE"
        why = answer.get("redriveStatusReason") or "this service does not offer it"
        return Described(described_execution(answer), answer["input"], answer.get("output"), None if can else why)

    def events(self, name: str, limit: int) -> Events:
        """The first `limit` events of an execution's history. Raises ExecutionNotFound."""
        asked: dict[str, Any] = {"executionArn": self.arn_of(name), "maxResults": EVENTS_PAGE}
        found: list[Mapping[str, Any]] = []
        try:
            while len(found) < limit:
                page = self._sfn.get_execution_history(**asked)
                found += page["events"]
                if not page.get("nextToken"):
                    return Events(found[:limit], len(found) <= limit)
                asked["nextToken"] = page["nextToken"]
        except self._sfn.exceptions.ExecutionDoesNotExist:
            self._describe(self.arn_of(name))  # raises what we say of it
            raise
        return Events(found[:limit], False)

    def definition(self, name: str) -> dict[str, Any]:
        """The state machine that an execution runs, as it was when it started. Raises ExecutionNotFound."""
        arn = self.arn_of(name)
        try:
            answer = self._sfn.describe_state_machine_for_execution(executionArn=arn)
        except self._sfn.exceptions.ExecutionDoesNotExist:
            self._describe(arn)
            raise
        return _parsed(answer["definition"])

    def running(self) -> list[Execution]:
        """Every execution that runs, as its name says."""
        return list(self._list("RUNNING"))

    def newest(self) -> list[Execution]:
        """The newest executions that Step Functions lists, as their names say."""
        return list(islice(self._list(None), NEWEST))

    def stop(self, name: str, why: str) -> None:
        """End an execution. Its Lambda goes on for a while, and changes nothing any more. Raises ExecutionNotFound."""
        self._sfn.stop_execution(executionArn=self.described(name).execution.arn, error="StoppedByOperator", cause=why)

    def redrive(self, name: str) -> None:
        """Resume a failed execution from the state it failed in. Raises ExecutionNotFound or NotRedrivable."""
        described = self.described(name)
        if described.redrive is not None:
            raise NotRedrivable(f"{name} cannot be redriven: {described.redrive}; a re-run starts a new one")
        self._sfn.redrive_execution(executionArn=described.execution.arn)

    def log_page(self, function: str) -> str:
        """Where a function's log is read on AWS: its log group in CloudWatch, or, for those who may not ask which that
        is, the function's own page."""
        region = self.connection.region
        home = f"https://{region}.console.aws.amazon.com"
        try:
            answer = self.connection.client("lambda").get_function_configuration(FunctionName=function)
        except ClientError:
            return f"{home}/lambda/home?region={region}#/functions/{function}?tab=monitoring"
        group = answer.get("LoggingConfig", {}).get("LogGroup", f"/aws/lambda/{function}")
        # CloudWatch's page takes its fragment quoted twice, with $ for %.
        quoted = quote(quote(group, safe=""), safe="").replace("%", "$")
        return f"{home}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{quoted}"

    # What is recorded

    def recorded(
        self,
        collection: str,
        *,
        before: str | None = None,
        after: str | None = None,
        newest_first: bool = True,
        limit: int,
    ) -> Page:
        """One page of a collection's EXECUTIONS rows, between two sort keys, both left out."""
        return self._control.history(collection).page(
            after=after, before=before, newest_first=newest_first, limit=limit
        )

    def version_rows(self, collection: str, first: int, last: int) -> list[VersionRow]:
        """The VERSION rows of these version numbers, both included."""
        return self._control.versions(collection).between(first, last)

    def pending(self, collection: str) -> list[PendingReceipt]:
        """Every receipt with changes that no snapshot has, the longest waiting first."""
        return self._control.pending(collection).read()


@lru_cache(maxsize=8)
def _parsed(definition: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(definition)
    return value

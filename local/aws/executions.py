"""Executions of the stack's state machine: start, look, wait, stop. Waiting asks nobody: moto tells of every end."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from local import names
from local.aws.status_events import StatusChange
from local.errors import StillRunning

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_stepfunctions.type_defs import HistoryEventTypeDef

T = TypeVar("T")

_LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Execution:
    """What Step Functions says of one execution. `status` RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED."""

    arn: str
    name: str
    status: str
    input: dict[str, Any]
    output: dict[str, Any] | None
    error: str | None
    cause: str | None
    started_at: datetime
    stopped_at: datetime | None

    @property
    def outcome(self) -> str | None:
        """`result.outcome` of the output, once it succeeded."""
        result = (self.output or {}).get("result")
        return result.get("outcome") if isinstance(result, dict) else None


class Running:
    """The executions that run, as moto tells of them when they start and end."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._arns: frozenset[str] = frozenset()

    @property
    def arns(self) -> frozenset[str]:
        """Theirs, now."""
        return self._arns

    def tell(self, change: StatusChange) -> None:
        """Take note of a change."""
        with self._changed:
            self._arns = self._arns | {change.arn} if change.status == "RUNNING" else self._arns - {change.arn}
            self._changed.notify_all()

    def wait(self, ended: Callable[[frozenset[str]], bool], timeout: float, problem: str) -> None:
        """Until the executions that run are as wanted. Raises StillRunning, saying `problem`, after the timeout."""
        with self._changed:
            if not self._changed.wait_for(lambda: ended(self._arns), timeout):
                raise StillRunning(f"{problem} after {timeout:g} seconds")


class Executions:
    """Of one state machine."""

    def __init__(self, stepfunctions: "SFNClient", running: Running) -> None:
        self._client = stepfunctions
        self._running = running
        self._ended: dict[str, Execution] = {}  # what has ended stays as it is and need not be asked for again

    def start(self, collection: str, *, mode: str = "compact", trigger: str = "operator", **more: object) -> str:
        """Start an execution under a fresh name; its ARN."""
        return self.start_with({"collection": collection, "mode": mode, "trigger": trigger, **more})

    def start_with(self, content: dict[str, Any]) -> str:
        """Start an execution with this very input; its ARN."""
        prefix = "-".join(str(content.get(key, "none")) for key in ("collection", "trigger"))
        arn: str = self._client.start_execution(
            stateMachineArn=names.STATE_MACHINE_ARN, name=f"{prefix}-{uuid.uuid4().hex}", input=json.dumps(content)
        )["executionArn"]
        return arn

    def get(self, arn: str) -> Execution:
        """One execution as it is now."""
        return _execution(self._client.describe_execution(executionArn=arn))

    @property
    def running(self) -> frozenset[str]:
        """The ARNs of those that run now; asks nobody."""
        return self._running.arns

    def find(self, collection: str | None = None) -> list[Execution]:
        """All executions, oldest first; of one collection if asked."""
        pages = self._client.get_paginator("list_executions").paginate(stateMachineArn=names.STATE_MACHINE_ARN)
        arns = [item["executionArn"] for page in pages for item in page["executions"]]
        found = [self._ended.get(arn) or self.get(arn) for arn in reversed(arns)]
        self._ended = {each.arn: each for each in found if each.status != "RUNNING"} | self._ended
        return [each for each in found if collection is None or each.input.get("collection") == collection]

    def forget(self) -> None:
        """Forget what has ended: there is nothing of it any more."""
        self._ended.clear()

    def history(self, arn: str) -> "list[HistoryEventTypeDef]":
        """Every event of an execution, oldest first."""
        return self._client.get_execution_history(executionArn=arn)["events"]

    def states_entered(self, arn: str) -> list[str]:
        """The names of the states that were entered, in order, as often as they were."""
        details = (event.get("stateEnteredEventDetails") for event in self.history(arn))
        return [each["name"] for each in details if each is not None]

    def wait(self, arn: str, timeout: float = 60) -> Execution:
        """The execution once it has ended. Raises StillRunning."""
        self._running.wait(lambda running: arn not in running, timeout, f"execution {arn} still runs")
        return self.get(arn)

    def wait_until_quiet(self, timeout: float = 60) -> None:
        """Until no execution runs. Raises StillRunning."""
        self._running.wait(lambda running: not running, timeout, "executions still run")

    def stop(self, arn: str) -> None:
        """Abort an execution, at once, as StopExecution does. A Lambda that it called goes on."""
        self._client.stop_execution(executionArn=arn)

    def stop_all(self) -> None:
        """Abort every execution that runs."""
        for arn in self.running:
            self.stop(arn)


def wait_until(look: Callable[[], T | None], timeout: float, problem: str) -> T:
    """What `look` answers, once that is not None. Raises StillRunning, saying `problem`, after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while (answer := look()) is None:
        if time.monotonic() > deadline:
            raise StillRunning(f"{problem} after {timeout:g} seconds")
        time.sleep(_LOOK_SECONDS)
    return answer


def _execution(described: Mapping[str, Any]) -> Execution:
    output = described.get("output")
    return Execution(
        arn=described["executionArn"],
        name=described["name"],
        status=described["status"],
        input=json.loads(described["input"]),
        output=json.loads(output) if output else None,
        error=described.get("error"),
        cause=described.get("cause"),
        started_at=described["startDate"],
        stopped_at=described.get("stopDate"),
    )

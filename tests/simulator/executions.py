"""Step Functions: executions of the deployed ASL file, which call the real handlers in this process."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from operate.asl.stepper import Call, Entered, Sleep, StateError, steps

from .effects import AnswerLost, Effect, Gate, Refused
from .tasks import Crash, Scheduler, Task, sleep_until, wait

ACCOUNT = "arn:aws:states:us-east-1:123456789012"
MACHINE_ARN = f"{ACCOUNT}:stateMachine:compaction"
ASL = Path(__file__).parents[2] / "state_machines/compaction.asl.json"


def machine(control_table: str, shards: int = 1) -> dict[str, Any]:
    """The file as it is deployed. A function's ARN is its name."""
    text = re.sub(r"\$\{(\w+)Arn\}", r"\1", ASL.read_text())
    text = text.replace("${ControlTable}", control_table).replace("${DefaultShards}", str(shards))
    found: dict[str, Any] = json.loads(text)
    return found


_REFUSALS = (
    *("TooManyRequestsException", "ServiceException", "ResourceConflictException", "ResourceNotReadyException"),
    *("EC2ThrottledException", "ENILimitReachedException", "EFSMountTimeoutException", "EFSMountConnectivityException"),
)
"""What Lambda says of an invocation that did not happen."""


@dataclass(eq=False)
class Execution:
    """`at`: the state, and its data, that a redrive begins with."""

    name: str
    label: str
    input: dict[str, Any]
    status: str = "RUNNING"
    output: Any = None
    error: str | None = None
    cause: str | None = None
    states: list[str] = field(default_factory=list)
    at: tuple[str, Any] | None = None
    task: Task | None = None

    @property
    def arn(self) -> str:
        return f"{MACHINE_ARN.replace(':stateMachine:', ':execution:')}:{self.name}"

    @property
    def outcome(self) -> str | None:
        """What its result says, or the error that it ended with."""
        return self.error or (self.output or {}).get("result", {}).get("outcome")


class StepFunctions:
    """All executions, by ARN. runs: whether those of a collection do anything, or have ended when they begin."""

    def __init__(self, scheduler: Scheduler, gate: Gate, definition: Mapping[str, Any]) -> None:
        self.scheduler, self.gate, self.definition = scheduler, gate, definition
        self.executions: dict[str, Execution] = {}
        self.of_task: dict[Task, Execution] = {}
        self.requests = 0
        config = Config(retries={"max_attempts": 0}, connect_timeout=1)
        self.client = boto3.client("dynamodb", config=config)
        self.before_call: Callable[[], None] = lambda: None
        self.runs: Callable[[str], bool] = lambda _collection: True

    def start(self, given: dict[str, Any], name: str | None = None) -> Execution:
        """Start an execution; it takes its first step when it is chosen."""
        number = len(self.executions) + 1
        execution = Execution(name or f"{given['collection']}-operator-{number}", f"e{number}", given)
        self.executions[execution.arn] = execution
        if self.runs(given["collection"]):
            self._begin(execution, given, None)
        else:
            execution.status = "SUCCEEDED"
        return execution

    def stop(self, execution: Execution) -> None:
        """StopExecution: at once, and whatever its functions do goes on."""
        if execution.status == "RUNNING" and execution.task:
            execution.status = "ABORTED"
            self.scheduler.forget(execution.task)

    def redrive(self, execution: Execution) -> None:
        """From the state that it ended in; the items of a Map all begin anew."""
        assert execution.at is not None
        execution.status, execution.error, execution.cause = "RUNNING", None, None
        self._begin(execution, execution.at[1], execution.at[0])

    def answer(self, operation: str, request: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """The API, as far as handlers use it."""
        if operation == "StartExecution":
            execution = self.start(json.loads(request["input"]), request["name"])
            return 200, {"executionArn": execution.arn, "startDate": 0}
        if operation == "DescribeExecution":
            found = self.executions.get(request["executionArn"])
            if found is None:
                return 400, {"__type": "ExecutionDoesNotExist", "message": "there is none"}
            known = {"executionArn": found.arn, "stateMachineArn": MACHINE_ARN, "status": found.status, "startDate": 0}
            return 200, known
        raise NotImplementedError(operation)

    def _begin(self, execution: Execution, data: Any, begin: str | None) -> None:
        execution.task = self.scheduler.start(execution.label, lambda: self._drive(execution, data, begin))
        self.of_task[execution.task] = execution

    def _drive(self, execution: Execution, data: Any, begin: str | None) -> None:
        context = {"Execution": {"Id": execution.arn, "Name": execution.name}}
        running = steps(self.definition, data, context, begin=begin)
        answer: Any = None
        error: StateError | None = None
        try:
            while True:
                action = running.throw(error) if error else running.send(answer)
                answer, error = None, None
                try:
                    answer = self._do(execution, action)
                except StateError as problem:
                    error = problem
        except StopIteration as end:
            execution.status, execution.output = "SUCCEEDED", end.value
        except StateError as problem:
            execution.status, execution.error, execution.cause = "FAILED", problem.error, problem.cause
        except Crash:
            execution.status = "ABORTED"
            raise

    def _do(self, execution: Execution, action: Entered | Call | Sleep) -> Any:
        if isinstance(action, Entered):
            execution.states.append(action.state)
            if action.state in self.definition["States"]:
                execution.at = (action.state, action.data)
            return self.scheduler.now.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        if isinstance(action, Sleep):
            return sleep_until(self.scheduler.now + timedelta(seconds=action.seconds))
        if action.resource.endswith(":lambda:invoke"):
            return self._invoke(execution, action)
        return self._native(execution, action)

    def _invoke(self, execution: Execution, action: Call) -> Any:
        function, payload = action.parameters["FunctionName"], json.dumps(action.parameters["Payload"])
        started: list[Task] = []

        def invoke() -> Any:
            task = self._function(execution, function, payload)
            started.append(task)
            wait(lambda: task.done or task.late)
            return task

        try:
            task = self.gate.passing(Effect(execution.label, "invoke", action.state), invoke)
        except Refused:
            raise StateError(f"Lambda.{self.gate.pick(_REFUSALS)}", "not now") from None
        except AnswerLost:
            raise StateError("Lambda.ServiceException", "the answer was lost") from None
        if task.late:
            raise StateError("Sandbox.Timedout", f"{function} timed out")
        if isinstance(task.error, Crash):
            raise StateError("Runtime.ExitError", f"{function} exited")
        if task.error is not None:
            raise StateError(type(task.error).__name__, str(task.error))
        return {"ExecutedVersion": "$LATEST", "Payload": task.result, "StatusCode": 200}

    def _function(self, execution: Execution, name: str, payload: str) -> Task:
        task = self.function(f"{execution.label} {name}", name, payload)
        self.of_task[task] = execution
        return task

    def function(self, label: str, name: str, payload: str) -> Task:
        """Invoke a function; the task's result is what it returns."""
        snake = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
        handler = getattr(importlib.import_module(f"handlers.{snake}"), snake)
        self.requests += 1
        context = SimpleNamespace(
            function_name=name,
            memory_limit_in_mb=512,
            invoked_function_arn=f"arn:aws:lambda:us-east-1:123456789012:function:{name}",
            aws_request_id=f"request-{self.requests}",
        )
        self.before_call()
        work = lambda: json.loads(json.dumps(handler(json.loads(payload), context)))  # noqa: E731
        return self.scheduler.start(label, work)

    def _native(self, execution: Execution, action: Call) -> Any:
        operation = {"updateItem": "update_item", "getItem": "get_item"}[action.resource.rpartition(":")[2]]
        task = self.scheduler.start(
            f"{execution.label} {action.state}", lambda: getattr(self.client, operation)(**action.parameters)
        )
        self.of_task[task] = execution
        wait(lambda: task.done or task.late)
        if task.late:
            raise StateError("States.Timeout", action.state)
        if isinstance(task.error, ClientError):
            raise StateError(f"DynamoDB.{task.error.response['Error']['Code']}", str(task.error))
        if isinstance(task.error, Crash | HTTPClientError):
            raise StateError("DynamoDB.SdkClientException", "no answer came")
        if task.error is not None:
            raise task.error
        return {name: value for name, value in task.result.items() if name != "ResponseMetadata"}

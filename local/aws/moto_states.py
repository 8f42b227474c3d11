"""One state in moto's interpreter, in this process: no server, no functions, no time that passes."""

import json
import logging
import pickle
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from local.aws.moto_executions import parse_path_once
from local.aws.moto_patches import check_version
from local.names import ACCOUNT, REGION
from operate.asl.answers import AN_ITEM, alone, came
from operate.asl.error_cases import ErrorCase, Handled
from operate.asl.state_cases import Came, StateCase

_ROLE = f"arn:aws:iam::{ACCOUNT}:role/local"
_MOCKED = "mocked for this case"
_MORE_THAN_ANY_RETRIER = 99


def handled_by_moto(case: ErrorCase) -> Handled:
    """How moto's interpreter handles an error. Raises UnsupportedMoto."""
    ran = _run(case, _Answers([], case.error))
    goes_to = None if ran.error is not None else ran.goes_to
    return Handled(ran.retriers[-1] if ran.retriers else None, len(ran.retriers), goes_to)


def came_by_moto(case: StateCase) -> Came:
    """What moto's interpreter makes of a state. Raises UnsupportedMoto."""
    results = case.result if case.definition["Type"] == "Map" else [case.result]
    ran = _run(case, _Answers(results))
    return Came(None, error=ran.error) if ran.error is not None else came(case, ran.goes_to, ran.output, ran.asked)


@dataclass
class _Ran:
    """retriers: by its place, the retrier of each retry."""

    error: str | None = None
    goes_to: str | None = None
    output: Any = None
    asked: list[Any] = field(default_factory=list)
    retriers: list[int] = field(default_factory=list)


def _run(case: ErrorCase | StateCase, answers: "_Answers") -> _Ran:
    import moto
    from moto.stepfunctions.parser.api import StateMachineType
    from moto.stepfunctions.parser.asl.eval.environment import Environment
    from moto.stepfunctions.parser.asl.eval.evaluation_details import AWSExecutionDetails
    from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext
    from moto.stepfunctions.parser.asl.eval.states import ContextObjectData, ExecutionData, StateMachineData

    check_version(moto.__version__)
    program = pickle.loads(_parsed(json.dumps(alone(case.state, case.definition))))  # noqa: S301 -- packed below
    execution = case.context["Execution"]
    given = json.loads(json.dumps(case.data))
    inside = AN_ITEM if case.definition["Type"] == "Map" else case.state
    environment = Environment(
        aws_execution_details=AWSExecutionDetails(ACCOUNT, REGION, _ROLE),
        execution_type=StateMachineType.STANDARD,
        context=ContextObjectData(
            Execution=ExecutionData(
                Id=execution["Id"], Name=execution["Name"], Input=given, RoleArn=_ROLE, StartTime="2026-01-01T00:00:00Z"
            ),
            StateMachine=StateMachineData(Id="arn", Name="alone"),
        ),
        event_history_context=EventHistoryContext.of_program_start(),
        cloud_watch_logging_session=None,
        activity_store={},
        mock_test_case=_Mocked({inside: answers}),
    )
    answers.environment = environment
    ran = _Ran()
    with _no_time_passes(program.states.states[case.state], ran):
        program.eval(environment)
    return _read(environment, case.state, ran)


def _read(environment: Any, state: str, ran: _Ran) -> _Ran:
    for event in environment.event_manager.get_event_history():
        if details := event.get("taskScheduledEventDetails"):
            ran.asked.append(json.loads(details["parameters"]))
        elif details := event.get("executionFailedEventDetails"):
            ran.error = details.get("error", "")
        elif details := event.get("executionSucceededEventDetails"):
            ran.output = json.loads(details["output"])
        elif (details := event.get("stateEnteredEventDetails")) and details["name"] not in (state, AN_ITEM):
            ran.goes_to = details["name"]
    return ran


@dataclass(frozen=True)
class _Mocked:
    """What moto asks of a test case."""

    state_mocked_responses: Mapping[str, Any]


class _Answers:
    """A Map's items one after the other, and every attempt of a task the same."""

    environment: Any = None

    def __init__(self, results: list[Any], error: str | None = None) -> None:
        self._results, self._error, self._given = results, error, 0

    @property
    def mocked_responses(self) -> "_Answers":
        return self

    def __len__(self) -> int:
        return _MORE_THAN_ANY_RETRIER

    def __getitem__(self, _attempt: int) -> Any:
        from moto.stepfunctions.parser.mocking.mock_config import MockedResponseReturn

        if self._error is not None:
            raise self._failure(self._error)
        self._given += 1
        return MockedResponseReturn(0, 0, self._results[(self._given - 1) % len(self._results)])

    def _failure(self, error: str) -> Exception:
        """moto's own mocks know no error of the States Language, such as States.Timeout."""
        from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
        from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
        from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
            FailureEvent,
            FailureEventException,
        )
        from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
        from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
            StatesErrorNameType,
        )
        from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

        of_the_language = error.startswith("States.")
        name = StatesErrorName(StatesErrorNameType.from_name(error)) if of_the_language else CustomErrorName(error)
        details = EventDetails(taskFailedEventDetails=TaskFailedEventDetails(error=error, cause=_MOCKED))
        failed = HistoryEventType.TaskFailed
        failure: Exception = FailureEventException(FailureEvent(self.environment, name, failed, details))
        return failure


@lru_cache(maxsize=256)
def _parsed(definition: str) -> bytes:
    """Parsing takes moto longer than running."""
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

    program, _ = AmazonStateLanguageParser.parse(definition)
    return pickle.dumps(program)


@lru_cache(maxsize=1)
def _path_parser() -> Any:
    from moto.stepfunctions.parser.asl.utils import json_path

    return parse_path_once(json_path.parse)


@contextmanager
def _no_time_passes(state: Any, ran: _Ran) -> Iterator[None]:
    """Neither between attempts nor in a Wait; who asked for a retry is noted."""
    from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEventException
    from moto.stepfunctions.parser.asl.component.common.path import result_path
    from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
    from moto.stepfunctions.parser.asl.component.common.retry.retrier_outcome import RetrierOutcome
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_dynamodb import (
        StateTaskServiceDynamoDB,
    )
    from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
    from moto.stepfunctions.parser.asl.utils import json_path

    original = retrier_decl.RetrierDecl._eval_body
    places = {id(one): place for place, one in enumerate(getattr(getattr(state, "retry", None), "retriers", ()))}

    from_error = StateTaskServiceDynamoDB._from_error

    def as_mocked(self: Any, env: Any, ex: Exception) -> Any:
        """moto takes a mocked error of DynamoDB for one that has no name."""
        mocked = isinstance(ex, FailureEventException) and _MOCKED in str(ex.failure_event.event_details)
        return ex.failure_event if mocked else from_error(self, env, ex)  # type: ignore[attr-defined]

    def noted(self: Any, env: Any) -> None:
        original(self, env)
        if env.stack[-1] == RetrierOutcome.Executed:
            ran.retriers.append(places[id(self)])

    logger = logging.getLogger("moto.stepfunctions")  # which tells of every error as it comes up
    with ExitStack() as patched:
        for target, name, replacement in (
            (retrier_decl, "time", SimpleNamespace(sleep=lambda _seconds: None)),
            (retrier_decl.RetrierDecl, "_eval_body", noted),
            (logger, "propagate", False),
            (logger, "handlers", [logging.NullHandler()]),
            (StateTaskServiceDynamoDB, "_from_error", as_mocked),
            (WaitFunction, "_wait_interval", lambda *_, **__: None),
            (json_path, "parse", _path_parser()),
            (result_path, "parse", _path_parser()),
        ):
            patched.enter_context(patch.object(target, name, replacement))
        yield

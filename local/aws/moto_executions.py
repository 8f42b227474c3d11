"""The patches of moto's Step Functions: how executions are parsed, started, told of, ended and forgotten."""

import pickle
import threading
import time
import zlib
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from local.aws.status_events import StatusChange

if TYPE_CHECKING:
    from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend
    from moto.stepfunctions.responses import StepFunctionResponse

P = ParamSpec("P")
Original = Callable[..., Any]
"""What a patch stands in front of."""

KEPT_EXECUTIONS = 2000
_LAST_THREADS = timedelta(seconds=5)
_STARTING_SECONDS = 2.0

FINAL = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")

Tell = Callable[[StatusChange], None]
"""Hears of every execution that starts and that ends, once each, in that order; it must return at once."""


def tell_nobody(_change: StatusChange) -> None:
    """For those who only want the other patches."""


def tell_of_start(original: Original, *, tell: Tell) -> Any:
    """moto sends no event when an execution starts or ends. Told before its thread can come to an end."""

    def start(self: "Execution") -> None:
        tell(_change_of(self, "RUNNING"))
        original(self)

    return start


def end_at_once(original: Original, *, tell: Tell) -> Any:
    """StopExecution makes an execution ABORTED there and then, as on AWS, whatever its Lambdas still do.

    moto leaves it RUNNING until the Lambda returns; nobody could take over from an execution whose worker is frozen.
    """

    def stop(self: "Execution", stop_date: object, error: str | None, cause: str | None) -> None:
        _wait_until_started(self)
        with _ending:
            if self.exec_status.value in FINAL:
                return
            error, cause = _reason.get() or (error, cause)
            original(self, stop_date, error, cause)
            self.exec_status = type(self.exec_status).ABORTED
            self.stop_date, self.error, self.cause = datetime.now(UTC), error or None, cause or None
            tell(_change_of(self, "ABORTED"))

    return stop


def pass_reason_on(original: Original) -> Any:
    """moto forgets the error and the cause that StopExecution is given: nobody could read why it was stopped."""

    def stop_execution(self: "StepFunctionResponse") -> Any:
        given = _reason.set((self._get_param("error") or "", self._get_param("cause") or ""))
        try:
            return original(self)
        finally:
            _reason.reset(given)

    return stop_execution


def keep_first_ending(original: Original, *, tell: Tell) -> Any:
    """What an execution ended as stays, also when its threads come to another end later (in a Map they do: FAILED)."""

    def terminated(self: "BaseExecutionWorkerCommunication") -> None:
        with _ending:
            if self.execution.exec_status.value not in FINAL:
                original(self)
                tell(_change_of(self.execution, self.execution.exec_status.value))

    return terminated


def _change_of(execution: "Execution", status: str) -> StatusChange:
    from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

    return StatusChange(
        arn=execution.exec_arn,
        state_machine_arn=execution.state_machine.arn,
        name=execution.name,
        status=status,
        started_at=execution.start_date,
        stopped_at=execution.stop_date,
        input=to_json_str(execution.input_data),
        output=to_json_str(execution.output) if status == "SUCCEEDED" else None,
    )


def keep_request_id(original: Callable[Concatenate[object, dict[str, Any], P], Any]) -> Any:
    """The output of a Lambda task says which request it was, as on AWS: it leads to the log. moto leaves it out."""

    def select_from_typed_dict(typed_dict: object, obj: dict[str, Any], *args: P.args, **kwargs: P.kwargs) -> Any:
        selected = original(typed_dict, obj, *args, **kwargs)
        if request_id := obj.get("ResponseMetadata", {}).get("RequestId"):
            selected["SdkResponseMetadata"] = {"RequestId": request_id}
        return selected

    return select_from_typed_dict


class EndedWorker:
    """What is asked of an ended execution's worker: its history, packed. The worker itself has the whole program with
    the values of every state, two to three megabytes."""

    def __init__(self, history: list[Any]) -> None:
        self._packed = zlib.compress(pickle.dumps(history), level=1)

    @property
    def env(self) -> "EndedWorker":
        return self

    event_manager = env

    def get_event_history(self) -> list[Any]:
        events: list[Any] = pickle.loads(zlib.decompress(self._packed))  # noqa: S301 -- what this object packed
        return events

    def program_state(self) -> str:
        return "ended"


def keep_history_alone(execution: "Execution") -> None:
    """Pack what an ended execution leaves, some seconds after its end: its last threads have ended then."""
    worker, ended = execution.exec_worker, execution.stop_date
    if worker is None or isinstance(worker, EndedWorker) or execution.status not in FINAL or ended is None:
        return
    if worker.env is not None and datetime.now(UTC) - ended > _LAST_THREADS:
        packed: Any = EndedWorker(worker.env.event_manager.get_event_history())
        execution.exec_worker = packed


def forget_old_executions(original: "Callable[Concatenate[StepFunctionsParserBackend, str, P], Execution]") -> Any:
    """Every execution keeps its history and its threads' objects for ever, and the schedule starts one after the other.
    Keep all that run, and of the newest that have ended their histories."""

    def start_execution(
        self: "StepFunctionsParserBackend", state_machine_arn: str, *args: P.args, **kwargs: P.kwargs
    ) -> "Execution":
        execution = original(self, state_machine_arn, *args, **kwargs)
        with _ending:
            executions = self.describe_state_machine(state_machine_arn).executions
            old = executions[:-KEPT_EXECUTIONS]
            executions[: len(old)] = [each for each in old if each.status not in FINAL]
            for each in executions:
                keep_history_alone(each)
            interpreter_threads()
        return execution

    return start_execution


def parse_once(original: Original) -> Any:
    """moto parses the state machine anew for every execution, 0.2 to 0.8 s of computing time for ours; a copy of the
    parsed one takes 5 ms by pickle, 25 by deepcopy. A copy, so that an execution shares with no other what may hold
    state while it runs."""

    @lru_cache(maxsize=4)
    def parsed(definition: str) -> Any:
        program, tree = original(definition)
        return pickle.dumps(program), tree

    def parse(definition: str) -> Any:
        program, tree = parsed(definition)
        return pickle.loads(program), tree  # noqa: S301 -- what was packed above

    return staticmethod(parse)


def parse_path_once(original: Original) -> Any:
    """moto builds a parser of JSON paths, tables and all, every time that a state meets a path."""
    return lru_cache(maxsize=4096)(original)


def make_client_once(original: Original) -> Any:
    """moto makes a client for every task, and asks of the credentials of a state nothing. Kept while patched."""
    made = lru_cache(maxsize=16)(original)

    def boto_client_for(region: str, service: str, state_credentials: object = None) -> Any:  # noqa: ARG001 - as moto calls it
        return made(region=region, service=service)

    return boto_client_for


def interpreter_threads() -> list[threading.Thread]:
    """The threads of executions that still run, however little; moto's list of those that ended is cut on the way."""
    from moto.stepfunctions.parser.utils import TMP_THREADS

    TMP_THREADS[:] = [thread for thread in TMP_THREADS if thread.ident is None or thread.is_alive()]
    return list(TMP_THREADS)


_ending = threading.Lock()
_reason: ContextVar[tuple[str, str] | None] = ContextVar("error and cause of the StopExecution at hand", default=None)


def _wait_until_started(execution: "Execution") -> None:
    """An execution is RUNNING some milliseconds before its interpreter can be told to stop."""
    deadline = time.monotonic() + _STARTING_SECONDS
    while time.monotonic() < deadline:
        environment = execution.exec_worker.env
        if environment is not None and environment.program_state() is not None:
            return
        time.sleep(0.005)

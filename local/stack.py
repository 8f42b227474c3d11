"""The local stack: everything that a deployment is, in one process and its workers."""

import shutil
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from local import names
from local.application import Application, compaction_application
from local.aws import resources
from local.aws.cloud import Cloud, join_interpreter
from local.aws.executions import Execution, Executions, Running
from local.aws.lifecycle import Lifecycle
from local.aws.status_events import StatusChange, StatusEvents
from local.errors import StackNotStarted, StillRunning
from local.folder_lock import FolderLock
from local.kept import Kept
from local.lambdas.environment import handler_environment
from local.lambdas.invoke_server import invoke_server
from local.lambdas.workers import Workers
from local.logs import StackLog
from local.mapping.filters import RECEIPT_CHANGES, Pattern
from local.mapping.poller import Mapping, Poller
from local.schedule import Schedule
from local.settings import StackSettings
from operate.connection import Connection

T = TypeVar("T")

_STOP_SECONDS = 10.0
_RESET_SECONDS = 5.0
_RECORD_SECONDS = 2.0
_DRAIN_SECONDS = 5.0


class LocalStack:
    """Lives in `folder`: `efs/` stands for the file system, `logs/` has the stack's log and one per worker (bounded),
    `tmp/` is the workers' /tmp. One stack per process, and one per folder. `with LocalStack(folder) as stack:` starts
    and stops it. keep: what it has when it stops is there when it starts again in this folder (see `kept`). fresh: what
    lies in the folder when it starts goes.
    """

    def __init__(
        self,
        folder: Path,
        settings: StackSettings | None = None,
        *,
        keep: bool = False,
        fresh: bool = False,
        application: Application | None = None,
        filters: Sequence[Pattern] = RECEIPT_CHANGES,
    ) -> None:
        self.folder = folder.resolve()
        self.settings = settings or StackSettings()
        self.application = application or compaction_application(
            merge_workers=self.settings.merge_workers,
            timeout_seconds=self.settings.function_timeout_seconds,
            probe=self.settings.probe,
        )
        self._filters = filters
        self._kept = Kept(self.folder) if keep else None
        self._lock = FolderLock(self.folder)
        self._fresh = fresh
        self._drained = False
        self._log = StackLog(self.logs / "stack.log")
        self._cloud = Cloud()
        self._clients: dict[str, Any] = {}
        self._definition = ""
        self._functions_endpoint_url = ""
        self._ending = ExitStack()
        self._workers: Workers | None = None
        self._executions: Executions | None = None
        self._poller: Poller | None = None
        self._schedule: Schedule | None = None
        self._scrub: Schedule | None = None
        self._status_events: StatusEvents | None = None

    @property
    def efs(self) -> Path:
        """The folder that stands for the file system."""
        return self.folder / "efs"

    @property
    def logs(self) -> Path:
        """The folder of the logs; `worker_logs.find_invocation` finds an invocation there by its request id."""
        return self.folder / "logs"

    @property
    def workers(self) -> Workers:
        """The Lambda functions' processes."""
        return _started(self._workers)

    @property
    def executions(self) -> Executions:
        """Of the state machine: start, list, wait, stop."""
        return _started(self._executions)

    @property
    def poller(self) -> Poller:
        """The stream mapping. A reset replaces it."""
        return _started(self._poller)

    @property
    def schedule(self) -> Schedule:
        """What starts executions every few seconds."""
        return _started(self._schedule)

    @property
    def scrub(self) -> Schedule:
        """What has the current version proved again, where the settings say how often."""
        return _started(self._scrub)

    @property
    def status_events(self) -> StatusEvents:
        """What tells the recorder of executions that start and end."""
        return _started(self._status_events)

    @property
    def connection(self) -> Connection:
        """How anyone reaches this stack, from this process or another."""
        _started(self._workers)
        return Connection(
            region=names.REGION,
            endpoint_url=self._cloud.endpoint_url,
            state_machine_arn=names.STATE_MACHINE_ARN,
            receipts_table=names.RECEIPTS_TABLE,
            control_table=names.CONTROL_TABLE,
            bucket=names.BUCKET,
            efs_root=str(self.efs),
            failure_queue_url=self.failure_queue_url,
            functions_endpoint_url=self._functions_endpoint_url,
            probe_function=self.application.probe.name if self.application.probe else None,
        )

    @property
    def failure_queue_url(self) -> str:
        """The queue of what the stream could not deliver or the handler could not parse."""
        return f"{self._cloud.endpoint_url}/{names.ACCOUNT}/{names.FAILURE_QUEUE}"

    def client(self, service: str) -> Any:
        """A boto3 client on the stack's endpoint, the same one for every call."""
        if service not in self._clients:
            self._clients[service] = self.connection.client(service)
        return self._clients[service]

    def wait_for_execution(self, arn: str, timeout: float = 60) -> Execution:
        """The execution once it has ended. Raises StillRunning."""
        return self.executions.wait(arn, timeout)

    def __enter__(self) -> "LocalStack":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Bring everything up. Raises ApplicationMissing, SubstitutionError, StackAlreadyRunning, UnsupportedMoto."""
        self.application.check()
        self._definition = resources.definition(self.application, self.settings.shards)
        try:
            self._ending.callback(self._lock.release)
            self._lock.take(fresh=self._fresh)
            if self._kept is not None:
                self._kept.begin(self.efs)
            for name in ("efs", "logs", "tmp"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        # Each part says how it ends; `stop` does that in the opposite order, and all of it whatever fails.
        ending = self._ending
        ending.callback(self._forget)
        self._log.start()
        ending.callback(self._log.stop)
        # moto must know where the server listens before there can be workers, which must know where moto listens.
        server = invoke_server(lambda function, event: self.workers.invoke(function, event))
        ending.callback(server.stop)
        recorder = self.application.recorder
        events = self._status_events = StatusEvents(
            None if recorder is None else lambda event: self.workers.invoke(recorder.name, event)
        )
        running = Running()

        def tell(change: StatusChange) -> None:
            running.tell(change)
            events.tell(change)

        self._functions_endpoint_url = f"http://{server.address}"
        self._cloud.start(lambda_endpoint_url=self._functions_endpoint_url, tell=tell)
        ending.callback(self._cloud.stop)
        environment = handler_environment(
            settings=self.settings,
            endpoint_url=self._cloud.endpoint_url,
            efs_root=self.efs,
            work_root=self.folder / "tmp",
            failure_queue_url=self.failure_queue_url,
        )
        workers = Workers(self.application, environment, self.logs, self.settings.init_timeout_seconds)
        self._workers = workers
        server.start()
        self._create_resources(self._kept)
        if self._kept is not None:
            ending.callback(self._save, self._kept)
        executions = self._executions = Executions(self._cloud.client("stepfunctions"), running)
        ending.callback(join_interpreter, _STOP_SECONDS)
        ending.callback(events.stop)
        ending.callback(lambda: self.poller.join())
        ending.callback(workers.stop)
        ending.callback(executions.stop_all)
        ending.callback(lambda: self.poller.ask_to_stop())
        ending.callback(workers.refuse)
        ending.callback(events.wait_delivered, _RECORD_SECONDS)
        events.start()
        self._poller = self._new_poller()
        self._poller.start()
        schedule = self._schedule = Schedule(executions, self.settings.schedule_seconds)
        scrub = self._scrub = Schedule(executions, self.settings.scrub_seconds, "verify")
        lifecycle = Lifecycle(self._cloud.client("s3"), timedelta(seconds=self.settings.plans_kept_seconds))
        for one in (schedule, scrub, lifecycle):
            ending.callback(one.stop)
            one.start()
        if self._kept is not None:
            ending.callback(self._drain)

    def stop(self) -> None:
        """Take everything down: stop the schedule, let what has ended be recorded, refuse invocations, stop the poller,
        abort what runs, end the workers, wait for the interpreter, then the servers. The other way round leaves
        orphans. May be called twice."""
        self._ending.close()

    def _forget(self) -> None:
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        self._workers = self._poller = self._executions = self._schedule = self._scrub = self._status_events = None

    def reset(self, busy_seconds: float = _RESET_SECONDS) -> None:
        """A stack as new, for the next test: no data, no executions, nothing on the file system. Workers stay warm, but
        for those that do not finish within `busy_seconds` what they are at: they are killed."""
        self.schedule.pause()
        self.scrub.pause()
        self.poller.ask_to_stop()
        self.executions.stop_all()
        self.workers.drain(busy_seconds)
        self.poller.join()
        self.executions.stop_all()  # the stream handler may have started one just now
        self.workers.drain(busy_seconds)
        join_interpreter(_STOP_SECONDS)
        if not self.status_events.wait_delivered(busy_seconds):
            self.status_events.forget()
        self.workers.drain(busy_seconds)  # no late row may come into the new tables
        self._cloud.reset()
        self.executions.forget()
        for folder in (self.efs, self.folder / "tmp"):
            for entry in folder.iterdir():
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        self._create_resources()
        self._poller = self._new_poller()
        self._poller.start()
        self.schedule.resume()
        self.scrub.resume()

    def _drain(self) -> None:
        """Let the stream handler have what was written, so that what is kept needs no second look."""
        with suppress(StillRunning):
            self.poller.wait_caught_up(_DRAIN_SECONDS)
            self._drained = True

    def _save(self, kept: Kept) -> None:
        kept.save(self._cloud.client("dynamodb"), self._cloud.client("s3"), drained=self._drained)

    def _create_resources(self, kept: Kept | None = None) -> None:
        dynamodb, s3 = self._cloud.client("dynamodb"), self._cloud.client("s3")
        resources.create_tables(dynamodb)
        resources.create_bucket(s3)
        if kept is not None:
            kept.load(dynamodb, s3, datetime.now(UTC))
        resources.enable_stream(dynamodb)
        resources.create_failure_queue(self._cloud.client("sqs"))
        resources.create_state_machine(self._cloud.client("stepfunctions"), self._definition)

    def _new_poller(self) -> Poller:
        sqs, settings = self._cloud.client("sqs"), self.settings
        function = self.application.stream_handler.name
        mapping = Mapping(
            stream_arn=resources.stream_arn(self._cloud.client("dynamodb")),
            function_arn=names.function_arn(function),
            filters=self._filters,
            batch_size=settings.batch_size,
            window_seconds=settings.batch_window_seconds,
            poll_seconds=settings.poll_seconds,
            retry_attempts=settings.retry_attempts,
            backoff_seconds=settings.retry_backoff_seconds,
            bisect=settings.bisect,
        )
        return Poller(
            mapping,
            streams=self._cloud.client("dynamodbstreams"),
            invoke=lambda event: self.workers.invoke(function, event),
            discard=lambda message: sqs.send_message(QueueUrl=self.failure_queue_url, MessageBody=message),
        )


def _started(part: T | None) -> T:
    if part is None:
        raise StackNotStarted("the local stack does not run: call start() first")
    return part

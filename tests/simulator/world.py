"""The machine in one process: moto's DynamoDB and S3, a folder as EFS, the handlers, virtual time; saved and put back
between runs, so that each of many runs begins with the same published collection.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import random
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

import boto3
from aws_lambda_powertools.warnings import PowertoolsUserWarning
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import Table
from moto.s3.models import s3_backends
from receipt_chroma.storage import files

from handlers import clients, settings, step
from local.aws.moto_patches import copy_scalars, narrow_to_partition, project_by_name

from .aws import AwsGate
from .disk import DiskGate
from .effects import Gate, Kind, stable
from .executions import MACHINE_ARN, StepFunctions, machine
from .tasks import Scheduler, Task, current, sleep_until

REGION = "us-east-1"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
    "RECEIPTS_TABLE": "receipts",
    "CONTROL_TABLE": "control",
    "BUCKET": "bucket",
    "STATE_MACHINE_ARN": MACHINE_ARN,
    "MIN_COMMIT_INTERVAL_SECONDS": "0",
    "KEEP_SNAPSHOTS": "2",
    "POWERTOOLS_METRICS_NAMESPACE": "Compaction",
    "POWERTOOLS_SERVICE_NAME": "compaction",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
}
OURS = ("handlers", "receipt_chroma", "receipt_dynamo_stream")
_CACHES = (
    *(clients.dynamodb, clients.s3, clients.impatient_s3, clients.sqs, clients.stepfunctions),
    *(clients.impatient_stepfunctions, settings.settings, step.logger, step.metrics),
)


@dataclass(frozen=True)
class Saved:
    """Everything that lasts: tables, objects, EFS, the time."""

    tables: dict[str, Any]
    objects: dict[str, tuple[bytes, datetime]]
    efs: Path
    now: datetime


class Inline:
    """A pool whose work is done where it is given: threads would make every run another one."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __enter__(self) -> Inline:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, work: Callable[..., Any], *args: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*args, **options))
        except Exception as error:  # noqa: BLE001 -- it is raised by `result`; Crash goes through
            future.set_exception(error)
        return future

    def map(self, work: Callable[..., Any], *items: Any) -> Iterator[Any]:
        return iter([work(*each) for each in zip(*items, strict=False)])

    def shutdown(self, *_: Any, **__: Any) -> None:
        pass


class Machine:
    """Enter it once for many runs: `begin` makes each of them a new one, from nothing or from what was saved."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder, self.efs, self.own = folder, folder / "efs", folder / "tmp"
        self.environment = {
            **ENVIRONMENT,
            "EFS_ROOT": str(self.efs),
            "WORK_ROOT": str(self.own),
            **environment,
        }
        self.scheduler = Scheduler()
        self.gate = Gate()
        self.chance = random.Random(0)
        self.saves = 0

    @contextmanager
    def running(self) -> Iterator[Machine]:
        """While inside, AWS and EFS are the simulator's."""
        with ExitStack() as entered:
            entered.enter_context(patch.dict(os.environ, self.environment))
            entered.enter_context(warnings.catch_warnings())
            # Here all functions share one process, and with it the metrics that they have begun.
            warnings.simplefilter("ignore", PowertoolsUserWarning)
            entered.enter_context(mock_aws())
            for cached in _CACHES:
                cached.cache_clear()
                entered.callback(cached.cache_clear)
            self.dynamodb, self.s3 = boto3.client("dynamodb"), boto3.client("s3")
            self.s3.create_bucket(Bucket="bucket")
            os.environ["FAILURE_QUEUE_URL"] = boto3.client("sqs").create_queue(QueueName="failures")["QueueUrl"]
            self._patch(entered)
            self.begin()
            yield self
            self.scheduler.end()
            vars(tempfile)["_name_sequence"] = None

    def _patch(self, entered: ExitStack) -> None:
        machine_now = lambda: self.scheduler.now  # noqa: E731
        file_names = files.file_names

        class Virtual(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:  # noqa: ARG003 -- as it is called
                return machine_now()

        for path in Path(step.__file__).parent.glob("[a-z]*.py"):
            importlib.import_module(f"handlers.{path.stem}")
        replacements = {
            "ThreadPoolExecutor": (ThreadPoolExecutor, Inline),
            "uuid4": (uuid4, self._uuid4),
            "file_names": (files.file_names, lambda folder: sorted(file_names(folder), key=stable)),
        }
        for module in [m for n, m in sys.modules.items() if n.partition(".")[0] in OURS]:
            more = {"datetime": (datetime, Virtual)} if module.__name__.startswith("handlers") else {}
            for name, (original, replacement) in {**replacements, **more}.items():
                if vars(module).get(name) is original:
                    entered.enter_context(patch.object(module, name, replacement))
        entered.enter_context(patch("moto.s3.models.utcnow", lambda: self.scheduler.now.replace(tzinfo=None)))
        entered.enter_context(patch.object(step, "flush", lambda collected: collected.clear_metrics()))
        entered.enter_context(patch.object(step, "measure_apart", lambda *_, **__: None))
        for target, name, replace in (
            (Table, "query", narrow_to_partition),
            (Item, "project", project_by_name),
            (BaseJSONSerializer, "_serialize_type_structure", copy_scalars),
        ):  # the local stack's own, which make moto quick
            entered.enter_context(patch.object(target, name, replace(getattr(target, name))))
        self.stepfunctions = StepFunctions(self.scheduler, self.gate, machine("control"))
        aws = AwsGate(self.gate, lambda *asked: self.stepfunctions.answer(*asked), self._nap)
        entered.enter_context(aws.entered())
        self.disk = DiskGate(self.gate, self.efs, self.own)
        entered.enter_context(self.disk.entered())

    def _uuid4(self) -> UUID:
        return UUID(int=self.chance.getrandbits(128), version=4)

    def _nap(self, _seconds: float) -> None:
        """A client waits before it tries again, here without jitter."""
        if current() is not None:
            sleep_until(self.scheduler.now + timedelta(milliseconds=100))

    # -- a run's beginning

    def begin(self, saved: Saved | None = None, *, seed: int = 0) -> None:
        """A new run."""
        self.scheduler.end()
        self.chance.seed(seed)
        vars(tempfile)["_name_sequence"] = (f"{self.chance.getrandbits(32):08x}" for _ in count())
        for folder in (self.efs, self.own):
            shutil.rmtree(folder, ignore_errors=True)
        self.own.mkdir(parents=True)
        self._empty()
        scheduler = Scheduler()
        self.scheduler.__dict__.update(scheduler.__dict__)
        self.gate.__dict__.update(Gate(tick=self.scheduler.tick, stop=self._stop).__dict__)
        self.stepfunctions = StepFunctions(self.scheduler, self.gate, self.stepfunctions.definition)
        self.stepfunctions.before_call = self._retime
        self.stepfunctions.runs = lambda collection: collection.startswith("words")
        self._timed: set[str] = set()
        if saved is None:
            self.efs.mkdir()
            return
        shutil.copytree(saved.efs, self.efs)
        self._timed = {str(path) for path in self.efs.rglob("*")}
        self.scheduler.now = saved.now
        for name, items in saved.tables.items():
            dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].tables[name].items.update(deepcopy(items))
        now = self.scheduler.now
        for key, (content, written_at) in saved.objects.items():
            self.scheduler.now = written_at
            self.s3.put_object(Bucket="bucket", Key=key, Body=content)
        self.scheduler.now = now

    def save(self) -> Saved:
        """What there is, for runs that begin with it."""
        self.saves += 1
        self._retime()
        copy = self.folder / f"saved-{self.saves}"
        shutil.copytree(self.efs, copy)
        backend = dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION]
        tables = {name: deepcopy(dict(table.items)) for name, table in backend.tables.items()}
        bucket = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets["bucket"]
        objects = {
            key: (found.value, found.last_modified.replace(tzinfo=self.scheduler.now.tzinfo))
            for key, found in bucket.keys.items()
        }
        return Saved(tables, objects, copy, self.scheduler.now)

    def _empty(self) -> None:
        backend = dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION]
        for name in ("receipts", "control"):
            if name in backend.tables:
                backend.tables[name].items.clear()
            else:
                key = lambda n, kind: {"AttributeName": n, "KeyType": kind}  # noqa: E731
                self.dynamodb.create_table(
                    TableName=name,
                    BillingMode="PAY_PER_REQUEST",
                    KeySchema=[key("PK", "HASH"), key("SK", "RANGE")],
                    AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("PK", "SK")],
                )
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets["bucket"].keys.clear()

    def _stop(self, task: Task, kind: Kind) -> None:
        if (execution := self.stepfunctions.of_task.get(task)) is not None:
            self.stepfunctions.stop(execution)
            if kind is Kind.OVERTAKE:
                self.stepfunctions.start({"collection": execution.input["collection"], "trigger": "schedule"})

    def _retime(self) -> None:
        """Files are as old as virtual time says: those that came since the last call are of now."""
        stamp = self.scheduler.now.timestamp()
        for folder, below, within in os.walk(self.efs):
            for name in (*below, *within):
                path = f"{folder}/{name}"
                if path not in self._timed:
                    self._timed.add(path)
                    os.utime(path, (stamp, stamp))

    # -- looking, past every gate

    def item(self, sort_key: str = "HEAD", *, partition: str = "COLLECTION#words") -> dict[str, Any]:
        """One item of the control table, as plain text values."""
        found = dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].tables["control"].items
        for hash_key, items in found.items():
            if hash_key.value == partition:
                for range_key, item in items.items():
                    if range_key.value == sort_key:
                        return {name: value.value for name, value in item.attrs.items()}
        return {}

    def rows(self, partition: str) -> list[dict[str, Any]]:
        """Every item of a partition of the control table."""
        found = dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].tables["control"].items
        return [
            {name: value.value for name, value in item.attrs.items()}
            for hash_key, items in found.items()
            if hash_key.value == partition
            for item in items.values()
        ]

    def objects(self) -> dict[str, bytes]:
        """Every object of the bucket."""
        keys = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets["bucket"].keys
        return {key: found.value for key, found in keys.items()}


def sha256_of(content: bytes) -> str:
    """Hex."""
    return hashlib.sha256(content).hexdigest()

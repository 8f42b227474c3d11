"""The one module that knows the APIs behind the console: Step Functions, the control table, manifests on S3.

Nothing here prints. Service errors that mean something to an operator become `operate.errors`; others are raised as
boto3 raises them. Listings are lazy: what nobody looks at is not asked for.
"""

import json
import re
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from typing import Any

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Head
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.reconcile import reconcile
from receipt_dynamo_stream.round.plan import load_plan

from operate.connection import Connection
from operate.errors import ExecutionAmbiguous, ExecutionNotFound, PreviewMissing, SnapshotNotFound
from operate.models import (
    CollectionStatus,
    Execution,
    PlanPreview,
    described_execution,
    execution_name,
    listed_execution,
    parse_time,
    state_word,
)

_PAGE = 100
_SEARCHED = 1_000
"""How many of the latest executions a shortened name, or a collection's last execution, is looked for in."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def new_unique() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True)
class Api:
    """What an operator can ask and do. Safe to share; every answer is read anew."""

    connection: Connection
    now: Callable[[], datetime] = utc_now
    new_unique: Callable[[], str] = new_unique
    sleep: Callable[[float], None] = time.sleep

    @cached_property
    def _sfn(self) -> Any:
        return self.connection.client("stepfunctions")

    @cached_property
    def _dynamodb(self) -> Any:
        return self.connection.client("dynamodb")

    @property
    def _control(self) -> ControlTable:
        return ControlTable(self._dynamodb, self.connection.control_table)

    @cached_property
    def _s3(self) -> Any:
        return self.connection.client("s3")

    # What is

    def head(self, collection: str) -> Head | None:
        """Lease and pointer of a collection; None before its first execution."""
        return self._control.head(collection).read()

    def status(self, collection: str) -> CollectionStatus:
        """One look at a collection. A manifest that is not where the pointer says is a `problem`, not an exception."""
        now = self.now()
        head = self.head(collection)
        backlog = self._control.pending(collection).backlog(now.isoformat())
        manifest, problem = self._manifest_or_problem(head)
        version, paused = (head.version, head.paused) if head else (0, None)
        return CollectionStatus(
            collection=collection,
            state=state_word(version=version, pending=backlog.count, paused=paused),
            version=version,
            projected_version=head.projected_version if head else 0,
            snapshot_id=head.pointer.snapshot_id if head and head.pointer else None,
            records=manifest.get("records"),
            dimension=manifest.get("dimension"),
            shards=head.shards if head else None,
            committed_at=parse_time(head.committed_at) if head else None,
            pending=backlog.count,
            behind_seconds=backlog.oldest_seconds or 0.0,
            holder=head.holder if head else None,
            holder_since=parse_time(head.acquired_at) if head and head.holder else None,
            fence=head.fence if head else 0,
            paused=paused,
            rerun=head.rerun if head else None,
            quarantined=len(self._control.quarantine(collection).list()),
            last_execution=next(self.history(collection), None),
            problem=problem,
        )

    def manifest(self, collection: str) -> dict[str, Any]:
        """The manifest that the pointer names. Raises SnapshotNotFound, also before the first publication."""
        manifest, problem = self._manifest_or_problem(self.head(collection))
        if not manifest:
            raise SnapshotNotFound(problem or f"no snapshot of {collection} yet: `compaction status` says what waits")
        return manifest

    def _manifest_or_problem(self, head: Head | None) -> tuple[dict[str, Any], str | None]:
        if head is None or head.version == 0:
            return {}, None
        if head.pointer is None:
            return {}, f"HEAD of {head.collection} names no snapshot, though version {head.version} was committed"
        key = head.pointer.manifest_key
        try:
            body = self._s3.get_object(Bucket=self.connection.bucket, Key=key)["Body"].read()
        except self._s3.exceptions.NoSuchKey:
            return {}, f"HEAD of {head.collection} names {key}, which is not in bucket {self.connection.bucket}"
        manifest: dict[str, Any] = json.loads(body)
        return manifest, None

    # Executions

    def history(self, collection: str) -> Iterator[Execution]:
        """The executions of a collection that Step Functions lists, newest first, each described when it is reached."""
        for row in self._list(None):
            if row.collection in (None, collection):
                execution = self.describe(row.arn)
                if execution.collection == collection:
                    yield execution

    def describe(self, arn: str) -> Execution:
        """Raises ExecutionNotFound."""
        return described_execution(self._describe(arn))

    def resolve(self, execution: str) -> str:
        """The ARN of an execution given by ARN, by name, or by the beginning of a name that fits only one.

        Raises ExecutionNotFound or ExecutionAmbiguous.
        """
        if execution.startswith("arn:"):
            return self.describe(execution).arn
        not_found = f"no execution {execution}: `compaction history` lists them"
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,80}", execution):
            raise ExecutionNotFound(not_found)
        machine = self.connection.state_machine_arn
        try:
            return self.describe(f"{machine.replace(':stateMachine:', ':execution:')}:{execution}").arn
        except ExecutionNotFound:
            found = [row for row in islice(self._list(None), _SEARCHED) if row.name.startswith(execution)]
        if not found:
            raise ExecutionNotFound(not_found)
        if len(found) > 1:
            raise ExecutionAmbiguous(f"{len(found)} executions begin with {execution}: give more of the name")
        return found[0].arn

    def start(self, collection: str, mode: str = "compact", trigger: str = "operator", **more: str | bool) -> str:
        """Start an execution under a fresh name; returns its ARN. `more` is what its mode needs besides."""
        given = {"collection": collection, "mode": mode, "trigger": trigger, **more}
        return self._start(execution_name(collection, trigger, self.new_unique()), json.dumps(given))

    def rerun(self, execution: str) -> str:
        """Start a new execution with the input of an old one, given as `resolve` takes it; returns the new ARN."""
        old = self._describe(self.resolve(execution))
        collection = described_execution(old).collection or "unknown"
        return self._start(execution_name(collection, "operator", self.new_unique()), old["input"])

    def wait(self, arn: str, *, poll_seconds: float = 0.5) -> Execution:
        """Wait until an execution has ended, well or not; the state machine's own timeout bounds it."""
        while (execution := self.describe(arn)).status == "running":
            self.sleep(poll_seconds)
        return execution

    def output(self, arn: str) -> dict[str, Any]:
        """What an execution that succeeded gave; an empty object before that."""
        output: dict[str, Any] = json.loads(self._describe(arn).get("output") or "{}")
        return output

    def preview(self, planned: Execution) -> PlanPreview:
        """What an ended execution of mode `plan` would have done. Raises PreviewMissing when it made no plan."""
        result = self.output(planned.arn).get("result", {})
        if planned.outcome != "planned" or planned.collection is None:
            raise PreviewMissing(f"{planned.name} made no plan: it ended {planned.result}")
        plan = load_plan(Bucket(self._s3, self.connection.bucket), result["plan_key"]) if result["plan_key"] else None
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

    def _list(self, status: str | None) -> Iterator[Execution]:
        wanted: dict[str, Any] = {"stateMachineArn": self.connection.state_machine_arn, "maxResults": _PAGE}
        if status is not None:
            wanted["statusFilter"] = status.upper()
        while True:
            page = self._sfn.list_executions(**wanted)
            yield from map(listed_execution, page["executions"])
            if not page.get("nextToken"):
                return
            wanted["nextToken"] = page["nextToken"]

    def _describe(self, arn: str) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = self._sfn.describe_execution(executionArn=arn)
        except (self._sfn.exceptions.ExecutionDoesNotExist, self._sfn.exceptions.InvalidArn) as error:
            raise ExecutionNotFound(f"no execution {arn}: `compaction history` lists them") from error
        return answer

    def _start(self, name: str, given: str) -> str:
        machine = self.connection.state_machine_arn
        answer = self._sfn.start_execution(stateMachineArn=machine, name=name, input=given)
        arn: str = answer["executionArn"]
        return arn

    # Repair

    def reconcile(
        self,
        collections: Sequence[str],
        image_id: str | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> int:
        """Mark every receipt pending in these collections, or those of one image; returns how many receipts.

        Also those that only the current snapshots know: they were deleted while nobody looked.
        """
        return reconcile(
            [self._control.pending(collection) for collection in collections],
            receipts_table=self.connection.receipts_table,
            image_id=image_id,
            snapshot_receipts=[
                receipt for collection in collections for receipt in self._published_receipts(collection)
            ],
            now=self.now().isoformat(),
            new_token=self.new_unique,
            progress=progress,
        )

    def _published_receipts(self, collection: str) -> Iterator[ReceiptId]:
        """The receipts of the current snapshot, from the list that each of its shards has on S3."""
        manifest, _ = self._manifest_or_problem(self.head(collection))
        for shard in manifest.get("shards", ()):
            if shard["path"] is not None:
                key = f"snapshots/{collection}/{shard['path']}/receipts.txt"
                body: bytes = self._s3.get_object(Bucket=self.connection.bucket, Key=key)["Body"].read()
                yield from map(ReceiptId.parse, body.decode().split())

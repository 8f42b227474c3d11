"""Act 5: a merge freezes, its execution is stopped, the next one takes over; the thawed worker changes nothing."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.demo.acts_burst import BY_ITSELF
from local.demo.acts_changes import relabel
from local.demo.samples.producer import COLLECTIONS
from local.demo.stage import Stage
from local.demo.tally import ending
from local.lambdas.workers import InFlight

MERGE = "MergeDeltas"
_LABELS = {
    "lines": ("STORE_HOURS", "STORE_NUMBER", "CASHIER", "REGISTER", "BARCODE"),
    "words": ("TIP", "CHANGE", "CASH_BACK", "AUTH_CODE", "CARD_LAST_FOUR"),
}
"""Names that no word has before, so that each is seen only when its own change is published."""
_TRY_SECONDS = 10.0
_CATCH_SECONDS = 0.005  # a merge takes a hundred times as long
_ANSWER_SECONDS = 0.25  # an answer that was on its way when its worker froze arrives within this time


@dataclass(frozen=True)
class FrozenMerge:
    """A worker that was stopped in the middle of a merge, and the execution that waits for it."""

    worker: InFlight
    execution_arn: str
    fence: int
    version: int


@dataclass(frozen=True)
class PublishedState:
    """All that anyone could call published, as digests, and HEAD as the control table has it."""

    files: dict[str, str]
    head: dict[str, Any]


def take_over_from_a_frozen_merge(stage: Stage) -> None:
    """In each collection: freeze, coalesce, stop, take over, thaw."""
    stage.act(5, "A merge freezes, its execution is stopped, the next one takes over")
    rows = [_take_over(stage, collection) for collection in COLLECTIONS]
    stage.progress.table(
        "Late writes go to folders of their own and change nothing",
        ("collection", "stopped", "published by", "fence", "version", "late writes", "changed by them"),
        rows,
    )


def _take_over(stage: Stage, collection: str) -> tuple[object, ...]:
    with stage.progress.waiting(f"freezing a merge of {collection}"):
        frozen = _freeze(stage, collection)
    try:
        _coalesce(stage, collection)
        stage.stack.executions.stop(frozen.execution_arn)
        stopped = ending(stage.stack.executions.get(frozen.execution_arn))
        stage.claim(stopped in ("aborted", "failed"), "the execution to be stopped", stopped)
        stage.wait_visible(f"{MERGE} of {collection} is frozen, its execution {stopped}; the next one takes over")
        with stage.quiet():
            publisher = _check_publisher(stage, collection, frozen)
            before = _published(stage, collection)
            with stage.progress.waiting("thawing the worker and waiting until it has ended its merge"):
                os.kill(frozen.worker.pid, signal.SIGCONT)
                stage.wait_for("the late worker to end", lambda: None if _is_in_flight(stage, frozen.worker) else True)
            late = _written_by(stage, collection, frozen.worker.request_id)
            stage.claim(late > 1, "the late worker to have staged a shard and written its report", f"{late} files")
            after = _published(stage, collection)
            changed = sorted(
                name for name in before.files | after.files if before.files.get(name) != after.files.get(name)
            )
            stage.claim(
                before == after, "CURRENT, HEAD, manifests and shards as before the thaw", changed or after.head
            )
    finally:
        _thaw(frozen.worker.pid)
    head = stage.head(collection)
    return collection, stopped, publisher, f"{head.fence} after {frozen.fence}", head.version, late, len(changed)


def _freeze(stage: Stage, collection: str) -> FrozenMerge:
    """Make changes until a merge of this collection is caught in the middle and stopped there."""
    for name in _LABELS[collection]:
        with stage.quiet():
            pass  # so that the next merge is the one of the change that follows
        relabel(stage, stage.receipts[0], name)
        worker = _catch(stage, collection)
        if worker is not None:
            head = stage.head(collection)
            stage.claim(head.holder is not None, f"an execution to hold the lease of {collection}", head)
            stage.claim(stage.watchers[collection].waiting > 0, "a merge that is not published yet", head)
            return FrozenMerge(worker, str(head.holder), head.fence, head.version)
    stage.claim(False, f"to catch a {MERGE} of {collection} at work", f"missed it {len(_LABELS[collection])} times")
    raise AssertionError("unreachable")


def _catch(stage: Stage, collection: str) -> InFlight | None:
    deadline = time.monotonic() + _TRY_SECONDS
    while time.monotonic() < deadline:
        for worker in stage.stack.workers.in_flight(MERGE):
            if json.loads(worker.payload)["collection"] == collection:
                os.kill(worker.pid, signal.SIGSTOP)
                time.sleep(_ANSWER_SECONDS)
                if _is_in_flight(stage, worker):
                    return worker
                _thaw(worker.pid)
                return None
        time.sleep(_CATCH_SECONDS)
    return None


def _coalesce(stage: Stage, collection: str) -> None:
    """While the frozen merge's execution holds the lease, another start does not wait: it leaves a note and ends."""
    second = stage.stack.wait_for_execution(stage.stack.executions.start(collection))
    stage.claim(second.outcome == "coalesced", f"a second execution of {collection} to coalesce", second)


def _check_publisher(stage: Stage, collection: str, frozen: FrozenMerge) -> str:
    head = stage.head(collection)
    stage.claim(head.fence > frozen.fence, f"a fence above {frozen.fence}", head.fence)
    stage.claim(head.version > frozen.version, f"a version after {frozen.version}", head.version)
    stage.claim(head.execution != frozen.execution_arn, "another execution to have published", head.execution)
    publisher = stage.stack.executions.get(str(head.execution))
    trigger = str(publisher.input["trigger"])
    stage.claim(trigger in BY_ITSELF, "the next execution to have come by itself", trigger)
    return f"the {trigger}"


def _is_in_flight(stage: Stage, worker: InFlight) -> bool:
    return any(one.request_id == worker.request_id for one in stage.stack.workers.in_flight(MERGE))


def _thaw(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return  # it has ended


def _published(stage: Stage, collection: str) -> PublishedState:
    folder = stage.efs / collection
    files = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] != "staging"
    }
    key = {"PK": {"S": f"COLLECTION#{collection}"}, "SK": {"S": "HEAD"}}
    head = stage.stack.client("dynamodb").get_item(
        TableName=stage.stack.connection.control_table, Key=key, ConsistentRead=True
    )["Item"]
    return PublishedState(files, head)


def _written_by(stage: Stage, collection: str, request_id: str) -> int:
    """How many files and objects carry the late worker's request id in their path."""
    staged = [path for path in Path(stage.efs / collection / "staging").rglob("*") if request_id in path.as_posix()]
    pages = stage.stack.client("s3").get_paginator("list_objects_v2").paginate(Bucket=stage.stack.connection.bucket)
    keys = [found["Key"] for page in pages for found in page.get("Contents", ())]
    return sum(path.is_file() for path in staged) + sum(request_id in key for key in keys)

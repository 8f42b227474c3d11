"""What may happen to a stack while the console shows it: lost files, a frozen worker, a delta that arrives broken."""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from playwright.sync_api import Dialog, Page
from receipt_chroma.storage.tree import SEGMENTS, SHARDS
from receipt_dynamo_stream.control.table import ControlTable

from local.demo.samples.model import Receipt
from local.demo.samples.producer import Producer
from local.lambdas.workers import InFlight
from local.stack import LocalStack

from ..operator.desk import Desk

_COMPLAINTS = ("error", "warning")
_LOOK_SECONDS = 0.01  # a worker is quick


@contextmanager
def lost_shards(stack: LocalStack, collection: str = "words") -> Iterator[None]:
    """EFS and S3 have no bases and segments of the collection while the block runs, so DownloadSnapshot fails."""
    s3, bucket = stack.client("s3"), stack.connection.bucket
    folder, aside = stack.efs / collection, stack.folder / f"{collection}-aside"
    trees = [tree for tree in (SHARDS, SEGMENTS) if (folder / tree).exists()]
    objects = {
        one["Key"]: s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read()
        for tree in trees
        for one in s3.list_objects_v2(Bucket=bucket, Prefix=f"snapshots/{collection}/{tree}/")["Contents"]
    }
    aside.mkdir()
    for tree in trees:
        (folder / tree).rename(aside / tree)
    for key in objects:
        s3.delete_object(Bucket=bucket, Key=key)
    try:
        yield
    finally:
        for key, body in objects.items():
            s3.put_object(Bucket=bucket, Key=key, Body=body)
        for tree in trees:
            shutil.rmtree(folder / tree, ignore_errors=True)
            (aside / tree).rename(folder / tree)
        aside.rmdir()


@contextmanager
def frozen(stack: LocalStack, function: str, collection: str = "words") -> Iterator[str]:
    """The collection's next execution stands still in a function while the block runs; its name."""
    worker = _catch(stack, function, collection)
    try:
        head = ControlTable(stack.client("dynamodb"), stack.connection.control_table).head(collection).read()
        assert head is not None
        yield str(head.holder).rpartition(":")[2]
    finally:
        with suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGCONT)


def _catch(stack: LocalStack, function: str, collection: str, seconds: float = 60) -> InFlight:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for worker in stack.workers.in_flight(function):
            if json.loads(worker.payload).get("collection") == collection:
                os.kill(worker.pid, signal.SIGSTOP)
                return worker
        time.sleep(_LOOK_SECONDS)
    raise AssertionError(f"waited {seconds} s for {function} to work for {collection}")


def announce_broken(stack: LocalStack, producer: Producer, receipt: Receipt, collection: str = "words") -> str:
    """Announce a run whose delta of one collection is cut off, the other one's is good; its id.

    The poller must be paused, so that nobody sees the delta whole.
    """
    s3, bucket = stack.client("s3"), stack.connection.bucket
    run_id = producer.announce(receipt).run_id
    key = f"{collection}/delta/{run_id}/delta.arrow"
    whole = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    s3.put_object(Bucket=bucket, Key=key, Body=whole[: len(whole) // 2])
    return str(run_id)


def complaints(page: Page, into: list[str]) -> None:
    """Note what a page complains of: errors, what its policy forbids, and dialogs, which no page of ours has."""

    def dismiss(dialog: Dialog) -> None:
        into.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.on("pageerror", lambda error: into.append(f"error: {error}"))
    page.on("console", lambda said: into.append(f"{said.type}: {said.text}") if said.type in _COMPLAINTS else None)


def run_into_lost_shards(desk: Desk, receipt: Receipt) -> str:
    """Write a receipt while the shards of `words` are lost, then bring them back; the execution that failed of it."""
    with lost_shards(desk.stack):
        desk.write(receipt)
        desk.stack.poller.wait_caught_up(timeout=60)
        desk.stack.executions.wait_until_quiet()
    failed = [one for one in desk.stack.executions.find("words") if one.status == "FAILED"]
    assert failed
    return failed[-1].name

"""Rows of history, written by the real recorder for real executions, and the log of a failed step."""

import json
import re

import pytest
from receipt_dynamo_stream.control.history import ExecutionRow
from receipt_dynamo_stream.keys import ReceiptId

from local.lambdas.worker_logs import find_invocation

from .world import World

A = ReceiptId("aaaa", 1)


def rows(world: World, collection: str = "words") -> list[ExecutionRow]:
    """Newest first, once everything that was told is recorded."""
    assert world.stack.status_events.wait_delivered(30)
    return list(world.control.history(collection).page(limit=100).rows)


def test_every_execution_has_a_row_that_says_what_step_functions_says(world: World) -> None:
    world.published(A)
    failed = world.run(mode="rollback", snapshot_id="0000000009-0000000009-0")
    unknown = world.run("receipts")
    told = {row.name: row for collection in ("lines", "words", "unknown") for row in rows(world, collection)}
    executions = world.stack.executions.find()
    assert {e.name: (e.status, e.outcome, e.error) for e in executions} == {
        name: (row.status, row.outcome, row.error) for name, row in told.items()
    }
    assert told[failed.name].snapshot_id == "0000000009-0000000009-0"
    assert (told[failed.name].mode, told[failed.name].trigger) == ("rollback", "operator")
    assert told[unknown.name].collection == "unknown"
    assert all(row.ended_at is not None and row.ended_at >= row.started_at for row in told.values())


def test_the_versions_that_a_page_of_executions_made_are_read_in_one_range(world: World) -> None:
    world.published(A)
    published = [row for row in rows(world) if row.outcome == "published"]
    numbers = [row.version for row in published if row.version is not None]
    assert numbers
    versions = world.control.versions("words").between(min(numbers), max(numbers))
    made = {version.version: version.execution for version in versions if version.state == "committed"}
    assert {row.version: row.arn for row in published}.items() <= made.items()


def test_a_stopped_execution_is_a_row_at_once(world: World) -> None:
    world.put_receipt(A)
    with world.frozen("PlanCompaction", start=lambda: world.mark(A)) as arn:
        world.stack.executions.stop(arn)
        assert [(row.status, row.arn) for row in rows(world) if row.arn == arn] == [("ABORTED", arn)]


@pytest.mark.slow
def test_the_log_of_a_failed_step_is_found_by_the_request_id_in_its_cause(world: World) -> None:
    world.published(A)
    failed = world.run(mode="rollback", snapshot_id="0000000009-0000000009-0")
    events = world.stack.executions.history(failed.arn)
    cause = next(e["taskFailedEventDetails"]["cause"] for e in events if "taskFailedEventDetails" in e)
    request_id = json.loads(cause)["requestId"]
    found = find_invocation(world.stack.logs, request_id, "PrepareRollback")
    assert found is not None
    (line,) = [json.loads(line) for line in found.lines if line.startswith("{")]
    assert (line["function_request_id"], line["execution"], line["level"]) == (request_id, failed.name, "ERROR")
    assert line["exception_name"] == "RollbackRefused"


def test_the_log_of_a_step_that_succeeded_is_found_by_the_request_id_in_its_output(world: World) -> None:
    world.published(A)
    arn = next(row.arn for row in rows(world) if row.outcome == "published")
    outputs = "".join(
        e["taskSucceededEventDetails"]["output"]
        for e in world.stack.executions.history(arn)
        if "taskSucceededEventDetails" in e
    )
    found = [
        find_invocation(world.stack.logs, request_id)
        for request_id in set(re.findall(r'"RequestId": ?"([0-9a-f-]{36})"', outputs))
    ]
    functions = {each.file.name.partition("-")[0] for each in found if each is not None}
    assert {"PlanCompaction", "WriteManifest", "SwapPointer", "SettleChanges"} <= functions

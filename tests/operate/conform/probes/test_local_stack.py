"""Every probe against a local stack: all that can be asked there holds, and nothing of it is left."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from receipt_dynamo_stream.probe import PROBE_GENERATION

from local.stack import LocalStack
from operate.conform.probes import probe_rows
from operate.conform.probes.errors import ProbesNotTaken, ProbesTaken
from operate.conform.probes.instances import instances
from operate.conform.probes.life import probe_collection
from operate.conform.probes.stream import halved
from operate.conform.probes.told import Told
from operate.conform.rows import Outcome, Row, Whose
from operate.stack import Stack
from tests.quiet_stack import quiet_stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
LEFT_OUT = {
    "each function's role: every call it makes, and one of a neighbour's",
    "a stopped execution is redriven after another one took its lease over",
    "a stopped execution is redriven before anybody came",
    "the mail of a failed execution",
    "init time and memory of each function",
    "names of the executions that the schedule starts",
    "a merge of 261 records of 1,536 dimensions: memory and price",
    "a fold of 261 records of 1,536 dimensions: memory and price",
    "the code of an execution over a deployment",
}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with quiet_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


def is_as_before(local: LocalStack) -> bool:
    """Nothing of a probe in tables, bucket, queue and file system."""
    dynamodb, names = local.client("dynamodb"), local.connection
    rows = dynamodb.scan(TableName=names.control_table)["Items"]
    return (
        dynamodb.scan(TableName=names.receipts_table)["Items"] == []
        and [row["PK"]["S"] for row in rows if PROBE_GENERATION in row["PK"]["S"]] == []
        and "Contents" not in local.client("s3").list_objects_v2(Bucket=names.bucket)
        and "Messages" not in local.client("sqs").receive_message(QueueUrl=names.failure_queue_url)
        and list(local.efs.iterdir()) == []
    )


def test_every_probe_holds_on_the_local_stack_and_leaves_nothing(local: LocalStack) -> None:
    rows: list[Row] = list(probe_rows(Stack(local.connection), records=200))
    assert [row for row in rows if not row.passed] == []
    assert {row.what for row in rows if row.outcome is Outcome.LEFT_OUT} == LEFT_OUT
    assert {row.whose for row in rows} == {Whose.EMULATOR}
    assert sum(row.outcome is Outcome.HELD for row in rows) >= 19
    assert is_as_before(local)
    assert {one.input["collection"] for one in local.executions.find()} == {PROBE_GENERATION}, "nobody else noticed"


def test_a_report_that_is_ended_early_removes_what_it_made_and_two_at_once_are_refused(local: LocalStack) -> None:
    rows = probe_rows(Stack(local.connection), records=0)
    next(rows)
    with pytest.raises(ProbesTaken):
        next(probe_rows(Stack(local.connection), records=0))
    with pytest.raises(KeyboardInterrupt):
        rows.throw(KeyboardInterrupt())
    assert is_as_before(local)


def test_a_stack_that_takes_no_probes_says_so_before_anything_is_made(local: LocalStack) -> None:
    with pytest.raises(ProbesNotTaken, match="probe=on"):
        next(probe_rows(Stack(replace(local.connection, probe_function=None)), records=0))
    assert is_as_before(local)


def test_a_mapping_that_halves_no_batch_turns_its_row_red(tmp_path: Path) -> None:
    with quiet_stack(tmp_path, bisect=False) as running:
        stack = Stack(running.connection)
        with instances(stack, stack.new_unique()) as asked, probe_collection(stack, asked) as collection:
            (row,) = halved(collection, Told("Stream", Whose.EMULATOR))
    assert row.outcome is Outcome.BROKEN, row.seen

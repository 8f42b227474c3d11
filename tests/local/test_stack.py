"""The stack's parts together, with the toy application."""

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from local.aws.executions import wait_until
from local.names import CONTROL_TABLE, RECEIPTS_TABLE
from local.stack import LocalStack

from .tools import freeze, gone, process_state


def hold_in(stack: LocalStack, folder: Path) -> str:
    """Start an execution that stays in its Lambda until `release` appears; returns once the handler is at work."""
    folder.mkdir()
    arn = stack.executions.start("words", mode="hold", folder=str(folder))
    wait_until(lambda: (folder / "started").exists() or None, 20, "the handler does not start")
    return arn


def test_an_execution_runs_the_state_machine_through_the_workers(stack: LocalStack) -> None:
    execution = stack.wait_for_execution(stack.executions.start("words"))
    assert (execution.status, execution.outcome, execution.error) == ("SUCCEEDED", "echoed", None)
    assert execution.input == {"collection": "words", "mode": "compact", "trigger": "operator"}
    assert stack.executions.states_entered(execution.arn) == ["Note", "What", "Echo"]
    note = stack.client("dynamodb").get_item(TableName=CONTROL_TABLE, Key={"PK": {"S": "NOTE"}, "SK": {"S": "COUNT"}})
    assert (note["Item"]["notes"], note["Item"]["shards"]) == ({"N": "1"}, {"N": "3"})


def test_a_tasks_output_says_which_request_it_was(stack: LocalStack) -> None:
    execution = stack.wait_for_execution(stack.executions.start("words"))
    outputs = [
        json.loads(event["taskSucceededEventDetails"]["output"])
        for event in stack.executions.history(execution.arn)
        if event.get("taskSucceededEventDetails", {}).get("resourceType") == "lambda"
    ]
    assert execution.output is not None
    assert [output["SdkResponseMetadata"]["RequestId"] for output in outputs] == [
        execution.output["result"]["request_id"]
    ]


def test_a_functions_error_arrives_at_the_catch_by_its_name(stack: LocalStack) -> None:
    caught = stack.wait_for_execution(stack.executions.start("words", mode="misbehave", do="raise"))
    assert stack.executions.states_entered(caught.arn)[-1] == "Caught"
    crashed = stack.wait_for_execution(stack.executions.start("words", mode="misbehave", do="exit"))
    assert (crashed.status, crashed.error) == ("FAILED", "Runtime.ExitError")


def test_a_fail_state_is_silent_on_the_terminal_and_in_the_log_of_the_stack(
    stack: LocalStack, capfd: pytest.CaptureFixture[str]
) -> None:
    execution = stack.wait_for_execution(stack.executions.start("words", mode="fail"))
    assert (execution.status, execution.error) == ("FAILED", "AsTold")
    assert capfd.readouterr() == ("", "")
    assert (stack.folder / "logs" / "stack.log").stat().st_size > 0


def test_executions_are_found_by_collection_and_status(stack: LocalStack) -> None:
    words, lines = stack.executions.start("words", mode="wait"), stack.executions.start("lines")
    stack.wait_for_execution(lines)
    assert [each.arn for each in stack.executions.find()] == [words, lines]
    assert [each.arn for each in stack.executions.find("lines")] == [lines]
    assert stack.executions.running == {words}


def test_stopping_ends_an_execution_at_once_and_its_lambda_goes_on(stack: LocalStack, tmp_path: Path) -> None:
    arn = hold_in(stack, tmp_path / "a")
    (held,) = stack.workers.in_flight("Hold")
    freeze(held.pid)
    stack.executions.stop(arn)
    assert stack.executions.get(arn).status == "ABORTED"
    assert process_state(held.pid) == "T"
    # The next execution is not held up by the frozen worker.
    other = hold_in(stack, tmp_path / "b")
    (tmp_path / "b" / "release").touch()
    assert stack.wait_for_execution(other).status == "SUCCEEDED"
    # Thawed, the late Lambda ends its work; the execution stays what it was and goes nowhere.
    (tmp_path / "a" / "release").touch()
    os.kill(held.pid, signal.SIGCONT)
    wait_until(lambda: (tmp_path / "a" / "finished").exists() or None, 20, "the thawed worker does nothing")
    wait_until(lambda: not stack.workers.in_flight("Hold") or None, 20, "the thawed worker does not answer")
    assert stack.executions.get(arn).status == "ABORTED"
    assert "Echo" not in stack.executions.states_entered(arn)


def test_stopping_inside_a_map_reads_aborted_too(stack: LocalStack, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
    arn = stack.executions.start("words", mode="map", folders=[str(folder) for folder in folders])
    wait_until(lambda: all((f / "started").exists() for f in folders) or None, 20, "the map does not run in parallel")
    stack.executions.stop(arn)
    assert stack.executions.get(arn).status == "ABORTED"
    for folder in folders:
        (folder / "release").touch()
    wait_until(lambda: not stack.workers.in_flight("Hold") or None, 20, "the workers do not answer")
    stack.executions.wait_until_quiet(10)
    assert stack.executions.get(arn).status == "ABORTED"


def test_stopping_right_after_starting_works_too(stack: LocalStack) -> None:
    for _ in range(5):
        arn = stack.executions.start("words", mode="wait")
        stack.executions.stop(arn)
        assert stack.executions.get(arn).status == "ABORTED"


def test_stopping_what_has_ended_changes_nothing(stack: LocalStack) -> None:
    execution = stack.wait_for_execution(stack.executions.start("words"))
    stack.executions.stop(execution.arn)
    assert stack.executions.get(execution.arn) == execution


def test_another_process_reaches_the_stack_by_its_connection(stack: LocalStack) -> None:
    stack.client("dynamodb").put_item(TableName=CONTROL_TABLE, Item={"PK": {"S": "a"}, "SK": {"S": "b"}})
    program = (
        "import json, sys; from operate.connection import Connection\n"
        "there = Connection.from_json(json.loads(sys.argv[1]))\n"
        "items = there.client('dynamodb').scan(TableName=there.control_table)['Items']\n"
        "there.client('s3').put_object(Bucket=there.bucket, Key='k', Body=b'v')\n"
        "there.client('sqs').send_message(QueueUrl=there.failure_queue_url, MessageBody='m')\n"
        "arn = there.client('stepfunctions').start_execution(stateMachineArn=there.state_machine_arn, name='outside',"
        " input='{\"mode\": \"compact\"}')['executionArn']\n"
        "print(json.dumps([items, arn]))"
    )
    arguments = [sys.executable, "-c", program, json.dumps(stack.connection.to_json())]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=60)
    items, arn = json.loads(done.stdout)
    assert items == [{"PK": {"S": "a"}, "SK": {"S": "b"}}]
    assert stack.client("s3").get_object(Bucket=stack.connection.bucket, Key="k")["Body"].read() == b"v"
    message = stack.client("sqs").receive_message(QueueUrl=stack.connection.failure_queue_url)["Messages"][0]
    assert message["Body"] == "m"
    assert stack.wait_for_execution(arn).status == "SUCCEEDED"


def test_a_race_of_conditional_updates_has_one_winner(stack: LocalStack) -> None:
    client, start = stack.client("dynamodb"), threading.Barrier(12)

    def take(number: int) -> int:
        start.wait(10)
        try:
            client.update_item(
                TableName=CONTROL_TABLE,
                Key={"PK": {"S": "race"}, "SK": {"S": "HEAD"}},
                UpdateExpression="SET holder = :me ADD fence :one",
                ConditionExpression="attribute_not_exists(holder)",
                ExpressionAttributeValues={":me": {"N": str(number)}, ":one": {"N": "1"}},
            )
        except client.exceptions.ConditionalCheckFailedException:
            return 0
        return 1

    with ThreadPoolExecutor(12) as threads:
        assert sum(threads.map(take, range(12))) == 1


def test_resetting_leaves_nothing_but_the_warm_workers(stack: LocalStack, tmp_path: Path) -> None:
    execution = stack.wait_for_execution(stack.executions.start("words"))
    arn = hold_in(stack, tmp_path / "a")
    (held,) = stack.workers.in_flight("Hold")
    freeze(held.pid)
    stack.client("dynamodb").put_item(TableName=RECEIPTS_TABLE, Item={"PK": {"S": "a"}, "SK": {"S": "b"}})
    stack.client("s3").put_object(Bucket=stack.connection.bucket, Key="k", Body=b"v")
    stack.client("sqs").send_message(QueueUrl=stack.failure_queue_url, MessageBody="m")
    (stack.efs / "words").mkdir()
    (stack.efs / "words" / "CURRENT").write_text("x")
    warm = set(stack.workers.pids()) - {held.pid}
    stack.executions.stop(arn)

    stack.reset(busy_seconds=0)

    assert warm <= set(stack.workers.pids())
    assert gone(held.pid)
    assert stack.executions.find() == []
    with pytest.raises(ClientError):
        stack.executions.get(execution.arn)
    for table in (RECEIPTS_TABLE, CONTROL_TABLE):
        assert stack.client("dynamodb").scan(TableName=table)["Items"] == []
    assert stack.client("s3").list_objects_v2(Bucket=stack.connection.bucket)["KeyCount"] == 0
    assert "Messages" not in stack.client("sqs").receive_message(QueueUrl=stack.failure_queue_url)
    assert list(stack.efs.iterdir()) == []
    assert stack.wait_for_execution(stack.executions.start("words")).status == "SUCCEEDED"

"""The same synthesised template under moto's interpreter: its state machine, its functions with the environment and
the files they are deployed with, its tables, bucket, queue and stream mapping. `make test-template` runs this."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from receipt_dynamo_stream.control.table import ControlTable

from operate.conform.probes import iam

from . import interpreter
from .conftest import Synthesise
from .emulator import wait_for
from .interpreter import Interpreted
from .producer import EXPECTED, produce, produce_what_is_refused, records_readers_see, states_of_the_run
from .recorded import Call, is_allowed
from .template import Template
from .test_permissions import asked_of_aws, used

pytestmark = [pytest.mark.template, pytest.mark.timeout(300)]


NOT_REACHED = {
    ("ExpireSnapshots", "dynamodb:ConditionCheckItem"): "marks what expires, and nothing is that old",
    ("ExpireSnapshots", "dynamodb:UpdateItem"): "the same",
    ("ExpireSnapshots", "s3:DeleteObject"): "the same",
    ("ExpireSnapshots", "dynamodb:PutItem"): "archives the rows of what expired long ago",
    ("ExpireSnapshots", "dynamodb:DeleteItem"): "the same",
    ("MergeDeltas", "dynamodb:UpdateItem"): "leaves evidence where a suspect goes alone, and no merge failed",
    ("ValidateShard", "dynamodb:UpdateItem"): "the same",
    ("SettleChanges", "dynamodb:Query"): "lets groups of suspects grow",
    ("PlanCompaction", "dynamodb:UpdateItem"): "tries a run again that was set aside, when other code is deployed",
    ("SwapPointer", "dynamodb:PutItem"): "publishes again what HEAD names, when the file system is ahead of it",
    ("StreamHandler", "s3:PutObject"): "sets aside a record that is too large for the queue",
}
"""What a function may do and this run gives it no occasion for; the sources say that it does it."""
FOR_ANSWERS = {"s3:ListBucket"}
"""Without it S3 answers a missing object as a forbidden one; it need not be called."""


@pytest.fixture(scope="module")
def interpreted(
    synthesise: Synthesise, zip_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Interpreted]:
    """The template, run until a producer's deltas are published; one delta and one item are refused."""
    folds_at_once = {"FOLD_SEGMENTS": "0"}  # what was published is folded by itself, and every function has work
    folder = tmp_path_factory.mktemp("moto")
    with interpreter.running(synthesise(stage="dev"), zip_file, folder, folds_at_once) as running:
        dynamodb, s3, outputs = running.client("dynamodb"), running.client("s3"), running.outputs
        for producer in (produce_what_is_refused, produce):
            producer(dynamodb, s3, table=outputs["ReceiptsTable"], bucket=outputs["Bucket"])

        def published() -> bool:
            assert not running.executions("FAILED")
            ended = running.executions("SUCCEEDED")
            outcomes = {(json.loads(e["input"])["collection"], outcome_of(e)) for e in ended}
            return outcomes >= {(c, outcome) for c in EXPECTED for outcome in ("published", "folded")}

        wait_for(published, seconds=240)
        yield running


@pytest.fixture(scope="module")
def everything(interpreted: Interpreted) -> dict[str, set[Call]]:
    """What each function calls while an operator does everything that an execution can do."""
    head = ControlTable(interpreted.client("dynamodb"), interpreted.outputs["ControlTable"]).head("words").read()
    assert head is not None
    assert head.pointer is not None
    current = {"snapshot_id": head.pointer.snapshot_id}

    def run(**asked: Any) -> str:
        return interpreted.start("words", **asked)

    def outcome(arn: str) -> str:
        ended = wait_for(lambda: interpreted.ended(arn), seconds=120)
        assert ended["status"] == "SUCCEEDED", ended
        return outcome_of(ended)

    verified = run(mode="verify", **current)
    assert outcome(verified) == "verified"
    change_head(interpreted, "SET fold_due = :one", {":one": {"N": "1"}})
    assert outcome(run()) == "nothing_pending"  # StartFold asks what became of the fold that there was
    leave_the_lease_to(interpreted, verified)  # so that InspectHolder is asked, and finds that it has ended
    assert outcome(run(mode="expire", apply=True)) == "nothing_pending"
    assert outcome(run(mode="rollback", **current)) == "rolled_back"
    change_head(interpreted, "REMOVE paused")
    assert outcome(run(mode="reshard", shards=2)) == "resharded"
    assert outcome(run(mode="switch", generation="words")) == "nothing_to_switch"
    change_head(interpreted, "SET active = :both", {":both": {"S": "words words-2"}})
    idle = run(trigger="schedule")
    assert outcome(idle) == "nothing_pending"  # StartGenerations starts the other one
    change_head(interpreted, "REMOVE active")
    failed = run(mode="no-mode-of-ours")
    assert wait_for(lambda: interpreted.ended(failed), seconds=60)["status"] == "FAILED"
    output = interpreted.ended(idle)["output"]
    told = ((verified, "RUNNING", {}), (idle, "SUCCEEDED", {"output": output, "stopDate": 1}), (failed, "FAILED", {}))
    for second, (arn, status, more) in enumerate(told):  # moto sends no events of executions
        detail = {"name": f"words-{status}", "executionArn": arn, "status": status, "startDate": second * 1000, **more}
        assert interpreted.invoke("RecordExecution", {"detail": detail}) == {"recorded": True}
    return interpreted.calls()


def outcome_of(execution: dict[str, Any]) -> str:
    return str(json.loads(execution["output"])["result"]["outcome"])


def leave_the_lease_to(interpreted: Interpreted, execution: str) -> None:
    """As an execution does that ended without releasing it."""
    dynamodb, table = interpreted.client("dynamodb"), interpreted.outputs["ControlTable"]

    def is_free() -> bool:
        head = ControlTable(dynamodb, table).head("words").read()
        return head is not None and head.holder is None

    wait_for(is_free, seconds=60)
    change_head(interpreted, "SET holder = :holder", {":holder": {"S": execution}})


def change_head(interpreted: Interpreted, expression: str, values: dict[str, Any] | None = None) -> None:
    more = {"ExpressionAttributeValues": values} if values else {}
    interpreted.client("dynamodb").update_item(
        TableName=interpreted.outputs["ControlTable"],
        Key={"PK": {"S": "COLLECTION#words"}, "SK": {"S": "HEAD"}},
        UpdateExpression=expression,
        **more,
    )


def test_the_interpreted_template_brings_a_delta_from_the_stream_to_the_readers(interpreted: Interpreted) -> None:
    dynamodb, outputs = interpreted.client("dynamodb"), interpreted.outputs
    for collection, records in EXPECTED.items():
        head = ControlTable(dynamodb, outputs["ControlTable"]).head(collection).read()
        assert head is not None
        assert head.version == head.projected_version >= 1
        assert records_readers_see(interpreted.efs_root, collection) == records
    assert set(states_of_the_run(dynamodb, outputs["ReceiptsTable"]).values()) == {"COMPLETED"}


def test_every_function_is_allowed_every_call_that_it_makes(
    interpreted: Interpreted, everything: dict[str, set[Call]]
) -> None:
    """On its resource, and for an item under its partition key: moto itself enforces no policy."""
    template = interpreted.template
    assert {name for name, made in everything.items() if made} == set(template.functions())
    for name, made in everything.items():
        refused = [call for call in made if not is_allowed(call, template, name, interpreted.physical)]
        assert refused == [], name


def test_the_probes_ask_iam_of_every_action_that_was_recorded(everything: dict[str, set[Call]]) -> None:
    recorded = {(name, call.action) for name, made in everything.items() for call in made}
    assert recorded <= {(name, call.action) for name, made in iam.calls().items() for call in made}


def test_every_action_that_a_function_may_do_is_one_that_it_does(
    interpreted: Interpreted, everything: dict[str, set[Call]]
) -> None:
    unused = {
        (name, action)
        for name, made in everything.items()
        for action in asked_of_aws(interpreted.template, name) - {call.action for call in made} - FOR_ANSWERS
    }
    assert unused == set(NOT_REACHED)


def test_what_the_sources_say_covers_every_call_that_is_made(everything: dict[str, set[Call]]) -> None:
    """The comparison with the sources in test_permissions.py misses nothing that runs."""
    for name, made in everything.items():
        assert {call.action for call in made} <= used(name), name


def test_a_call_beyond_a_statement_is_noticed(interpreted: Interpreted, everything: dict[str, set[Call]]) -> None:
    def allowed(template: Template, function: str) -> bool:
        return all(is_allowed(call, template, function, interpreted.physical) for call in everything[function])

    text = json.dumps(interpreted.template.body)
    for function, granted, less in (
        ("MergeDeltas", "/reports/*", "/report/*"),
        ("RecordExecution", '["EXECUTIONS#*", "EXECUTIONS_IDLE#*"]', '["EXECUTION#*"]'),
        ("InspectHolder", ":execution:receipt", ":execution:receipts"),
        ("SwapPointer", '"dynamodb:UpdateItem"', '"dynamodb:PutItem"'),
    ):
        assert granted in text, granted
        assert allowed(interpreted.template, function)
        assert not allowed(Template(json.loads(text.replace(granted, less))), function), granted


def test_every_function_that_is_interpreted_has_the_environment_of_the_template(interpreted: Interpreted) -> None:
    for name, function in interpreted.template.functions().items():
        assert set(function["Environment"]["Variables"]) <= set(interpreted.environments[name]), name
        machine = interpreted.environments[name].get("STATE_MACHINE_ARN", interpreted.machine_arn)
        assert machine == interpreted.machine_arn
        assert interpreted.environments[name]["CONTROL_TABLE"] == interpreted.outputs["ControlTable"]


def test_what_is_changed_for_the_interpreter_stays_a_short_list() -> None:
    assert len(interpreter.REWRITTEN) <= 6
    assert len(interpreter.NOT_MADE) <= 2

"""The synthesised template itself, deployed to an emulator: stream records come in at one end, the pointer moves at
the other, and every function works under its own role. `make test-template` runs this."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from receipt_dynamo_stream.control.table import ControlTable

from . import emulator as emulators
from .conftest import Synthesise
from .emulator import Emulator, wait_for
from .producer import EXPECTED, produce, records_readers_see, states_of_the_run

pytestmark = [pytest.mark.template, pytest.mark.timeout(600)]

NAME = "receipt-compaction-dev"


@dataclass
class Deployed:
    """A stack in the emulator."""

    emulator: Emulator
    outputs: dict[str, str]
    efs_root: Path

    def is_settled(self, collection: str) -> bool:
        return not self.rows(f"PENDING#{collection}")

    def head(self, collection: str) -> Any:
        return ControlTable(self.emulator.client("dynamodb"), self.outputs["ControlTable"]).head(collection).read()

    def rows(self, partition: str) -> list[dict[str, Any]]:
        answer = self.emulator.client("dynamodb").query(
            TableName=self.outputs["ControlTable"],
            KeyConditionExpression="PK = :pk",
            ExpressionAttributeValues={":pk": {"S": partition}},
        )
        return [{name: next(iter(value.values())) for name, value in item.items()} for item in answer["Items"]]

    def is_projected(self, collection: str) -> bool:
        """Whether EFS shows a version. A failed execution ends the wait with its error."""
        sfn = self.emulator.client("stepfunctions")
        for execution in sfn.list_executions(stateMachineArn=self.outputs["StateMachineArn"])["executions"]:
            if execution["status"] == "FAILED":
                told = sfn.describe_execution(executionArn=execution["executionArn"])
                raise AssertionError(f"{execution['name']} failed: {told.get('error')}: {told.get('cause')}")
        head = self.head(collection)
        return head is not None and head.projected_version >= 1

    def function(self, handler: str) -> str:
        functions = self.emulator.client("lambda").list_functions()["Functions"]
        return next(str(f["FunctionName"]) for f in functions if f["Handler"].endswith(f".{handler}"))


@pytest.fixture(scope="module")
def deployed(synthesise: Synthesise, zip_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("ministack")
    efs_root = folder / "efs"
    efs_root.mkdir()
    template = synthesise(stage="dev")
    zip_key = template.functions()["StreamHandler"]["Code"]["S3Key"]
    bootstrap = emulators.bootstrap_zip(folder / "bootstrap.zip", emulators.image_tree(folder / "task"))
    body = emulators.rewrite(template.body, efs_root=efs_root, bootstrap_key="bootstrap.zip")
    with emulators.running(folder) as emulator:
        outputs = emulators.deploy(emulator, body, {zip_key: zip_file, "bootstrap.zip": bootstrap}, NAME)
        yield Deployed(emulator, outputs, efs_root)


def test_a_deployed_stack_brings_a_delta_from_the_stream_to_the_readers(deployed: Deployed) -> None:
    dynamodb, table = deployed.emulator.client("dynamodb"), deployed.outputs["ReceiptsTable"]
    produce(dynamodb, deployed.emulator.client("s3"), table=table, bucket=deployed.outputs["Bucket"])
    for collection, records in EXPECTED.items():
        wait_for(partial(deployed.is_projected, collection), seconds=240)
        assert records_readers_see(deployed.efs_root, collection) == records
        wait_for(partial(deployed.is_settled, collection), seconds=60)
    assert set(states_of_the_run(dynamodb, table).values()) == {"COMPLETED"}
    published = wait_for(
        lambda: [r for r in deployed.rows("EXECUTIONS#words") if r.get("outcome") == "published"], seconds=60
    )
    assert published[0]["version"] == "1"
    assert published[0]["trigger"] == "stream"


def test_a_role_without_its_grant_is_refused(deployed: Deployed) -> None:
    """The run above proves the grants only if a missing one shows: take InspectHolder's away."""
    iam, functions = deployed.emulator.client("iam"), deployed.emulator.client("lambda")
    name = deployed.function("inspect_holder")
    role = functions.get_function(FunctionName=name)["Configuration"]["Role"].rpartition("/")[2]
    asked = {"FunctionName": name, "Payload": json.dumps({"collection": "words"})}
    assert "FunctionError" not in functions.invoke(**asked)
    (policy,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName=policy)
    try:
        refused = functions.invoke(**asked)
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))
    assert "AccessDenied" in json.loads(refused["Payload"].read())["errorMessage"]


def test_what_is_changed_for_the_emulator_stays_a_short_list() -> None:
    assert len(emulators.REWRITTEN) <= 8
    assert len(emulators.NOT_RUN) <= 3

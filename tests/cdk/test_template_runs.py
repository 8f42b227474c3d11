"""The synthesised template itself, deployed to an emulator: stream records come in at one end, the pointer moves at
the other, and every function works under its own role. `make test-template` runs this."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from receipt_chroma.deltas import DeltaRecord, write_arrow_delta_to
from receipt_chroma.reader import SnapshotReader
from receipt_dynamo_stream.head import read_head
from receipt_dynamo_stream.keys import ReceiptId, line_record_id, word_record_id
from receipt_dynamo_stream.runs import delta_location

from . import emulator as emulators
from .conftest import Synthesise
from .emulator import Emulator, wait_for

pytestmark = [pytest.mark.template, pytest.mark.timeout(600)]

RECEIPT = ReceiptId("3f52804b-2fad-4e00-92c8-b593da3a8ed3", 1)
RUN = "7b1f7c1e-6f0a-4a3b-9a53-0d2b8f6a1c11"
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
        return read_head(self.emulator.client("dynamodb"), self.outputs["ControlTable"], collection)

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


def produce(deployed: Deployed) -> None:
    """What a producer does: items, deltas, and the run that announces them."""
    dynamodb, s3 = deployed.emulator.client("dynamodb"), deployed.emulator.client("s3")
    table, bucket = deployed.outputs["ReceiptsTable"], deployed.outputs["Bucket"]
    line, words = f"{RECEIPT.sk}#LINE#00001", (1, 2, 3)
    items = [
        {"SK": RECEIPT.sk, "TYPE": "RECEIPT", "timestamp_added": "2026-01-01T00:00:00+00:00"},
        {"SK": line, "TYPE": "RECEIPT_LINE"},
        *({"SK": f"{line}#WORD#{word:05d}", "TYPE": "RECEIPT_WORD"} for word in words),
    ]
    ids = {"lines": [line_record_id(RECEIPT, 1)], "words": [word_record_id(RECEIPT, 1, word) for word in words]}
    run = {"SK": f"{RECEIPT.sk}#COMPACTION_RUN#{RUN}", "TYPE": "COMPACTION_RUN", "run_id": RUN}
    run |= {"image_id": RECEIPT.image_id, "created_at": "2026-01-01T00:00:01+00:00"}
    for collection, record_ids in ids.items():
        records = [
            DeltaRecord(record_id, np.full(8, number + 1, np.float32), f"text {number}", {})
            for number, record_id in enumerate(record_ids)
        ]
        prefix = f"{collection}/delta/{RUN}/"
        write_arrow_delta_to(s3, bucket, delta_location(prefix, bucket).prefix, records)
        run |= {f"{collection}_delta_prefix": prefix, f"{collection}_state": "PENDING"}
    for item in (*items, run):
        values = {name: {"S": value} for name, value in item.items()}
        dynamodb.put_item(TableName=table, Item={"PK": {"S": RECEIPT.pk}, "receipt_id": {"N": "1"}, **values})


def test_a_deployed_stack_brings_a_delta_from_the_stream_to_the_readers(deployed: Deployed) -> None:
    produce(deployed)
    for collection, records in (("lines", 1), ("words", 3)):
        wait_for(partial(deployed.is_projected, collection), seconds=240)
        with SnapshotReader(str(deployed.efs_root), collection) as reader:
            reader.refresh()
            assert reader.count() == records
        wait_for(partial(deployed.is_settled, collection), seconds=60)
    run = deployed.emulator.client("dynamodb").get_item(
        TableName=deployed.outputs["ReceiptsTable"],
        Key={"PK": {"S": RECEIPT.pk}, "SK": {"S": f"{RECEIPT.sk}#COMPACTION_RUN#{RUN}"}},
    )["Item"]
    assert run["words_state"]["S"] == run["lines_state"]["S"] == "COMPLETED"
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
    assert len(emulators.REWRITTEN) <= 7
    assert len(emulators.NOT_RUN) <= 3

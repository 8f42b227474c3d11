"""docs/howto/upgrade-this.md, on a local stage that an older release published; and what chromadb's page types."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from receipt_chroma.snapshot.manifest import load_manifest
from receipt_dynamo_stream.bucket import Bucket

from chroma_package.tests.small_changes.labelled import as_version_1
from chroma_package.tests.world import World
from local.stack import LocalStack
from tests.operator.desk import Desk
from tests.quiet_stack import quiet_stack

from .shell import ROOT, Shell, blocks, chapters, lines_of
from .stages import is_right, work_it_off
from .templates import template

CHAPTERS = chapters("upgrade-this.md")
OF_CHROMADB = chapters("upgrade-chromadb.md")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Every change of words writes a base, as releases before segments did."""
    with quiet_stack(tmp_path_factory.mktemp("stack"), fold_most=0) as running:
        yield running


@pytest.fixture
def desk(
    stack: LocalStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Desk:
    return Desk.at(stack, tmp_path, monkeypatch, capsys)


def bucket_of(desk: Desk) -> Bucket:
    return Bucket(desk.stack.client("s3"), desk.stack.connection.bucket)


def name_manifest(desk: Desk, manifest_sha256: str) -> None:
    """HEAD and its version's row name the manifest of these bytes."""
    pointer = desk.head().pointer
    assert pointer is not None
    for sort_key in ("HEAD", f"VERSION#{pointer.snapshot_id}"):
        desk.stack.client("dynamodb").update_item(
            TableName=desk.stack.connection.control_table,
            Key={"PK": {"S": "COLLECTION#words"}, "SK": {"S": sort_key}},
            UpdateExpression="SET manifest_sha256 = :sha",
            ExpressionAttributeValues={":sha": {"S": manifest_sha256}},
        )


def publish_as_an_older_release(desk: Desk) -> None:
    """The current version of words, as releases before segments published it: EFS, bucket, HEAD and its row."""
    desk.write(*desk.receipts[:3])
    desk.settle_down()
    world = World(desk.stack.client("s3"), desk.stack.connection.bucket, desk.stack.folder)
    world.pointer = desk.head().pointer
    as_version_1(world)
    name_manifest(desk, world.pointer.manifest_sha256)


def schema_of_current(desk: Desk) -> int:
    pointer = desk.head().pointer
    assert pointer is not None
    return load_manifest(bucket_of(desk), pointer).schema_version


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_stage_of_an_older_release_is_looked_at_goes_on_and_goes_back_as_the_page_says(
    desk: Desk, tmp_path: Path
) -> None:
    """NoChangeLost, RowsConserved, RetainedIsReadable."""
    publish_as_an_older_release(desk)
    assert schema_of_current(desk) == 1
    old, shell = desk.published(), Shell(tmp_path, {})
    look, (back,) = blocks(CHAPTERS["Before"])[0], blocks(CHAPTERS["The way back"])
    assert "Nothing is unexplained" in shell.run(look)
    said = shell.run(blocks(CHAPTERS["Look"])[0])
    assert "nothing pending" in said
    assert said.count("is whole") == 2
    assert desk.published() == old

    desk.producer.relabel(desk.receipts[0], desk.receipts[0].labels[0], "UPGRADED")
    desk.write(desk.receipts[3])
    work_it_off(desk)
    assert schema_of_current(desk) == 2
    assert is_right(desk)
    newer = desk.published()
    assert "rolled back" in shell.run(back)
    assert desk.published() == newer, "resume derived again what came since"
    (fold,) = (block for block in blocks(OF_CHROMADB["Deploy it"]) if "fold" in block)
    assert shell.run(fold).count("folded") == 2
    assert "rolled back" in shell.run(blocks(OF_CHROMADB["The way back"])[0])
    assert is_right(desk)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_a_newer_release_wrote_is_refused_by_name_and_nothing_is_published(desk: Desk) -> None:
    desk.write(*desk.receipts[:2])
    version = desk.settle_down()
    before, pointer = desk.published(), desk.head().pointer
    assert pointer is not None
    newer = json.dumps(json.loads(bucket_of(desk).read(pointer.manifest_key)) | {"schema_version": 3}).encode()
    bucket_of(desk).put(pointer.manifest_key, newer)
    name_manifest(desk, sha256(newer).hexdigest())
    ended = desk.stack.wait_for_execution(desk.stack.schedule.trigger_now("words"), timeout=180)
    assert ended.error == "SchemaUnsupported"
    assert desk.head().version == version
    assert desk.published() == before, "readers keep what they can read"


@pytest.mark.parametrize("page", ["upgrade-this.md", "upgrade-chromadb.md"])
def test_every_make_line_of_the_page_is_one_that_make_takes(page: str) -> None:
    makes = [line for line in lines_of(page) if line.startswith("make ")]
    assert makes
    for line in makes:
        Shell(ROOT, {}).run(line.replace("make ", "make -n ", 1))


KEPT = {
    "StorageReceiptsD0CE505B": "AWS::DynamoDB::Table",
    "StorageControl30152705": "AWS::DynamoDB::Table",
    "StorageBucket5CB7C8EA": "AWS::S3::Bucket",
    "SnapshotsFileSystem89978CD5": "AWS::EFS::FileSystem",
    "WorkflowStateMachine8F1B1C15": "AWS::StepFunctions::StateMachine",
}
"""What CloudFormation would replace, with what is in it, if it had another logical id."""
OUTPUTS = {
    *("StateMachineArn", "LiveArn", "ReceiptsTable", "ControlTable", "Bucket", "ReadersPolicyArn", "FailureQueueUrl"),
    *("AlertsTopicArn", "FileSystemId", "AccessPointArn", "ClientSecurityGroupId", "VpcId", "SubnetIds"),
}


@pytest.mark.cdk
@pytest.mark.timeout(900)
@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_an_upgrade_replaces_nothing_that_holds_data_and_keeps_the_names_that_others_go_by(stage: str) -> None:
    body = template(stage).body
    assert {name: body["Resources"][name]["Type"] for name in KEPT} == KEPT
    assert body["Outputs"].keys() >= OUTPUTS
    machine = body["Resources"]["WorkflowStateMachine8F1B1C15"]["Properties"]["StateMachineName"]
    assert machine == f"receipt-compaction-{stage}-compaction"
    (alias,) = template(stage).all("StepFunctions::StateMachineAlias").values()
    assert alias["Name"] == "live"

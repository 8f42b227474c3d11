"""docs/howto/remove.md: what it says that a stack leaves is what the template leaves, and its commands remove that."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from .shell import AWS_CLI, Shell, blocks, chapters, install
from .templates import template

CHAPTERS = chapters("remove.md")
DATA = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::EFS::FileSystem")
STACK = "receipt-compaction-dev"
DESTROY = f"""#!/bin/sh
test "$*" = "aws-cdk@2 destroy -c stage=dev" && aws cloudformation delete-stack --stack-name {STACK}
"""

pytestmark = [pytest.mark.cdk, pytest.mark.timeout(900)]


def retained(stage: str) -> dict[str, Any]:
    """The resources that CloudFormation leaves, by logical id."""
    resources = template(stage).body["Resources"]
    return {name: one for name, one in resources.items() if one.get("DeletionPolicy") == "Retain"}


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_the_page_lists_what_the_template_leaves(stage: str) -> None:
    rows = re.findall(r"^\| (`AWS::.*?) \|", CHAPTERS["The stack"], re.MULTILINE)
    listed = {kind for row in rows for kind in re.findall(r"`(AWS::\w+::\w+)`", row)}
    assert listed == {one["Type"] for one in retained(stage).values()}
    tables = [one for one in retained(stage).values() if one["Type"] == "AWS::DynamoDB::Table"]
    assert [table["Properties"]["DeletionProtectionEnabled"] for table in tables] == [True, True]
    assert "(two; protected from deletion)" in CHAPTERS["The stack"]


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_nothing_of_a_fixed_name_stays_in_the_way_of_the_next_deployment(stage: str) -> None:
    """A version has no name, and what it is a version of goes."""
    for one in retained(stage).values():
        if not one["Type"].endswith("Version"):
            assert [key for key in one["Properties"] if key.endswith("Name")] == [], one["Type"]


@pytest.fixture
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def shell(moto: str, tmp_path: Path) -> Shell:
    """With the AWS CLI, and an `npx` that destroys as CloudFormation does."""
    try:
        programs = install(tmp_path / "venv", f"awscli=={AWS_CLI}")
    except CalledProcessError as error:
        pytest.skip(f"the AWS CLI cannot be installed: {error.stderr[-300:]}")
    (programs / "npx").write_text(DESTROY)
    (programs / "npx").chmod(0o755)
    (tmp_path / "cdk").mkdir()
    names = {"AWS_ENDPOINT_URL": moto, "AWS_DEFAULT_REGION": "us-east-1"}
    return Shell(tmp_path, {**names, "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}, (programs,))


def test_its_commands_leave_nothing_of_the_data(moto: str, shell: Shell, tmp_path: Path) -> None:
    """The template's own resources that hold data, deployed to moto."""

    def client(service: str) -> Any:
        secret = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
        return boto3.client(service, endpoint_url=moto, region_name="us-east-1", **secret)  # type: ignore[call-overload]

    def left() -> tuple[int, int, int]:
        tables, buckets = client("dynamodb").list_tables()["TableNames"], client("s3").list_buckets()["Buckets"]
        return len(tables), len(buckets), len(client("efs").describe_file_systems()["FileSystems"])

    kept = {name: one for name, one in retained("dev").items() if one["Type"] in DATA}
    told = ("ReceiptsTable", "ControlTable", "Bucket", "FileSystemId")
    outputs = {key: template("dev").body["Outputs"][key] for key in told}
    client("cloudformation").create_stack(
        StackName=STACK, TemplateBody=json.dumps({"Resources": kept, "Outputs": outputs})
    )
    (bucket,) = client("s3").list_buckets()["Buckets"]
    client("s3").put_object(Bucket=bucket["Name"], Key="snapshots/words/CURRENT", Body=b"{}")

    before, destroy, remove = (blocks(CHAPTERS[title])[0] for title in ("Before", "The stack", "Its data"))
    shell.run(f"{before}\n{destroy}")
    assert left() == (2, 1, 1), "destroy keeps them"
    names = (tmp_path / "names.txt").read_text().split()
    noted = dict(zip(("RECEIPTS", "CONTROL", "BUCKET", "FILE_SYSTEM"), names, strict=True))
    Shell(tmp_path, {**shell.variables, **noted}, shell.programs).run(remove)
    assert left() == (0, 0, 0)

"""How the console finds a stack, and how it says that there is none."""

import json
from dataclasses import replace
from pathlib import Path

import boto3
import pytest

from operate.connection import LIVE_OUTPUT, OUTPUTS, STACK_FILE, Connection, load_aws, load_local, save_local
from operate.errors import AccessMissing, StackIncomplete, StackNotFound, StackNotRunning
from operate.services import Services
from operate.state_machine import StateMachine


@pytest.fixture
def aws(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """The environment of an operator with credentials and a region; the endpoint stands for AWS."""
    for name, value in {
        "AWS_ENDPOINT_URL": connection.endpoint_url or "",
        "AWS_ACCESS_KEY_ID": "operator",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return connection


def test_a_connection_survives_its_json(connection: Connection) -> None:
    for each in (connection, replace(connection, endpoint_url=None, efs_root="/efs", failure_queue_url="q")):
        assert Connection.from_json(json.loads(json.dumps(each.to_json()))) == each


def test_the_local_stack_is_found_by_its_file(connection: Connection) -> None:
    assert load_local() == connection
    assert [entry.name for entry in STACK_FILE.parent.iterdir()] == [STACK_FILE.name]


def test_without_a_file_there_is_no_local_stack(tmp_path: Path) -> None:
    with pytest.raises(
        StackNotRunning, match=r"^no local stack here, in .*: run `compaction up` in another terminal, or pass --st"
    ):
        load_local(tmp_path / "stack.json")


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"region": "x", "color": "blue"}'])
def test_a_file_that_is_no_connection_is_no_stack(tmp_path: Path, text: str) -> None:
    (tmp_path / "stack.json").write_text(text)
    with pytest.raises(StackNotRunning, match=r"stack\.json does not describe a stack"):
        load_local(tmp_path / "stack.json")


def test_a_file_that_outlived_its_stack_is_no_stack(connection: Connection, tmp_path: Path) -> None:
    save_local(replace(connection, endpoint_url="http://127.0.0.1:1"), tmp_path / "stack.json")
    with pytest.raises(StackNotRunning, match=r"http://127\.0\.0\.1:1 no longer answers"):
        load_local(tmp_path / "stack.json")


def test_a_local_client_never_sees_real_credentials(aws: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it may remember the credentials of another test
    client = aws.client("dynamodb")
    assert client._request_signer._credentials.access_key == "local"
    assert client.meta.endpoint_url == aws.endpoint_url
    assert replace(aws, endpoint_url=None).client("dynamodb")._request_signer._credentials.access_key == "operator"


def test_a_deployed_stack_is_found_by_its_outputs(aws: Connection) -> None:
    deploy({key: f"the {field}" for key, field in OUTPUTS.items()})
    assert load_aws("compaction") == Connection(
        region="us-east-1",
        endpoint_url=None,
        state_machine_arn="the state_machine_arn",
        receipts_table="the receipts_table",
        control_table="the control_table",
        bucket="the bucket",
        efs_root=None,
        failure_queue_url="the failure_queue_url",
        stack_name="compaction",
    )


def test_a_stack_is_started_by_its_alias_where_it_has_one(aws: Connection) -> None:
    outputs = {key: f"the {field}" for key, field in OUTPUTS.items()}
    deploy(outputs | {LIVE_OUTPUT: "the alias"})
    machine = StateMachine(Services(load_aws("compaction")))
    assert (machine.arn, machine.started_as) == ("the state_machine_arn", "the alias")
    assert StateMachine(Services(aws)).started_as == aws.state_machine_arn


def test_a_stack_of_another_name_is_not_found(aws: Connection) -> None:
    with pytest.raises(StackNotFound, match="no stack nowhere in eu-west-1"):
        load_aws("nowhere", "eu-west-1")


def test_a_stack_without_our_outputs_is_incomplete(aws: Connection) -> None:
    deploy({"StateMachineArn": "x", "Bucket": "y"})
    with pytest.raises(StackIncomplete, match="no output ReceiptsTable, ControlTable, FailureQueueUrl"):
        load_aws("compaction")


@pytest.mark.parametrize("missing", ["AWS_DEFAULT_REGION", "AWS_SECRET_ACCESS_KEY"])
def test_without_region_or_credentials_the_operator_is_told_which(
    aws: Connection, missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in (
        ("AWS_DEFAULT_REGION", "AWS_REGION") if missing == "AWS_DEFAULT_REGION" else (missing, "AWS_ACCESS_KEY_ID")
    ):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(AccessMissing, match="region" if missing == "AWS_DEFAULT_REGION" else "credentials"):
        load_aws("compaction")


def test_a_profile_that_does_not_exist_is_named(aws: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(AccessMissing, match="nobody"):
        load_aws("compaction")


def deploy(outputs: dict[str, str]) -> None:
    template = {
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {key: {"Value": value} for key, value in outputs.items()},
    }
    boto3.Session().client("cloudformation").create_stack(StackName="compaction", TemplateBody=json.dumps(template))

"""ministack as a process, and what must be changed in a template before it can deploy it.

ministack needs a botocore of its own, so it lives in a virtualenv of its own: MINISTACK_PYTHON is its Python, or
.venv/ministack/bin/python.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

ROOT = Path(__file__).parents[2]
MENDED = Path(__file__).with_name("mended_ministack.py")
REGION, ACCOUNT = "us-east-1", "000000000000"
ASSETS = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"

UNKNOWN = {
    "AWS::CloudWatch::Dashboard",  # it refers to the alarms on formulas
    "AWS::EC2::FlowLog",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::Logs::QueryDefinition",
    "AWS::StepFunctions::StateMachineAlias",
    "AWS::StepFunctions::StateMachineVersion",
}
REWRITTEN = {
    "statements that demand TLS": "the emulator speaks HTTP on loopback",
    "alarms on formulas, and the dashboard": "the emulator knows alarms on one metric only",
    "flow log, saved queries, and rules between the security groups": "the emulator does not know these types",
    "the rule and the parameter about the bootstrap version": "there is no CDK bootstrap stack",
    "image functions": "no Docker: provided.al2023, whose bootstrap runs AWS's runtime client on the image's own files",
    "the runtime of zip functions": "the Python at hand instead of 3.14",
    "the file system's mount": "EFS_ROOT is a folder",
    "the machine's version, its alias, and the right to start by it": "CloudFormation knows none there, and IAM asks"
    " for the alias's ARN where AWS asks for the machine's",
}
"""What `rewrite` changes, and why; everything else of the template is deployed as it is."""
NOT_RUN = {
    "VPC, EFS, security groups, flow logs": "made, but nothing goes through them",
    "alarms and dashboard": "made; nobody evaluates them",
    "EventBridge Scheduler": "made; its clock is not waited for",
}
"""What the emulator takes and does not run."""


def rewrite(template: Mapping[str, Any], *, efs_root: Path, bootstrap_key: str) -> dict[str, Any]:
    """The template as ministack can deploy it, by the list above."""
    changed: dict[str, Any] = json.loads(json.dumps(template))
    changed.pop("Rules", None)
    changed.get("Parameters", {}).pop("BootstrapVersion", None)
    changed = with_named_alias(changed)
    changed["Resources"] = {n: r for n, r in changed["Resources"].items() if not _is_unknown(r)}
    for resource in changed["Resources"].values():
        _drop_demands_for_tls(resource["Properties"])
        if isinstance(resource.get("DependsOn"), list):
            resource["DependsOn"] = [name for name in resource["DependsOn"] if name in changed["Resources"]]
        if resource["Type"] != "AWS::Lambda::Function":
            continue
        function = resource["Properties"]
        if function.get("PackageType") == "Image":
            function.pop("PackageType")
            function["Handler"] = function.pop("ImageConfig")["Command"][0]
            function["Code"] = {"S3Bucket": ASSETS, "S3Key": bootstrap_key}
            function["Runtime"] = "provided.al2023"
            function.pop("FileSystemConfigs")
            function["Environment"]["Variables"]["EFS_ROOT"] = str(efs_root)
        else:
            function["Runtime"] = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return changed


def with_named_alias(template: dict[str, Any]) -> dict[str, Any]:
    """The template with the ARN of the machine's alias written out wherever it refers to it, and granted beside that of
    the machine: AWS asks for the latter when an execution is started by the alias, ministack for the alias itself.
    https://docs.aws.amazon.com/step-functions/latest/dg/auth-version-alias.html
    """
    (alias,) = (n for n, r in template["Resources"].items() if r["Type"] == "AWS::StepFunctions::StateMachineAlias")
    (machine,) = (n for n, r in template["Resources"].items() if r["Type"] == "AWS::StepFunctions::StateMachine")
    name = template["Resources"][alias]["Properties"]["Name"]
    named = {"Fn::Join": ["", [{"Ref": machine}, f":{name}"]]}

    def changed(value: Any) -> Any:
        if value == {"Ref": alias}:
            return named
        if isinstance(value, dict) and value.get("Action") == "states:StartExecution":
            return {**value, "Resource": [value["Resource"], {"Fn::Join": ["", [value["Resource"], f":{name}"]]}]}
        if isinstance(value, dict):
            return {key: changed(one) for key, one in value.items()}
        return [changed(one) for one in value] if isinstance(value, list) else value

    return dict(changed(template))


def _is_unknown(resource: Mapping[str, Any]) -> bool:
    is_only_tls = resource["Type"] in {"AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"}
    is_formula = resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"]
    return is_formula or is_only_tls or resource["Type"] in UNKNOWN


def _drop_demands_for_tls(properties: dict[str, Any]) -> None:
    for name in ("PolicyDocument", "FileSystemPolicy"):
        if document := properties.get(name):
            document["Statement"] = [s for s in document["Statement"] if "SecureTransport" not in json.dumps(s)]
    if properties.get("FileSystemPolicy") == {"Statement": [], "Version": "2012-10-17"}:
        properties.pop("FileSystemPolicy")


def image_tree(target: Path) -> Path:
    """The folder that an image's task root would be: what handlers/Dockerfile copies, and nothing else."""
    for source in ("stream_package/receipt_dynamo_stream", "chroma_package/receipt_chroma", "handlers"):
        shutil.copytree(ROOT / source, target / Path(source).name, ignore=shutil.ignore_patterns("__pycache__"))
    return target


def bootstrap_zip(target: Path, task_root: Path) -> Path:
    """A custom runtime whose bootstrap is AWS's runtime client on this virtualenv's Python."""
    script = (
        f'#!/bin/sh\ncd {task_root}\nexport PYTHONPATH={task_root}\nexec {sys.executable} -m awslambdaric "$_HANDLER"\n'
    )
    with zipfile.ZipFile(target, "w") as archive:
        entry = zipfile.ZipInfo("bootstrap", (1980, 1, 1, 0, 0, 0))
        entry.external_attr = 0o100755 << 16
        archive.writestr(entry, script)
    return target


def ministack_python() -> Path:
    """The Python of ministack's virtualenv; AssertionError says how to make it."""
    python = Path(os.environ.get("MINISTACK_PYTHON") or ROOT / ".venv/ministack/bin/python")
    assert python.exists(), f"{python} is not there: run `make test-template`, which makes it"
    return python


class Emulator:
    """A running ministack, and clients that talk to it."""

    def __init__(self, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(s3={"addressing_style": "path"}, retries={"mode": "standard", "max_attempts": 3}),
        )


@contextmanager
def running(folder: Path) -> Iterator[Emulator]:
    """ministack on a free loopback port until the block ends; its log is `folder`/ministack.log."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    emulator = Emulator(port)
    environment = {
        "PATH": f"{ministack_python().parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "AWS_ENDPOINT_URL": emulator.endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AUTH": "true",  # policies are enforced: functions run under their own roles
    }
    with (folder / "ministack.log").open("wb") as log:
        process = subprocess.Popen(
            [str(ministack_python()), str(MENDED)],
            env=environment,
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_for(lambda: emulator.client("sts").get_caller_identity()["Account"], seconds=60)
            yield emulator
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def wait_for(question: Any, *, seconds: float) -> Any:
    """The first true answer; AssertionError when there is none in time. An emulator has no event to wait on."""
    deadline = time.monotonic() + seconds
    last: Any = None
    while time.monotonic() < deadline:
        try:
            last = question()
            if last:
                return last
        except (BotoCoreError, ClientError) as error:
            last = error
        time.sleep(0.25)
    raise AssertionError(f"nothing in {seconds} s; the last answer was {last!r}")


def deploy(emulator: Emulator, template: Mapping[str, Any], assets: Mapping[str, Path], name: str) -> dict[str, str]:
    """Upload the assets (key -> file) where the template expects them, create the stack, and return its outputs."""
    s3, cloudformation = emulator.client("s3"), emulator.client("cloudformation")
    s3.create_bucket(Bucket=ASSETS)
    for key, file in assets.items():
        s3.put_object(Bucket=ASSETS, Key=key, Body=file.read_bytes())
    s3.put_object(Bucket=ASSETS, Key="template.json", Body=json.dumps(template).encode())
    cloudformation.create_stack(
        StackName=name,
        TemplateURL=f"{emulator.endpoint}/{ASSETS}/template.json",
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
    )

    def finished() -> Any:
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return stack if not stack["StackStatus"].endswith("_IN_PROGRESS") else None

    stack = wait_for(finished, seconds=180)
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    why = [e.get("ResourceStatusReason") for e in events if "FAILED" in e["ResourceStatus"]]
    assert stack["StackStatus"] == "CREATE_COMPLETE", f"{stack['StackStatus']}: {why}"
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    sfn, machine, live = emulator.client("stepfunctions"), outputs["StateMachineArn"], outputs["LiveArn"]
    version = sfn.publish_state_machine_version(stateMachineArn=machine)["stateMachineVersionArn"]
    sfn.create_state_machine_alias(
        name=live.rpartition(":")[2], routingConfiguration=[{"stateMachineVersionArn": version, "weight": 100}]
    )
    return outputs

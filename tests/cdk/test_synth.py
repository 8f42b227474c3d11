"""Synthesis needs Node and nothing else; what is wrong stops it with a sentence."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .template import Template

pytestmark = pytest.mark.cdk
ROOT = Path(__file__).parents[2]


def run_app(outdir: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the app as on a machine with no AWS configuration, no Docker and no CDK command."""
    node = os.environ.get("JSII_NODE") or shutil.which("node")
    assert node, "the tests of the CDK app need Node"
    environment = {"PATH": "/nowhere", "HOME": str(outdir.parent), "JSII_NODE": node, "CDK_OUTDIR": str(outdir), **more}
    return subprocess.run(
        [sys.executable, str(ROOT / "cdk/app.py"), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def stream_zip(zip_file: Path) -> None:
    """The zip where the app looks for it; `make synth` builds it first."""
    target = ROOT / "dist/stream.zip"
    if not target.exists():
        target.parent.mkdir(exist_ok=True)
        shutil.copy(zip_file, target)


def test_the_app_runs_without_credentials_docker_or_the_cdk_command(stream_zip: None, tmp_path: Path) -> None:
    done = run_app(tmp_path / "cdk.out")
    assert done.returncode == 0, done.stderr
    template = Path(done.stdout.strip())
    assert json.loads(template.read_text())["Resources"]


def test_the_app_hears_what_the_cdk_command_is_told(stream_zip: None, tmp_path: Path) -> None:
    """`-c` and the context of cdk.json come in this variable; a value of cdk.json may be a boolean."""
    told = json.dumps({"stage": "prod", "messages": True, "alarm_email": "you@example.com"})
    done = run_app(tmp_path / "cdk.out", CDK_CONTEXT_JSON=told)
    assert done.returncode == 0, done.stderr
    template = Template(json.loads(Path(done.stdout.strip()).read_text()))
    assert "MessagesQueueUrl" in template.body["Outputs"]
    assert template.one("SNS::Subscription")["Endpoint"] == "you@example.com"
    assert template.one("CloudWatch::Dashboard")["DashboardName"] == "receipt-compaction-prod"


def test_a_stage_that_is_not_there_is_refused_with_those_that_are(stream_zip: None, tmp_path: Path) -> None:
    done = run_app(tmp_path / "cdk.out", "stage=qa")
    assert done.returncode == 1
    assert done.stderr.endswith("no stage 'qa': pass -c stage=NAME with one of dev, prod\n")


def test_a_zip_that_is_not_built_is_asked_for(cdk_code: None, tmp_path: Path) -> None:
    from compaction_cdk.application import synthesise

    with pytest.raises(FileNotFoundError, match="make zip"):
        synthesise(tmp_path / "cdk.out", zip_file=tmp_path / "stream.zip")


def test_what_nag_finds_stops_synthesis(cdk_code: None, zip_file: Path, tmp_path: Path, monkeypatch: Any) -> None:
    from compaction_cdk import application, nag

    monkeypatch.setattr(nag, "suppressed", lambda _stack: None)
    with pytest.raises(application.CheckFailed, match="AwsSolutions-SQS3"):
        application.synthesise(tmp_path / "cdk.out", zip_file=zip_file)


def test_every_suppression_gives_its_reason(dev: Template) -> None:
    rules = [
        rule
        for resource in dev.body["Resources"].values()
        for rule in resource.get("Metadata", {}).get("cdk_nag", {}).get("rules_to_suppress", [])
    ]
    assert rules
    assert all(len(rule["reason"]) > 40 for rule in rules)
    assert {rule["id"] for rule in rules} == {"AwsSolutions-IAM5", "AwsSolutions-S1", "AwsSolutions-SQS3"}


def test_an_iam_suppression_names_what_it_suppresses(dev: Template) -> None:
    for resource in dev.body["Resources"].values():
        for rule in resource.get("Metadata", {}).get("cdk_nag", {}).get("rules_to_suppress", []):
            assert rule["id"] != "AwsSolutions-IAM5" or rule["applies_to"]


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_cfn_lint_finds_nothing(stage: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    file = tmp_path / "template.json"
    file.write_text(json.dumps(request.getfixturevalue(stage).body))
    assert runpy.run_path(str(ROOT / "cdk/lint.py"))["findings"](file) == []


def test_cfn_lint_notices_a_broken_definition(dev: Template, tmp_path: Path) -> None:
    broken = json.dumps(dev.body).replace('\\"Next\\": \\"PlanCompaction\\"', '\\"Nxet\\": \\"PlanCompaction\\"', 1)
    file = tmp_path / "template.json"
    file.write_text(broken)
    found = runpy.run_path(str(ROOT / "cdk/lint.py"))["findings"](file)
    assert any("Nxet" in finding for finding in found)


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:dynamodb:us-east-1:123456789012:table/Bar/stream/2026-01-01T00:00:00.000",
        "arn:aws:dynamodb:us-east-1:123456789012:table/Foo",
        "arn:aws:dynamodb:us-east-1:123456789012:table/FooBar/stream/2026-01-01T00:00:00.000",
        "Foo",
    ],
)
def test_the_stream_of_another_table_than_the_one_that_is_named_is_refused(cdk_code: None, arn: str) -> None:
    from compaction_cdk.settings import Deployment, OtherTablesStream, stage_named

    with pytest.raises(OtherTablesStream, match=r"no stream of the table 'Foo'.*describe-table --table-name Foo"):
        Deployment(stage=stage_named("dev"), receipts_table="Foo", receipts_stream_arn=arn)


def test_the_stream_of_the_table_that_is_named_is_taken(cdk_code: None) -> None:
    from compaction_cdk.settings import Deployment, stage_named

    arn = "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/Foo.bar-1/stream/2026-01-01T00:00:00.000"
    assert Deployment(stage=stage_named("dev"), receipts_table="Foo.bar-1", receipts_stream_arn=arn)

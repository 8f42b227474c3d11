"""The package installs and works with boto3 alone; test tools are added only to run its own pure tests there."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_bare_environment_needs_boto3_alone(tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    # A copy, because setuptools leaves a build folder beside the sources, and would take stale modules from it later.
    shutil.copytree(PROJECT, tmp_path / "project", ignore=shutil.ignore_patterns("build", "*.egg-info", "tests"))
    run(python, "-m", "pip", "install", "--quiet", tmp_path / "project", cwd=tmp_path)
    listed = run(python, "-m", "pip", "list", "--format", "freeze", cwd=tmp_path)
    installed = {line.split("==")[0].lower().replace("_", "-") for line in listed.splitlines()}
    boto3_and_its_own = {"boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"}
    assert installed - {"pip", "setuptools"} <= boto3_and_its_own | {"receipt-dynamo-stream"}
    code = (
        "from receipt_dynamo_stream import parse_stream_record, StreamMessage, message_schema;"
        "import receipt_dynamo_stream.round.settle, receipt_dynamo_stream.reconcile; print(message_schema()['title'])"
    )
    assert run(python, "-c", code, cwd=tmp_path).strip() == "StreamMessage"
    tools = ("pytest", "hypothesis", "jsonschema")
    run(python, "-m", "pip", "install", "--quiet", *tools, cwd=tmp_path)
    arguments = ("-q", "-p", "no:cacheprovider", "-c", PROJECT / "pyproject.toml")
    assert "passed" in run(python, "-m", "pytest", *arguments, PROJECT / "tests", cwd=tmp_path)

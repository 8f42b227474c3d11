"""The producer in the AWS CLI and polars, in an environment of its own that has nothing of this project."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .running import run, up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SCRIPT = Path(__file__).parents[3] / "examples/other_language_producer/produce.sh"


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with awscli and polars."""
    home = tmp_path_factory.mktemp("tools")
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    install = [
        home / "bin/python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "awscli",
        "polars",
    ]
    installed = subprocess.run(install, capture_output=True, text=True)
    if installed.returncode:
        pytest.skip(f"awscli and polars cannot be installed here: {installed.stderr[-300:]}")
    return home / "bin"


def test_what_plain_commands_produce_is_published(tools: Path, tmp_path: Path) -> None:
    with up(tmp_path) as stack:
        environment = {
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "AWS_ENDPOINT_URL": stack.connection.endpoint_url or "",
            "AWS_REGION": stack.connection.region,
            "AWS_DEFAULT_REGION": stack.connection.region,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "TABLE": stack.connection.receipts_table,
            "BUCKET": stack.connection.bucket,
        }
        produced = subprocess.run([SCRIPT], env=environment, capture_output=True, text=True)
        assert produced.returncode == 0, produced.stderr
        run_id = produced.stdout.split()[-1]
        lines, words = run(tmp_path, "delta", "check", run_id)["deltas"]
        assert (lines["taken"], lines["records"], lines["brings"]) == (True, 1, 1)
        assert (words["taken"], words["records"], words["brings"]) == (True, 3, 3)
        stack.wait_published(3)
        shown = run(tmp_path, "delta", "show", f"s3://{stack.connection.bucket}/words/delta/{run_id}/")["deltas"]
        assert [row["document"] for row in shown[0]["rows"]] == ["ORGANIC", "MILK", "2.99"]
        assert run(tmp_path, "quarantine", "list") == {"runs": []}

"""A soak of a minute: `make soak` in small."""

import subprocess
import sys

import pytest

from local.application import REPOSITORY


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_minute_of_load_and_faults_and_readers_holds_and_says_so() -> None:
    command = [sys.executable, "-m", "tests.soak", "1"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    assert done.stdout.endswith("everything held\n")
    for row in (
        "load",
        "faults",
        "executions",
        "fold",
        "reshard",
        "switch",
        "versions",
        "healed",
        "readers",
        "memory",
        "handles",
    ):
        assert f"\n  {row} " in done.stdout
    assert ", 0 mixed\n" in done.stdout


@pytest.mark.slow
def test_a_fault_that_nobody_knows_is_refused_before_a_soak_begins() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.soak", "1", "--only", "earthquake"], cwd=REPOSITORY, capture_output=True, text=True, check=False)  # fmt: skip  # noqa: E501
    assert done.returncode == 2
    assert "no fault has 'earthquake' in its name" in done.stderr

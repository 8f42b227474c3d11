"""What is deployed works with the Pythons that it is deployed on. `make test-pythons` tries more, on all of them."""

import os
import re
import subprocess
from importlib.metadata import distribution
from pathlib import Path

import pytest

from handlers.build_zip import ENTRY_POINTS, build

from .pythons import COMPILE, IMPORT, all_sources, deployed_modules, find

ROOT = Path(__file__).parents[1]
ZIP_RUNTIME = ".".join(
    re.findall(r"Runtime\.PYTHON_(\d)_(\d+)", (ROOT / "cdk/compaction_cdk/functions.py").read_text())[0]
)
(IMAGE_BASE,) = re.findall(r"^ARG BASE=\S+/python:([\d.]+)", (ROOT / "handlers/Dockerfile").read_text(), re.MULTILINE)
LAMBDAS_OWN = ("boto3", "botocore", "s3transfer", "urllib3", "python-dateutil", "six")
"""What Lambda's Python runtime brings to a zip, all in plain Python."""


def python_of(version: str) -> Path:
    python = find(version)
    if python is None:
        pytest.skip(f"Python {version} is not installed")
    return python


def test_the_pythons_that_are_deployed_are_among_those_that_are_tried() -> None:
    (tried,) = re.findall(r"^PYTHONS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {ZIP_RUNTIME, IMAGE_BASE} <= set(tried.split())


@pytest.mark.parametrize("version", sorted({ZIP_RUNTIME, IMAGE_BASE}))
def test_everything_compiles_without_a_warning(version: str) -> None:
    done = subprocess.run([python_of(version), "-I", "-c", COMPILE, *all_sources()], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("version", sorted({ZIP_RUNTIME, IMAGE_BASE}))
def test_the_zip_imports(version: str, tmp_path: Path) -> None:
    python = python_of(version)
    build(tmp_path / "stream.zip")
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    for name in LAMBDAS_OWN:
        installed = distribution(name)
        for top in {file.parts[0] for file in installed.files or () if ".." not in file.parts}:
            (runtime / top).symlink_to(Path(str(installed.locate_file(top))))
    environment = {
        "PYTHONPATH": f"{tmp_path / 'stream.zip'}{os.pathsep}{runtime}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PATH": os.defpath,
    }
    modules = [f"handlers.{name}" for name in ENTRY_POINTS]
    modules += [name for name in deployed_modules() if name.startswith("receipt_dynamo_stream")]
    command = [str(python), "-s", "-c", IMPORT, *modules]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_python_that_nobody_has_is_not_found() -> None:
    assert find("3.99") is None


def test_the_modules_that_are_imported_are_those_of_both_packages_and_of_the_handlers() -> None:
    modules = deployed_modules()
    for name in ("handlers.stream_handler", "receipt_chroma", "receipt_chroma.merge", "receipt_dynamo_stream.keys"):
        assert name in modules

"""The workflow in an app of somebody else's: their functions, their table, this repository's construct."""

import json
import os
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from .template import Template

pytestmark = pytest.mark.cdk
ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/own_workflow"


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """What the example's app synthesises, in a process that has `compaction_cdk` and nothing else of the repository."""
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "site").mkdir()
    (folder / "site/compaction_cdk").symlink_to(ROOT / "cdk/compaction_cdk")
    environment = {**os.environ, "PYTHONPATH": str(folder / "site"), "CDK_OUTDIR": str(folder / "cdk.out")}
    done = subprocess.run(
        [sys.executable, str(EXAMPLE / "app.py")],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Template(json.loads((folder / "cdk.out/Orders.template.json").read_text()))


def test_their_functions_fill_the_machine(theirs: Template) -> None:
    machine = theirs.one("StepFunctions::StateMachine")
    functions = theirs.all("Lambda::Function")
    for name, value in machine["DefinitionSubstitutions"].items():
        if name.endswith("Arn"):
            assert functions[value["Fn::GetAtt"][0]]["Handler"] == f"handlers.{name.removesuffix('Arn')}"
    assert machine["DefinitionSubstitutions"]["ControlTable"] == {"Ref": next(iter(theirs.all("DynamoDB::Table")))}


def test_every_state_has_a_function_in_their_code(theirs: Template) -> None:
    code = runpy.run_path(str(EXAMPLE / "functions/handlers.py"))
    for function in theirs.all("Lambda::Function").values():
        assert callable(code[function["Handler"].removeprefix("handlers.")])


def test_the_machine_may_invoke_their_functions_and_no_others(theirs: Template) -> None:
    role = theirs.one("StepFunctions::StateMachine")["RoleArn"]["Fn::GetAtt"][0]
    invoked = next(s["Resource"] for s in theirs.statements(role) if s["Action"] == ["lambda:InvokeFunction"])
    assert {arn["Fn::GetAtt"][0] for arn in invoked} == set(theirs.all("Lambda::Function"))


def test_the_construct_installs_with_what_it_imports() -> None:
    project: dict[str, Any] = tomllib.loads((ROOT / "cdk/pyproject.toml").read_text())["project"]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["cdk"]
    assert {*project["dependencies"], *project["optional-dependencies"]["nag"]} <= set(extras)

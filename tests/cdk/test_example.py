"""The apps of examples/: the workflow with somebody else's functions, and a search function beside a deployment."""

import json
import os
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from .template import Template, joined

pytestmark = pytest.mark.cdk
ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/own_workflow"
SEARCH = ROOT / "examples/search_lambda"


def run(app: Path, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run an example's app in a process that has `compaction_cdk` and nothing else of the repository on its path."""
    (folder / "site").mkdir()
    (folder / "site/compaction_cdk").symlink_to(ROOT / "cdk/compaction_cdk")
    ours = {"PYTHONPATH": str(folder / "site"), "CDK_OUTDIR": str(folder / "cdk.out"), **environment}
    return subprocess.run(
        [sys.executable, str(app)], cwd=folder, env={**os.environ, **ours}, capture_output=True, text=True, check=False
    )


def template_of(done: subprocess.CompletedProcess[str], file: Path) -> Template:
    assert done.returncode == 0, done.stderr
    return Template(json.loads(file.read_text()))


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Template:
    folder = tmp_path_factory.mktemp("theirs")
    return template_of(run(EXAMPLE / "app.py", folder), folder / "cdk.out/Orders.template.json")


@pytest.fixture(scope="module")
def search(dev: Template, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The search function beside a stack with the outputs that the app has; each value is its name."""
    folder = tmp_path_factory.mktemp("search")
    outputs = {name: f"<{name}>" for name in dev.body["Outputs"]} | {"SubnetIds": "subnet-1,subnet-2"}
    (folder / "outputs.json").write_text(json.dumps({"receipt-compaction-dev": outputs}))
    context = json.dumps({"outputs": str(folder / "outputs.json")})
    done = run(SEARCH / "app.py", folder, CDK_CONTEXT_JSON=context)
    return template_of(done, folder / "cdk.out/ReceiptSearch.template.json")


def test_their_functions_fill_the_machine(theirs: Template) -> None:
    machine = theirs.one("StepFunctions::StateMachine")
    functions, versions = theirs.all("Lambda::Function"), theirs.all("Lambda::Version")
    for name, value in machine["DefinitionSubstitutions"].items():
        if name.endswith("Arn"):
            assert (
                functions[versions[value["Ref"]]["FunctionName"]["Ref"]]["Handler"]
                == f"handlers.{name.removesuffix('Arn')}"
            )
    assert machine["DefinitionSubstitutions"]["ControlTable"] == {"Ref": next(iter(theirs.all("DynamoDB::Table")))}


def test_every_state_has_a_function_in_their_code(theirs: Template) -> None:
    code = runpy.run_path(str(EXAMPLE / "functions/handlers.py"))
    for function in theirs.all("Lambda::Function").values():
        assert callable(code[function["Handler"].removeprefix("handlers.")])


def test_the_machine_may_invoke_their_functions_and_no_others(theirs: Template) -> None:
    role = theirs.one("StepFunctions::StateMachine")["RoleArn"]["Fn::GetAtt"][0]
    invoked = next(s["Resource"] for s in theirs.statements(role) if s["Action"] == ["lambda:InvokeFunction"])
    assert {joined(arn) for arn in invoked} == {f"<{name}.Arn>:*" for name in theirs.all("Lambda::Function")}


def test_the_construct_installs_with_what_it_imports() -> None:
    project: dict[str, Any] = tomllib.loads((ROOT / "cdk/pyproject.toml").read_text())["project"]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["cdk"]
    assert {*project["dependencies"], *project["optional-dependencies"]["nag"]} <= set(extras)


def test_the_search_function_mounts_the_snapshots_and_can_only_read_them(search: Template) -> None:
    function = search.one("Lambda::Function")
    (mount,) = function["FileSystemConfigs"]
    assert mount == {"Arn": "<AccessPointArn>", "LocalMountPath": function["Environment"]["Variables"]["SNAPSHOTS"]}
    assert function["VpcConfig"] == {
        "SubnetIds": ["subnet-1", "subnet-2"],
        "SecurityGroupIds": ["<ClientSecurityGroupId>"],
    }
    (statement,) = search.statements(function["Role"]["Fn::GetAtt"][0])
    assert statement["Action"] == ["elasticfilesystem:ClientMount"]
    assert statement["Condition"]["StringEquals"] == {"elasticfilesystem:AccessPointArn": "<AccessPointArn>"}


def test_the_search_functions_image_is_the_pipelines_with_another_handler() -> None:
    ours, theirs = ((ROOT / name / "Dockerfile").read_text() for name in ("handlers", "examples/search_lambda"))
    for line in ("ARG BASE=", "COPY stream_package", "COPY chroma_package", "USER "):
        (own,) = re.findall(rf"^{line}.*$", ours, re.MULTILINE)
        assert own.partition("@")[0] in theirs
    command = re.search(r'^CMD \["(\w+)\.(\w+)"\]$', theirs, re.MULTILINE)
    assert command
    assert callable(runpy.run_path(str(SEARCH / f"{command[1]}.py"))[command[2]])
    subprocess.run([Path(sys.executable).parent / "hadolint", SEARCH / "Dockerfile"], check=True)


def test_without_outputs_the_search_app_says_what_to_pass(tmp_path: Path) -> None:
    done = run(SEARCH / "app.py", tmp_path, CDK_CONTEXT_JSON="{}")
    assert done.returncode == 1
    assert "pass -c outputs=FILE" in done.stderr

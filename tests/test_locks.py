"""The locks hold what the projects ask for, every file by its hash, and say nothing of where it came from."""

import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = {file.stem: file for file in sorted(ROOT.glob("locks/*.txt"))}
PROJECTS = [ROOT / "pyproject.toml", *sorted(ROOT.glob("*_package/pyproject.toml"))]
OURS = {"receipt-dynamo-stream", "receipt-chroma"}


def blocks(file: Path) -> dict[str, str]:
    """What a lock says of each package."""
    text = re.sub(r"^#.*\n", "", file.read_text(), flags=re.MULTILINE)
    return {block.split("==")[0]: block for block in re.split(r"\n(?=\S)", text)}


def version_in(name: str, *locks: str) -> str | None:
    """The version that the first of these locks has that has the package."""
    found = (blocks(LOCKS[lock]).get(canonicalize_name(name)) for lock in locks)
    return next((re.split(r"==|[ ;]", block)[1] for block in found if block), None)


def asked() -> list[tuple[str, Requirement]]:
    """Every requirement of our projects, and the extra that it belongs to; `run` is none."""
    wanted = [("run", Requirement("setuptools>=77"))]  # what builds them
    for file in PROJECTS:
        project = tomllib.loads(file.read_text())["project"]
        wanted += [("run", Requirement(text)) for text in project["dependencies"]]
        for extra, texts in project.get("optional-dependencies", {}).items():
            wanted += [(extra, Requirement(text)) for text in texts]
    return [(extra, one) for extra, one in wanted if one.name not in OURS]


def test_there_is_a_lock_for_every_way_to_install() -> None:
    assert set(LOCKS) == {extra for extra, _ in asked()}


@pytest.mark.parametrize(("extra", "requirement"), asked(), ids=str)
def test_a_requirement_has_a_pin_that_it_allows(extra: str, requirement: Requirement) -> None:
    version = version_in(requirement.name, "run", extra)
    assert version is not None, "run `make lock`"
    assert requirement.specifier.contains(version), "run `make lock`"


@pytest.mark.parametrize("file", [*LOCKS.values(), ROOT / "handlers/requirements.txt"], ids=lambda file: file.name)
def test_every_pin_has_hashes_and_none_has_an_address(file: Path) -> None:
    assert not re.search(r"://|--(extra-)?index-url|--find-links|@ ", file.read_text())
    for name, block in blocks(file).items():
        pin, *hashes = (line.strip(" \\") for line in block.splitlines())
        assert re.fullmatch(rf"{name}==[\w.]+( ; .*)?", pin)
        assert hashes, name
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line) for line in hashes), name


def test_a_package_has_one_version_everywhere() -> None:
    named = Counter(name for file in LOCKS.values() for name in blocks(file))
    assert [name for name, times in named.items() if times > 1] == []


def test_the_linter_that_npm_brings_is_locked_by_hash_too() -> None:
    lock = json.loads((ROOT / "locks/npm/package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert "node_modules/asl-validator" in packages
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    assert not any("resolved" in entry for entry in packages.values())


def test_the_hooks_run_the_locked_tools_and_fetch_nothing() -> None:
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    assert re.findall(r"repo: (.*)", hooks) == ["local"]
    assert re.findall(r"entry: (\S+)", hooks) == [".venv/bin/ruff", ".venv/bin/ruff", "make"]
    ruff = subprocess.run(
        [Path(sys.executable).parent / "ruff", "--version"], capture_output=True, text=True, check=True
    )
    assert ruff.stdout.split() == ["ruff", version_in("ruff", "dev")]

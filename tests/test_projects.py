"""The distributions as others see them: one version, one licence, and releases that the CHANGELOG tells of."""

import re
import subprocess
import tomllib
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FILES = [ROOT / "pyproject.toml", *sorted(ROOT.glob("*/pyproject.toml"))]
PROJECTS: dict[str, dict[str, Any]] = {
    str(file.parent.relative_to(ROOT)): tomllib.loads(file.read_text())["project"] for file in FILES
}
VERSION = PROJECTS["."]["version"]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
HEADINGS = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def numbers(text: str) -> tuple[int, ...]:
    """A version as numbers, as the tag rule has it; ValueError for anything else."""
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", text):
        raise ValueError(text)
    return tuple(int(part) for part in text.split("."))


def releases() -> list[tuple[str, date]]:
    """What the CHANGELOG says was released, newest first."""
    return [(name, date.fromisoformat(day)) for name, _, day in (heading.partition(" - ") for heading in HEADINGS[1:])]


def test_there_is_one_version() -> None:
    assert len(PROJECTS) == 4
    assert {project["version"] for project in PROJECTS.values()} == {VERSION}


@pytest.mark.parametrize("name", ["receipt-compaction", "receipt-chroma", "receipt-dynamo-stream"])
def test_what_is_installed_has_that_version(name: str) -> None:
    assert version(name) == VERSION


@pytest.mark.parametrize("folder", PROJECTS)
def test_a_distribution_says_and_brings_its_licence(folder: str) -> None:
    project = PROJECTS[folder]
    assert project["license"] == "Apache-2.0"
    assert project["license-files"] == ["LICENSE"]
    text = (ROOT / folder / "LICENSE").read_text()
    assert text == (ROOT / "LICENSE").read_text()
    assert "Apache License\n" in text
    assert "Copyright [yyyy] [name of copyright owner]" in text


@pytest.mark.parametrize("folder", PROJECTS)
def test_a_distribution_names_the_pythons_that_are_tried(folder: str) -> None:
    project = PROJECTS[folder]
    named = re.findall(r":: (3\.\d+)$", "\n".join(project["classifiers"]), re.MULTILINE)
    assert project["requires-python"] == f">={named[0]}"
    assert named == re.findall(r"3\.\d+", re.search(r"^PYTHONS := (.*)$", (ROOT / "Makefile").read_text(), re.M)[1])  # type: ignore[index]


def test_the_changelog_has_unreleased_on_top_and_releases_from_new_to_old() -> None:
    assert HEADINGS[0] == "Unreleased"
    released = releases()
    assert [numbers(name) for name, _ in released] == sorted({numbers(name) for name, _ in released}, reverse=True)
    assert [day for _, day in released] == sorted((day for _, day in released), reverse=True)
    assert set(re.findall(r"^### (.*)$", CHANGELOG, re.MULTILINE)) <= KINDS


def test_the_version_is_the_newest_release_or_one_to_come() -> None:
    assert all(numbers(name) <= numbers(VERSION) for name, _ in releases())


def test_a_tag_is_a_release_of_the_changelog_and_on_its_commit_the_version() -> None:
    def tags(*options: str) -> set[str]:
        command = ["git", "-C", str(ROOT), "tag", "--list", "v*", *options]
        return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())

    assert tags() <= {f"v{name}" for name, _ in releases()}
    assert tags("--points-at", "HEAD") <= {f"v{VERSION}"}


@pytest.mark.parametrize("wrong", ["1.0", "v1.0.0", "01.0.0", "1.0.0rc1", "1.0.0.0"])
def test_a_version_that_no_tag_may_have_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=re.escape(wrong)):
        numbers(wrong)

"""A third collection is the list of files in CONTRIBUTING and nothing else: `sections`, added to a copy."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .edits import EDITS, apply

ROOT = Path(__file__).parents[2]
RUNS = ("stream_package/receipt_dynamo_stream", "chroma_package/receipt_chroma", "state_machines")
RUNS_TOO = ("handlers", "local", "operate")
SECTION = re.search(r"^### … a collection$(.*?)(?=^##)", (ROOT / "CONTRIBUTING.md").read_text(), re.M | re.S)
KEY = "IMAGE#3f52804b-2fad-4e00-92c8-b593da3a8ed3#RECEIPT#00001"


def listed() -> set[str]:
    """The files of CONTRIBUTING's steps up to where it says that the machine needs no more."""
    assert SECTION is not None
    steps, end, _ = SECTION[1].partition("The machine needs no more")
    assert end
    return set(re.findall(r"`([\w./]+\.(?:py|json))`", steps))


def copied(folder: Path) -> Path:
    """A copy of what runs, with the edits."""
    for name in (*RUNS, *RUNS_TOO):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    apply(folder)
    return folder


def run_in(copy: Path, *arguments: str) -> str:
    paths = [copy / "stream_package", copy / "chroma_package", copy]
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_files_to_edit_are_those_that_contributing_lists() -> None:
    assert set(EDITS) == listed()


def test_the_edits_fit_what_stands_there(tmp_path: Path) -> None:
    for name in EDITS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    apply(tmp_path)
    assert all((tmp_path / name).read_text() != (ROOT / name).read_text() for name in EDITS)


@pytest.mark.slow
def test_what_must_say_the_same_is_tested_in_the_copy_too(tmp_path: Path) -> None:
    copy = copied(tmp_path)
    tests = ("stream_package/tests/test_grain.py", "stream_package/tests/test_keys.py", "tests/test_state_machine.py")
    for folder in ("stream_package/tests", "tests"):
        shutil.copytree(ROOT / folder, copy / folder)
    for name in ("pyproject.toml", "stream_package/pyproject.toml"):
        shutil.copy(ROOT / name, copy / name)
    for name in tests:
        run_in(copy, "-m", "pytest", name, "-q", "-k", "collection or record or schemas")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What publish.py saw in a copy."""
    copy = copied(tmp_path_factory.mktemp("copy"))
    script = Path(__file__).with_name("publish.py")
    found: dict[str, Any] = json.loads(run_in(copy, str(script), str(tmp_path_factory.mktemp("stack"))))
    assert found["from"] == [str(copy / name) for name in RUNS[:2]]
    return found


@pytest.mark.slow
def test_a_run_of_sections_is_read_and_touches_them(told: dict[str, Any]) -> None:
    assert told["run"] == {"collections": ["lines", "sections", "words"], "prefix": "sections/delta/r/"}
    assert told["section"]["collections"] == ["lines", "sections"]
    assert told["word"]["collections"] == ["words"]


@pytest.mark.slow
def test_the_sections_that_are_there_are_published_with_what_the_table_says_of_them(told: dict[str, Any]) -> None:
    assert told["published"]["sections"] == {
        f"{KEY}#SECTION#HEADER": {"merchant_name": "Harbor Market", "section_status": "VALID"},
        f"{KEY}#SECTION#ITEMS": {"merchant_name": "Harbor Market", "section_status": "PENDING"},
    }
    assert set(told["published"]["lines"]) == {f"{KEY}#LINE#00001"}
    assert set(told["published"]["words"]) == {f"{KEY}#LINE#00001#WORD#00001"}
    assert set(told["states"].values()) == {"COMPLETED"}


@pytest.mark.slow
def test_a_section_that_is_removed_takes_its_record_along(told: dict[str, Any]) -> None:
    assert set(told["after"]["sections"]) == {f"{KEY}#SECTION#HEADER"}
    assert told["after"]["words"] == told["published"]["words"]


@pytest.mark.slow
def test_the_machine_takes_sections_and_still_refuses_another_name(told: dict[str, Any]) -> None:
    assert told["asked"] == {"lines": None, "words": None, "sections": None, "receipts": "InvalidInput"}

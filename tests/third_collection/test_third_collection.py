"""A third collection is the diff of docs/howto/third-collection.md and nothing else: `sections`, added to a copy."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.howto.pages import checkout

RUNS = ("stream_package/receipt_dynamo_stream", "chroma_package/receipt_chroma", "state_machines")
RUNS_TOO = ("handlers", "local", "operate")
KEY = "IMAGE#3f52804b-2fad-4e00-92c8-b593da3a8ed3#RECEIPT#00001"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What publish.py saw in a copy of what runs."""
    desk = checkout(tmp_path_factory.mktemp("copy"), (*RUNS, *RUNS_TOO, "docs/howto"))
    desk.type("git apply docs/howto/third-collection.diff")
    script = [str(Path(__file__).with_name("publish.py")), str(tmp_path_factory.mktemp("stack"))]
    found: dict[str, Any] = json.loads(desk.type(shlex.join(["python", *script])))
    assert found["from"] == [str(desk.folder / name) for name in RUNS[:2]]
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

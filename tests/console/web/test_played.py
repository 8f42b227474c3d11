"""Recorded trials: a page for each, with data that the player reads, and nothing asked of the stack."""

import json
import re

import pytest

from console.web.pages import played
from console.web.recordings import FOLDER, listed

from .conftest import Visitor


def test_every_recording_that_is_there_is_listed() -> None:
    assert sorted(one.name for one in listed()) == sorted(file.stem for file in FOLDER.glob("*.json"))


@pytest.mark.parametrize("one", listed(), ids=lambda one: one.name)
def test_a_page_names_its_recording_and_where_its_data_is(visitor: Visitor, one) -> None:  # type: ignore[no-untyped-def]
    page = visitor.open(f"/watch/{one.name}")
    assert f"<h1>{one.title}</h1>" in page
    (source,) = re.findall(r'data-source="([^"]+)"', page)
    answer = visitor.fetch(source)
    assert answer.mimetype == "application/json"
    assert len(json.loads(answer.data)["frames"]) == one.steps


@pytest.mark.parametrize("path", ["/watch/nothing", "/watch/nothing.json", "/watch/..%2fstatic%2fplayer.json"])
def test_what_was_not_recorded_is_not_found(visitor: Visitor, path: str) -> None:
    assert "Not Found" in visitor.open(path, status=404)


def test_the_pages_ask_nothing_of_the_stack() -> None:
    assert not {"site", "seen", "stack"} & set(vars(played))

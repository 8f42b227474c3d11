"""How values read on a page."""

import pytest

from console.web.words import as_json, kind


@pytest.mark.parametrize(
    ("value", "text"),
    [(["A&W", "<b>"], '["A&W", "<b>"]'), ({"café": None}, '{"café": null}'), (1.5, "1.5"), (True, "true")],
)
def test_a_value_reads_as_json_with_its_own_letters(value: object, text: str) -> None:
    assert as_json(value) == text


@pytest.mark.parametrize(
    ("result", "expected"),
    [("running", "running"), ("published", "good"), ("failed", "bad"), ("aborted", "watch"), ("fenced", "watch"),
     ("coalesced", "idle"), ("planned", "idle")],
)  # fmt: skip
def test_a_result_has_the_colours_of_what_it_asks_of_a_person(result: str, expected: str) -> None:
    assert kind(result) == expected

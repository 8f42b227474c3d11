"""How values read on a page."""

import pytest

from console.web.words import as_json, count_of, kind


@pytest.mark.parametrize(
    ("value", "text"),
    [(["A&W", "<b>"], '["A&W", "<b>"]'), ({"café": None}, '{"café": null}'), (1.5, "1.5"), (True, "true")],
)
def test_a_value_reads_as_json_with_its_own_letters(value: object, text: str) -> None:
    assert as_json(value) == text


def test_a_count_says_what_is_counted() -> None:
    assert [count_of(0, "run"), count_of(1, "run"), count_of(2000, "retry", "retries")] == [
        "0 runs",
        "1 run",
        "2,000 retries",
    ]


@pytest.mark.parametrize(
    ("result", "expected"),
    [("running", "running"), ("published", "good"), ("failed", "bad"), ("aborted", "watch"), ("fenced", "watch"),
     ("coalesced", "idle"), ("planned", "idle")],
)  # fmt: skip
def test_a_result_has_the_colours_of_what_it_asks_of_a_person(result: str, expected: str) -> None:
    assert kind(result) == expected

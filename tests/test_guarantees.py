"""docs/guarantees.md says of each law what holds it, and the code has exactly that."""

import re
from pathlib import Path

import pytest
from receipt_dynamo_stream.invariants import Invariant

from tests.test_spec import MODELS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/guarantees.md").read_text()
ASKED = ("chroma_package/receipt_chroma/verify.py", "operate/adopt")
STEPS = ("chroma_package/receipt_chroma", "stream_package/receipt_dynamo_stream/round", "handlers")


def section(invariant: Invariant) -> str:
    """What the page says of a law, on one line."""
    (found,) = re.findall(rf"^### {invariant}\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL)
    return " ".join(found.split())


def said(invariant: Invariant, point: str) -> str:
    (found,) = re.findall(rf"- \*\*{point}\*\*: (.*?)(?= - \*\*|$)", section(invariant))
    return str(found)


def named(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def checked_in(places: tuple[str, ...], invariant: Invariant) -> set[str]:
    """The files below the places that call the law's check, or tell by its name what does not hold."""
    check = re.sub(r"(?<!^)(?=[A-Z])", "_", invariant).lower()
    wanted = re.compile(rf"(?<!def )\b{check}\(|Invariant\.{check.upper()}\b")
    paths = [
        path for place in places for path in ([ROOT / place] if place[-3:] == ".py" else (ROOT / place).rglob("*.py"))
    ]
    return {str(path.relative_to(ROOT)) for path in paths if wanted.search(path.read_text())}


def test_the_page_has_every_law_once_and_no_other() -> None:
    assert re.findall(r"^### (\w+)$", PAGE, re.MULTILINE) == [str(one) for one in Invariant]


@pytest.mark.parametrize("invariant", Invariant)
def test_a_law_is_there_word_for_word(invariant: Invariant) -> None:
    assert section(invariant).lower().startswith(f"{invariant.law.lower()}. - **tests**")


@pytest.mark.parametrize("invariant", Invariant)
def test_the_tests_of_a_law_are_there_and_one_names_it(invariant: Invariant) -> None:
    files = named(said(invariant, "Tests"))
    assert files
    assert all(Path(file).name.startswith("test_") and (ROOT / file).is_file() for file in files)
    assert any(invariant in (ROOT / file).read_text() for file in files)


@pytest.mark.parametrize("invariant", Invariant)
def test_the_guards_of_a_law_are_those_without_which_a_model_breaks_it(invariant: Invariant) -> None:
    guards = {
        model.__name__: [one.guard.name for one in model.WITHOUT if one.law == invariant.value] for model in MODELS
    }
    told = said(invariant, "Guards of the models")
    if told.startswith("none"):
        assert not any(guards.values())
    else:
        parts = dict(part.split(": ", 1) for part in told.split("; "))
        assert {model: named(names) for model, names in parts.items()} == {m: g for m, g in guards.items() if g}


@pytest.mark.parametrize("invariant", Invariant)
@pytest.mark.parametrize(
    ("point", "places", "not_there"),
    [
        ("Simulator", ("tests/simulator",), ()),
        ("Asked of what is published", ASKED, ()),
        ("Checked by a step", STEPS, ASKED),
    ],
)
def test_the_files_that_check_a_law_are_those_that_do(
    invariant: Invariant, point: str, places: tuple[str, ...], not_there: tuple[str, ...]
) -> None:
    told, there = said(invariant, point), checked_in(places, invariant) - set(not_there)
    assert set(named(told)) == there
    assert told.startswith("no: ") != bool(there)

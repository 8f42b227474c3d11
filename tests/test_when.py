"""docs/when.md says of others what it has a source for, and of this what was measured."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/when.md").read_text()
BENCHMARKS = (ROOT / "benchmarks/README.md").read_text()
OWN = re.compile(r"([\d.]+) m?s \(`(make bench-[a-z]+)`\)")


def rows(heading: str) -> list[list[str]]:
    """The cells of the tables below a heading."""
    (part,) = re.findall(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def measured_by(command: str) -> str:
    """The sections of the benchmarks that name a command."""
    return "".join(part for part in re.split(r"^## ", BENCHMARKS, flags=re.MULTILINE) if f"`{command}`" in part)


def test_own_figures_are_those_of_the_benchmark_that_is_named() -> None:
    found = OWN.findall(PAGE)
    assert len(found) >= 4
    for number, command in found:
        assert re.search(rf"(?<![\d.]){re.escape(number)}(?![\d.])", measured_by(command)), f"{number} of {command}"


OTHERS = [row for row in rows("Beside others") if row[0] not in ("", "**this**")]


@pytest.mark.parametrize("row", OTHERS, ids=lambda row: f"{row[0]} in a table of {len(row)}")
def test_a_figure_of_others_has_a_page_or_a_command(row: list[str]) -> None:
    for cell in row[1:]:
        without = re.sub(r"\[[^]]*\]\([^)]*\)", "", cell)
        assert not re.search(r"\d", without) or "](https://" in cell or OWN.search(cell), cell


def test_every_way_is_in_all_tables() -> None:
    named = [row[0] for row in OTHERS]
    assert len(named) == 2 * len(set(named)) == 14
    priced = [row[0] for row in rows("What it costs here and there")]
    assert set(named) <= set(priced)


def test_the_page_says_when_others_were_read_and_links_to_them_by_https() -> None:
    assert "was read on 2026-11-27" in PAGE
    assert not re.search(r"\]\(http://", PAGE)


def test_the_first_page_and_the_index_lead_to_it() -> None:
    assert "](docs/when.md)" in (ROOT / "README.md").read_text().split("## ")[0]
    assert "](when.md)" in (ROOT / "docs/README.md").read_text()


def test_a_link_to_a_chapter_leads_to_one() -> None:
    for target, anchor in re.findall(r"\]\(([^):]*)#([^)]+)\)", PAGE):
        text = (ROOT / "docs" / target).read_text() if target else PAGE
        titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        slugs = {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}
        assert anchor in slugs, f"{target}#{anchor}"

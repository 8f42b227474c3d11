"""Indexes list what is there, a decision has its four parts, and what CONTRIBUTING names exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DECISIONS = ROOT / "docs/decisions"
WRITTEN = sorted(file for file in DECISIONS.glob("[0-9]*.md") if not file.name.startswith("0000"))
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
SUFFIXES = (".py", ".md", ".json", ".toml", ".txt", ".yaml", ".html", "/")
PARTS = ["Context", "Decision", "Rejected", "Consequences"]


def parts_of(decision: Path) -> list[str]:
    return re.findall(rf"^\*\*({'|'.join(PARTS)})\.\*\*", decision.read_text(), re.MULTILINE)


def paths_in(text: str) -> set[str]:
    """The files and folders between a text's backticks; one with a `<part>` to fill in stands for its folder."""
    named = re.findall(r"`([\w./<>-]+)`", text)
    return {
        re.sub(r"<.*", "", one) for one in named if ("/" in one and one.endswith(SUFFIXES)) or one == "pyproject.toml"
    }


@pytest.mark.parametrize("decision", [*WRITTEN, DECISIONS / "0000-template.md"], ids=lambda file: file.stem)
def test_a_decision_has_its_four_parts_in_order(decision: Path) -> None:
    assert parts_of(decision) == PARTS
    assert int(decision.name[:4]) == int(re.match(r"# (\d+)\. ", decision.read_text())[1])  # type: ignore[index]


def test_the_index_of_decisions_lists_each_once_in_order() -> None:
    listed = re.findall(r"^\| \[(\d+)\]\((\S+)\) \| \S", (DECISIONS / "README.md").read_text(), re.MULTILINE)
    assert [name for _number, name in listed] == [file.name for file in WRITTEN]
    assert [int(number) for number, _name in listed] == [int(file.name[:4]) for file in WRITTEN]
    assert len({number for number, _name in listed}) == len(listed)


def test_the_index_of_documents_leads_to_every_one() -> None:
    index = (ROOT / "docs/README.md").read_text()
    linked = {(ROOT / "docs" / target).resolve() for target in re.findall(r"\]\(([^)#:]+)\)", index)}
    documents = {
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("docs/*/README.md"),
        *ROOT.glob("[a-z]*/README.md"),
    }
    documents |= set(ROOT.glob("examples/*/README.md"))
    assert documents - {ROOT / "docs/README.md", ROOT / "CODE_OF_CONDUCT.md"} <= linked


def test_every_folder_of_tests_has_its_stage() -> None:
    listed = set(re.findall(r"^\| `([\w/]+)` \|", (ROOT / "tests/README.md").read_text(), re.MULTILINE))
    tests = (ROOT / "tests", ROOT / "stream_package/tests", ROOT / "chroma_package/tests")
    folders = {file.parent for folder in tests for file in folder.rglob("test_*.py")}
    assert listed == {str(folder.relative_to(ROOT)) for folder in folders}


@pytest.mark.parametrize("path", sorted(paths_in(CONTRIBUTING)))
def test_what_contributing_names_is_there(path: str) -> None:
    folders = (ROOT, ROOT / "chroma_package/receipt_chroma")  # whose own folders it names shortly
    assert any((folder / path).exists() for folder in folders)


def test_what_contributing_links_to_is_there() -> None:
    for document in ("CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / document).read_text()):
            assert (ROOT / target).exists(), f"{document}: {target}"


def test_contributing_says_what_to_touch_for_all_that_is_usually_added() -> None:
    sections = dict(re.findall(r"^### … (.*?)$(.*?)(?=^##)", CONTRIBUTING, re.MULTILINE | re.DOTALL))
    assert list(sections) == ["a state", "a metric", "a command", "a page"]
    assert all(paths_in(text) for text in sections.values())
    assert len(re.findall(r"^\d+\. \*\*", CONTRIBUTING, re.MULTILINE)) == 10

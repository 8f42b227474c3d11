"""What the documents say about commands and folders is so."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from console.cli.arguments import build_parser
from console.cli.command_table import COMMANDS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_the_page_of_the_commands_names_every_command(command: str) -> None:
    assert f"compaction {command}" in (ROOT / "docs/commands.md").read_text()


DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("*/README.md"))]


def commands_in(text: str) -> list[str]:
    """The lines of a document that one may type: `$ compaction …`, without their comment."""
    return re.findall(r"^\$ (compaction .*?)\s*(?:#.*)?$", text, re.MULTILINE)


def test_every_command_line_that_a_document_shows_is_one_that_the_command_takes() -> None:
    of_here = [file for file in DOCUMENTS if file.name != "third-collection.md"]  # its own test types it in a copy
    shown = {line for file in of_here for line in commands_in(file.read_text())}
    assert any("--stack" in line for line in shown)
    for line in shown:
        build_parser().parse_args(shlex.split(line)[1:])


def test_every_python_that_a_document_shows_is_python() -> None:
    shown = [
        (file.name, block)
        for file in DOCUMENTS
        for block in re.findall(r"^```python\n(.*?)^```", file.read_text(), re.MULTILINE | re.DOTALL)
    ]
    assert shown
    for name, block in shown:
        compile(block, name, "exec")


def test_every_command_that_a_document_mentions_is_there() -> None:
    known = {command.name for command in COMMANDS}
    for file in DOCUMENTS:
        for line in re.findall(r"`compaction ([^`]+)`", file.read_text()):
            words = [word for word in re.sub(r"--(stack|region) \S+", "", line).split() if not word.startswith("-")]
            assert not words or words[0] in known | {"COMMAND"}, f"{file.name}: compaction {line}"


def test_every_make_target_that_a_document_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    documents = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("*_package/README.md")]
    named = {name for file in documents for name in re.findall(r"\bmake ([a-z-]+)`", file.read_text())}
    assert named, "no document names a target: then this test proves nothing"
    assert named <= targets


def test_every_link_to_a_file_leads_somewhere() -> None:
    for file in [
        ROOT / "README.md",
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("*_package/README.md"),
        *ROOT.glob("*/README.md"),
    ]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", file.read_text()):
            assert (file.parent / target).exists(), f"{file.relative_to(ROOT)} links to {target}"


def test_ci_runs_the_readmes_test_command_and_besides_only_gets_a_browser() -> None:
    script = (ROOT / ".ci/run").read_text()
    before, block, after = re.split(r"^(has_browser\(\) .*?^fi$)", script, flags=re.MULTILINE | re.DOTALL)
    assert after.split() == ["make", "test"]
    assert all(line.startswith(("#", "set", "cd")) for line in before.splitlines())
    assert set(re.findall(r"apt-get (\w+)", block)) == {"update", "install"}
    assert "$ make test" in README


@pytest.mark.parametrize(
    ("project", "pin"), [("pyproject.toml", "moto"), ("chroma_package/pyproject.toml", "chromadb")]
)
def test_what_touches_private_parts_is_pinned_exactly(project: str, pin: str) -> None:
    dependencies = tomllib.loads((ROOT / project).read_text())["project"]["dependencies"]
    assert any(re.match(rf"{pin}(\[.*\])?==", one) for one in dependencies)

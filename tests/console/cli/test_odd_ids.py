"""Texts of strangers on a terminal: they are read, and do not act."""

import io
import json

import pytest
from receipt_dynamo_stream.keys import ReceiptId
from rich.text import Text

from console.cli.main import main
from console.cli.progress import InertConsole, Progress

from ...toy_stack.toy import ToyStack

RUN = "a/b#\x1b]0;title\x07\x1b[2Jé\u202e\nRun x of words is PENDING again"
MESSAGE = "\x1b[31mred\x9b1m \u2066over"


def acts(text: str) -> set[str]:
    return {one for one in text if (not one.isprintable() or one in "\u202e\u2066") and one != "\n"}


def test_a_terminal_gets_no_sequence_from_a_text_and_keeps_its_own_colours() -> None:
    console = InertConsole(file=io.StringIO(), force_terminal=True, color_system="standard", width=80)
    console.print(Text(f"run {MESSAGE}", style="bold"))
    Progress(console).table(f"title {MESSAGE}", ["a", "b"], [[MESSAGE, 1]])
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b[1mrun [31mred1m over\x1b[0m" in said
    assert "\x1b[31m" not in said
    assert not acts(said) - {"\x1b"}


def test_the_commands_of_the_quarantine_print_odd_ids_as_texts(run, stack: ToyStack) -> None:
    stack.quarantine("words", RUN, "im\x1b[5mage\n")
    stack.quarantine_of("words").put("other", ReceiptId("a", 1), MESSAGE, MESSAGE, "", order="9")
    stack.note("words", RUN, "RecordsLeftOut", MESSAGE, image_id="im\x1b[5mage\n")
    for arguments in (["list"], ["list", "--notes"], ["retry", RUN], ["list", "--json"], ["list", "--notes", "--json"]):
        said = run("quarantine", *arguments)
        assert said.code == 0, said.err
        assert not acts(said.out), arguments
        assert "\nRun x of" not in said.out
    listed = run("quarantine", "list", "--notes", "--json").json
    assert [note["run_id"] for note in listed["notes"]] == [RUN]


def test_dropping_says_in_a_line_of_its_own_what_was_dropped(run, stack: ToyStack) -> None:
    stack.quarantine("words", RUN)
    said = run("quarantine", "drop", RUN, "--yes")
    assert said.code == 0
    assert not acts(said.out)
    assert "\nRun x of" not in said.out
    assert stack.quarantine_of("words").list() == []


@pytest.mark.parametrize("asked", [["quarantine", "retry", RUN], ["rerun", RUN]])
def test_an_error_is_one_line_whatever_it_quotes(run, stack: ToyStack, asked: list[str]) -> None:
    said = run(*asked)
    assert said.code != 0
    assert not acts(said.err)
    assert len(said.err.splitlines()) == 1


def test_what_an_argument_error_quotes_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["versions", "\x1b[31mx\ny"]) == 2
    said = capsys.readouterr().err
    assert not acts(said)
    assert json.dumps(said)

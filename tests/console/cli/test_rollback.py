"""`compaction rollback`, and what asks before it is done."""

import sys

import pytest

from ...toy_stack.toy import ToyStack
from .terminal import Terminal


def test_a_rollback_says_what_it_will_do_does_it_and_says_how_to_go_on(run, stack: ToyStack) -> None:
    ids = stack.published("words", 3)
    said = run("rollback", "words", "2", "--yes")
    assert said.code == 0
    text = " ".join(said.out.split())
    for fact in ("version 3, 30 records", "version 2, 20 records", "-10", "version 4", "rolled back version 4"):
        assert fact in text
    assert "`compaction resume words`" in text
    (given,) = stack.executions()
    assert given == {"collection": "words", "mode": "rollback", "trigger": "operator", "snapshot_id": ids[1]}


def test_a_rollback_in_json_names_both_versions(run, stack: ToyStack) -> None:
    stack.published("words", 3)
    answer = run("rollback", "words", "1", "--yes", "--json").json
    assert (answer["result"], answer["version"]) == ("rolled_back", 4)
    assert (answer["from"]["version"], answer["to"]["version"]) == (3, 1)


@pytest.mark.parametrize(
    "argv",
    [
        ["rollback", "words", "2"],
        ["rollback", "words", "2", "--json"],
        ["expire", "words", "--apply"],
        ["quarantine", "drop", "r"],
    ],
    ids=" ".join,
)
def test_without_a_terminal_what_is_hard_to_take_back_needs_yes(run, stack: ToyStack, argv: list[str]) -> None:
    stack.published("words", 3)
    stack.quarantine("words", "r")
    said = run(*argv)
    assert said.code == 2
    assert "needs --yes" in said.error_line
    assert stack.executions() == []
    assert len(stack.quarantine_of("words").list()) == 1


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "perhaps\n"], ids=["no", "nothing", "end", "perhaps"])
def test_on_a_terminal_it_asks_and_anything_but_yes_does_nothing(
    run, stack: ToyStack, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    stack.published("words", 3)
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    said = run("rollback", "words", "2")
    assert said.code == 1
    assert "version 2, 20 records" in said.out
    assert said.err == "Roll words back to version 2? [y/N] compaction: nothing was done\n"
    assert stack.executions() == []


def test_on_a_terminal_yes_does_it(run, stack: ToyStack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.published("words", 3)
    monkeypatch.setattr(sys, "stdin", Terminal("Yes\n"))
    assert run("rollback", "words", "2").code == 0
    assert len(stack.executions()) == 1


def test_a_rollback_to_the_current_version_is_refused(run, stack: ToyStack) -> None:
    stack.published("words", 3)
    said = run("rollback", "words", "3", "--yes")
    assert said.code == 2
    assert said.error_line.endswith("version 3 of words is the current one: name an older version")


def test_a_rollback_that_the_machine_refuses_is_exit_code_1(run, stack: ToyStack) -> None:
    stack.published("lines", 2)
    said = run("rollback", "lines", "1", "--yes")
    assert said.code == 1
    assert said.err.endswith(" failed: RollbackRefused: It is EXPIRED.\n")
    assert "paused: changes wait" not in said.out


def test_a_rollback_is_not_re_run_without_being_asked_for(run, stack: ToyStack) -> None:
    stack.published("words", 2)
    name = run("rollback", "words", "1", "--yes", "--json").json["name"]
    said = run("rerun", str(name))
    assert said.code == 2
    assert said.error_line.endswith("`compaction rollback` does that, and asks first")
    assert len(stack.executions()) == 1

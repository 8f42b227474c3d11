"""A page's commands as a reader types them: chapter by chapter, in a folder where `compaction` finds the stack."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from console.cli.main import main
from local.stack import LocalStack
from operate.connection import save_local

Run = Callable[[list[str]], str]


def chapters(page: str, part: int) -> dict[str, list[list[str]]]:
    """The commands of each chapter of a part of a page of `docs/`, by the chapter's title."""
    text = (Path(__file__).parents[1] / "docs" / page).read_text()
    (of_part,) = re.findall(rf"^## Part {part}: .*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    split = re.split(r"^### (.+)$", of_part, flags=re.MULTILINE)
    return {
        title: [shlex.split(line) for line in re.findall(r"^\$ compaction (.+)$", chapter, re.MULTILINE)]
        for title, chapter in zip(split[1::2], split[2::2], strict=True)
    }


def runner(stack: LocalStack, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command, which has to succeed; what it said, in one line."""
    monkeypatch.chdir(folder)
    save_local(stack.connection)

    def said(command: list[str]) -> str:
        assert main(command) == 0, capsys.readouterr().err
        return " ".join(capsys.readouterr().out.split())

    return said

"""docs/change.md does what it says: its commands, in its order, on the local stack."""

import re
import shlex
from pathlib import Path

import pytest
from receipt_dynamo_stream.keys import ReceiptId

from console.cli.main import main
from operate.connection import save_local

from .world import FoldWorld, should_be

PAGE = (Path(__file__).parents[2] / "docs/change.md").read_text()
A, B = ReceiptId("aaaa", 1), ReceiptId("bbbb", 1)


def parts() -> dict[str, list[list[str]]]:
    """The commands of each chapter of the first part."""
    (part,) = re.findall(r"^## Part 1: .*?(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    chapters = re.split(r"^### (.+)$", part, flags=re.MULTILINE)
    return {
        title: [shlex.split(line) for line in re.findall(r"^\$ compaction (.+)$", text, re.MULTILINE)]
        for title, text in zip(chapters[1::2], chapters[2::2], strict=True)
    }


def test_another_number_of_shards_and_both_ways_back(
    world: FoldWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    save_local(world.stack.connection)

    def run(command: list[str]) -> str:
        assert main(command) == 0, capsys.readouterr().err
        return " ".join(capsys.readouterr().out.split())

    world.published(A)
    chapters = parts()
    plan, does_it, versions, compare, verify = chapters["How"]
    assert "1, then 4" in run(plan)
    assert world.head().version == 1, "a plan starts nothing"
    assert "resharded version 2" in run(does_it)
    assert world.head().shards == 4
    assert "re-shard" in run(versions)
    said = run(compare)
    assert "Unchanged 3" in said
    assert "Version 1 has 1 shard, version 2 has 4" in said
    assert "is whole: 3 records in 4 shards" in run(verify)
    world.published(B)
    again, rollback, resume = chapters["The way back"]
    assert "resharded" in run(again)
    assert (world.head().shards, world.content()) == (1, should_be([A, B]))
    assert main(["reshard", "words", "--shards", "4", "--wait"]) == 0
    assert "rolled back" in run(rollback)
    assert (world.head().shards, world.content()) == (1, should_be([A]))
    run(resume)
    assert (world.head().shards, world.content()) == (1, should_be([A, B]))

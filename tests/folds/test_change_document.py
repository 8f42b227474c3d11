"""docs/change.md does what it says: its commands, in its order, on the local stack."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from receipt_dynamo_stream.keys import ReceiptId

from operate.contents.merged import what_came
from operate.stack import Stack
from tests.documented import chapters, runner
from tests.pipeline.world import vector

from .world import FoldWorld, should_be

A, B = ReceiptId("aaaa", 1), ReceiptId("bbbb", 1)


@pytest.fixture
def run(
    world: FoldWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    said = runner(world.stack, tmp_path, monkeypatch, capsys)
    return lambda *command: said(list(command))


@pytest.mark.slow
def test_another_number_of_shards_and_both_ways_back(world: FoldWorld, run: Callable[..., str]) -> None:
    world.published(A)
    told = chapters("change.md", 1)
    plan, does_it, versions, compare, verify = told["How"]
    assert "1, then 4" in run(*plan)
    assert world.head().version == 1, "a plan starts nothing"
    assert "resharded version 2" in run(*does_it)
    assert world.head().shards == 4
    assert "re-shard" in run(*versions)
    said = run(*compare)
    assert "Unchanged 3" in said
    assert "Version 1 has 1 shard, version 2 has 4" in said
    assert "is whole: 3 records in 4 shards" in run(*verify)
    world.published(B)
    again, rollback, resume = told["The way back"]
    assert "resharded" in run(*again)
    assert (world.head().shards, world.content()) == (1, should_be([A, B]))
    run("reshard", "words", "--shards", "4", "--wait")
    assert "rolled back" in run(*rollback)
    assert (world.head().shards, world.content()) == (1, should_be([A]))
    run(*resume)
    assert (world.head().shards, world.content()) == (1, should_be([A, B]))


@pytest.mark.slow
def test_what_is_asked_of_a_version_is_answered_on_both_sides_of_a_reshard(
    world: FoldWorld, run: Callable[..., str], tmp_path: Path
) -> None:
    world.published(A)
    run("reshard", "words", "--shards", "3", "--wait")
    (tmp_path / "vector.json").write_text(json.dumps(vector(1).tolist()))
    for version, shards in (("1", 1), ("2", 3)):
        found = json.loads(run("query", "words", "--vector", "vector.json", "--version", version, "--json"))
        assert {hit["id"] for hit in found["hits"]} == set(should_be([A]))
        assert all(hit["shard"] < shards for hit in found["hits"])
        exported = json.loads(run("export", "words", f"out-{version}", "--version", version, "--json"))
        assert exported["records"] == 3
        assert json.loads(run("verify", "words", version, "--json"))["shards"] == shards
    came = what_came(Stack(world.stack.connection), "words", None)
    assert (came.version, came.merged) == (2, None)
    assert "in another number of shards" in (came.problem or "")
    (words,) = json.loads(run("where", "aaaa/1", "words", "--json"))["collections"].values()
    assert [change["version"] for change in words["changes"]] == [1], "a re-shard brought nothing of a receipt"

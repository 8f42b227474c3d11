"""The examples that read run as their documents say: from an event loop, and as a notebook on a bucket alone."""

import asyncio
import importlib.util
import runpy
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from receipt_chroma import SnapshotReader, VersionNotServed
from receipt_dynamo_stream.keys import ReceiptId, word_record_id

from .rounds import Rounds, vector

EXAMPLES = Path(__file__).parents[2] / "examples"
RECEIPT = ReceiptId("image-a", 1)
WORDS = [(1, 1), (1, 2)]


@pytest.fixture
def published(rounds: Rounds) -> Rounds:
    """A receipt with a merchant."""
    rounds.create(RECEIPT, WORDS)
    rounds.put(RECEIPT, "#PLACE", "RECEIPT_PLACE", merchant_name="Sprouts")
    rounds.announce(RECEIPT, WORDS, seed=5)
    rounds.merge_all()
    return rounds


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_event_loop_asks_many_questions_and_goes_on_meanwhile(published: Rounds, tmp_path: Path) -> None:
    example: Any = load(EXAMPLES / "async_search/search.py")

    async def ask() -> tuple[list[Any], int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        async with example.AsyncSearch(str(published.efs), "words", cache_dir=tmp_path / "cache") as search:
            answers = await search.nearest_of_each([vector(5), vector(5)], 1)
            answers.append(await search.nearest(vector(5), where={"merchant_name": "Costco"}))
        ticking.cancel()
        return answers, ticks

    answers, ticks = asyncio.run(ask())
    assert [[hit.id for hit in hits] for hits in answers] == [[word_record_id(RECEIPT, 1, 1)]] * 2 + [[]]
    assert ticks > 3


def test_a_producer_reads_its_own_write_from_wherever_it_is(published: Rounds, tmp_path: Path) -> None:
    """SettleChanges writes on the run from which version on it is visible; a round that changes nothing, too."""
    (run_id,) = runs(published)
    root, cache = f"s3://{published.bucket}/snapshots", tmp_path / "cache"
    with SnapshotReader(root, "words", cache_dir=cache, s3=published.s3) as reader:
        again = {"receipts_table": published.receipts_table, "dynamodb": published.dynamodb, "timeout": timedelta(0)}
        asked: dict[str, Any] = {"image_id": RECEIPT.image_id, "receipt_id": RECEIPT.receipt_id, **again}
        assert reader.wait_for(run_id, **asked) == 1
        published.announce(RECEIPT, WORDS, seed=5)
        (newer,) = set(runs(published)) - {run_id}
        with pytest.raises(VersionNotServed, match=f"run {newer} of .* was not merged"):
            reader.wait_for(newer, **asked)
        published.merge_all()
        assert reader.wait_for(newer, **asked) == reader.version == 1, "the same vectors: no new version has them"
        published.announce(RECEIPT, WORDS, seed=9)
        (newest,) = set(runs(published)) - {run_id, newer}
        published.merge_all()
        assert reader.wait_for(newest, **asked) == 2
        assert reader.nearest(vector(9), 1)[0].distance == 0.0


def runs(rounds: Rounds) -> list[str]:
    items = rounds.dynamodb.scan(TableName=rounds.receipts_table)["Items"]
    return [item["run_id"]["S"] for item in items if item["TYPE"]["S"] == "COMPACTION_RUN"]


def test_the_notebook_runs_from_top_to_bottom_on_the_bucket_alone(
    published: Rounds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SNAPSHOTS", f"s3://{published.bucket}/snapshots")
    monkeypatch.setenv("SNAPSHOT_CACHE", str(tmp_path / "cache"))
    runpy.run_path(str(EXAMPLES / "notebook/explore.py"))
    printed = capsys.readouterr().out
    assert "version 1, 2 records of 4 dimensions" in printed
    assert "[('Sprouts', 2)]" in printed
    assert f"0.0000  {word_record_id(RECEIPT, 1, 1)}" in printed
    assert "nothing new 1" in printed

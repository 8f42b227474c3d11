"""The demo itself, in a small size: the whole machine, every act."""

import os
from pathlib import Path

import chromadb
import pytest

from local.demo.acts import ACTS, DemoSettings, QuietProgress, run_demo
from local.demo.producer import COLLECTIONS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "demo"


@pytest.mark.timeout(400)
def test_the_whole_demo_holds_and_leaves_its_snapshots_and_nothing_else(folder: Path) -> None:
    progress = QuietProgress()
    settings = DemoSettings(receipts=4, dimension=32, folder=folder, schedule_seconds=2.0)
    result = run_demo(settings, progress)

    assert result.ok, {name: collection.differences for name, collection in result.collections.items()}
    assert len([line for line in progress.told if line in titles(progress)]) == len(ACTS) == 6
    answer = result.to_json()
    for collection in COLLECTIONS:
        seen = answer["collections"][collection]
        assert seen["records"] == seen["expected_records"] > 0
        assert seen["executions"]["published"] >= 4  # the burst, acts 3 and 4, and who took over
        assert seen["executions"]["coalesced"] >= 1
        assert seen["executions"]["aborted"] + seen["executions"]["failed"] >= 1
        assert seen["quarantined"] == 1
        assert 0 < seen["visible_seconds"]["p50"] <= seen["visible_seconds"]["max"]
        assert plain_count(folder, collection) == seen["records"]
    assert {"PlanCompaction", "MergeDeltas", "CommitSnapshot", "SwapPointer"} <= answer["steps"].keys()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)  # no process of ours is left


def titles(progress: QuietProgress) -> set[str]:
    beginnings = ("4 receipts", "Both collections", "A label and", "One corrupt", "A merge freezes", "The published")
    return {line for line in progress.told if line.startswith(beginnings)}


def plain_count(folder: Path, collection: str) -> int:
    """As anyone may open the newest K = 1 shard, with plain chromadb."""
    newest = max((folder / "efs" / collection / "shards" / "0000").iterdir())
    client = chromadb.PersistentClient(str(newest), settings=chromadb.Settings(anonymized_telemetry=False))
    try:
        return client.get_collection(collection, embedding_function=None).count()
    finally:
        client.close()

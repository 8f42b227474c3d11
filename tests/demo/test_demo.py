"""The demo itself, in a small size: the whole machine, every act. In a process of its own, as a person runs it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import chromadb
import pytest

from local.demo.acts import ACTS
from local.demo.samples.producer import COLLECTIONS

RUN = """
import json, os, sys
from pathlib import Path
from local.demo.acts import DemoSettings, QuietProgress, run_demo

progress = QuietProgress()
result = run_demo(DemoSettings(receipts=4, dimension=32, folder=Path(sys.argv[1]), schedule_seconds=2.0), progress)
try:
    left = os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    left = None
differences = [line for collection in result.collections.values() for line in collection.differences]
print(json.dumps({"result": result.to_json(), "told": progress.told, "left": left, "differences": differences}))
"""

FAIL = """
import json, os, sys
from pathlib import Path
from local.demo.acts import DemoFailed, DemoSettings, QuietProgress, run_demo

settings = DemoSettings(receipts=4, dimension=32, folder=Path(sys.argv[1]), patience_seconds=0.0)
try:
    run_demo(settings, QuietProgress())
except DemoFailed as failed:
    said = str(failed)
try:
    left = os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    left = None
print(json.dumps([said, left]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "demo"


@pytest.fixture(scope="module")
def ran(folder: Path) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-c", RUN, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


pytestmark = pytest.mark.timeout(400)


def test_every_act_of_the_demo_holds_and_every_record_is_what_it_must_be(ran: dict[str, Any]) -> None:
    assert ran["differences"] == []
    assert ran["result"]["ok"] is True
    titles = [line for line in ran["told"] if line.startswith(TITLES)]
    assert len(titles) == len(TITLES) == len(ACTS) == 6


@pytest.mark.slow
def test_an_act_that_does_not_hold_ends_the_demo_and_leaves_no_process_behind(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FAIL, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    said, left = json.loads(done.stdout.splitlines()[-1])
    assert said.startswith("act 2: expected every change to become visible; seen: 4 changes are not in lines")
    assert left is None


TITLES = ("4 receipts", "Both collections", "A label and", "One corrupt", "A merge freezes", "The published snapshots")


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_the_demo_published_coalesced_stopped_and_quarantined(ran: dict[str, Any], collection: str) -> None:
    seen = ran["result"]["collections"][collection]
    assert seen["records"] == seen["expected_records"] > 0
    assert seen["executions"]["published"] >= 4  # the burst, acts 3 and 4, and who took over
    assert seen["executions"]["coalesced"] >= 1
    assert seen["executions"]["aborted"] + seen["executions"]["failed"] >= 1
    assert seen["executions"]["fenced"] == 0
    assert seen["quarantined"] == 1
    assert 0 < seen["visible_seconds"]["p50"] <= seen["visible_seconds"]["max"]


def test_the_demo_measures_every_step(ran: dict[str, Any]) -> None:
    steps = ran["result"]["steps"]
    assert {"PlanCompaction", "MergeDeltas", "ValidateShard", "CommitSnapshot", "SwapPointer"} <= steps.keys()
    assert all(seconds >= 0 for seconds in steps.values())


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_anyone_may_open_the_export_that_the_demo_ends_with(ran: dict[str, Any], folder: Path, collection: str) -> None:
    assert ran["result"]["efs"] == str(folder / "efs")
    exported = folder / "export" / collection
    assert any(str(exported.parent) in line for line in ran["told"][-2:])
    client = chromadb.PersistentClient(str(exported), settings=chromadb.Settings(anonymized_telemetry=False))
    try:
        count = client.get_collection(collection, embedding_function=None).count()
    finally:
        client.close()
    assert count == ran["result"]["collections"][collection]["records"]


def test_the_demo_leaves_no_process_behind(ran: dict[str, Any]) -> None:
    assert ran["left"] is None

"""`compaction up --keep`: stopped, started again, killed, and fed in between."""

import signal
from pathlib import Path

import pytest

from local.aws.executions import wait_until

from .running import run, up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

OWN = "receipt,line,word,text\nscan-7,1,1,ORGANIC\nscan-7,1,2,MILK\nscan-7/2,1,1,EGGS\n"


def test_what_was_loaded_is_there_after_a_stop_and_what_came_before_a_kill_is_not(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(OWN)
    with up(tmp_path, "--keep") as first:
        loaded = run(tmp_path, "load", "own.csv")
        assert loaded == {
            **{"receipts": 2, "lines": 2, "words": 3},
            "embedder": "local.demo.samples.embedding:embed_text",
        }
        first.wait_published(3)
        hits = run(tmp_path, "query", "words", "milk", "-n", "1")
        assert (hits["hits"][0]["document"], hits["nearness"]) == ("MILK", pytest.approx(1, abs=0.01))
    assert "its data is in .compaction/kept" in first.said

    with up(tmp_path, "--keep", end=signal.SIGKILL) as second:
        second.wait_published(3)
        before = second.versions()
        assert all(before)
        assert run(tmp_path, "history", "words", "--status", "published")["executions"]
        assert run(tmp_path, "sample", "1", "--seed", "3") == {"receipts": 1, "seed": 3}
        wait_until(lambda: second.versions() > before or None, 60, "the sample is not published")

    (tmp_path / ".compaction" / "stack.json").unlink()
    with up(tmp_path, "--keep", "--sample", "2") as third:
        assert third.versions() == before
        wait_until(lambda: third.stack.collections.status("words").unseen is None or None, 60, "nothing is repaired")
        third.wait_published(3)
        assert run(tmp_path, "query", "words", "milk", "-n", "1")["hits"][0]["document"] == "MILK"
    assert "was killed: what it did is lost" in third.said
    assert "--sample and --shards are for a stack that begins empty" in third.said

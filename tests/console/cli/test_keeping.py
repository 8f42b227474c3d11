"""`compaction up --keep` in processes of its own: stopped, started again, killed, and fed in between."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local.aws.executions import wait_until
from operate.connection import Connection
from operate.stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "COLUMNS": "80"}
COMMAND = [sys.executable, "-m", "console.cli.main"]
OWN = "receipt,line,word,text\nscan-7,1,1,ORGANIC\nscan-7,1,2,MILK\nscan-7/2,1,1,EGGS\n"


def run(folder: Path, *argv: str) -> Any:
    done = subprocess.run([*COMMAND, *argv, "--json"], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Up:
    """A stack that runs, and what it said on stderr once it has ended."""

    def __init__(self, process: "subprocess.Popen[str]", connection: Connection) -> None:
        self.process, self.stack, self.said = process, Stack(connection), ""

    def versions(self) -> list[int]:
        return [self.stack.collections.status(collection).version for collection in ("lines", "words")]

    def wait_published(self, records: int) -> None:
        def settled() -> bool | None:
            status = self.stack.collections.status("words")
            return (status.records == records and not status.pending) or None

        wait_until(settled, 60, f"{records} words are not published")


@contextmanager
def up(folder: Path, *, end: signal.Signals = signal.SIGTERM) -> Iterator[Up]:
    command = [*COMMAND, "up", "--keep", "--no-console", "--json"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, **pipes) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        said = json.loads(line)
        said.pop("console_url")
        running = Up(process, Connection.from_json(said))
        try:
            yield running
        finally:
            process.send_signal(end)
            running.said = process.communicate(timeout=60)[1]


def test_what_was_loaded_is_there_after_a_stop_and_what_came_before_a_kill_is_not(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(OWN)
    with up(tmp_path) as first:
        loaded = run(tmp_path, "load", "own.csv")
        assert loaded == {
            **{"receipts": 2, "lines": 2, "words": 3},
            "embedder": "local.demo.samples.embedding:embed_text",
        }
        first.wait_published(3)
        hits = run(tmp_path, "query", "words", "milk", "-n", "1")
        assert (hits["hits"][0]["document"], hits["nearness"]) == ("MILK", pytest.approx(1, abs=0.01))
    assert "its data is in .compaction/kept" in first.said

    with up(tmp_path, end=signal.SIGKILL) as second:
        second.wait_published(3)
        before = second.versions()
        assert all(before)
        assert run(tmp_path, "history", "words", "--status", "published")["executions"]
        assert run(tmp_path, "sample", "1", "--seed", "3") == {"receipts": 1, "seed": 3}
        wait_until(lambda: second.versions() > before or None, 60, "the sample is not published")

    (tmp_path / ".compaction" / "stack.json").unlink()
    with up(tmp_path) as third:
        assert third.versions() == before
        wait_until(lambda: third.stack.collections.status("words").unseen is None or None, 60, "nothing is repaired")
        third.wait_published(3)
        assert run(tmp_path, "query", "words", "milk", "-n", "1")["hits"][0]["document"] == "MILK"
    assert "was killed: what it did is lost" in third.said

"""`compaction up` in a process of its own, for tests of what people do beside it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local.aws.executions import wait_until
from operate.connection import Connection
from operate.stack import Stack

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
COMMAND = [sys.executable, "-m", "console.cli.main"]


def run(folder: Path, *argv: str, code: int = 0) -> Any:
    """What a command answers as JSON in a folder."""
    done = subprocess.run([*COMMAND, *argv, "--json"], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


class Up:
    """A stack that runs, and what it said on stderr once it has ended."""

    def __init__(self, connection: Connection) -> None:
        self.connection, self.stack, self.said = connection, Stack(connection), ""

    def versions(self) -> list[int]:
        """Of lines and of words."""
        return [self.stack.collections.status(collection).version for collection in ("lines", "words")]

    def wait_published(self, words: int) -> None:
        """Until so many words are published and nothing waits."""

        def settled() -> bool | None:
            status = self.stack.collections.status("words")
            return (status.records == words and not status.pending) or None

        wait_until(settled, 60, f"{words} words are not published")


@contextmanager
def up(
    folder: Path,
    *options: str,
    end: signal.Signals = signal.SIGTERM,
    environment: Mapping[str, str] = ENVIRONMENT,
) -> Iterator[Up]:
    """A stack with these options, ended by a signal. environment: with the code that it runs, where that is a copy."""
    command = [*COMMAND, "up", *options, "--no-console", "--json"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=folder, env=environment, **pipes) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        said = json.loads(line)
        said.pop("console_url")
        running = Up(Connection.from_json(said))
        try:
            yield running
        finally:
            process.send_signal(end)
            running.said = process.communicate(timeout=60)[1]

"""What the tests of the local stack share."""

import os
import signal
from pathlib import Path

from local.application import Application, functions_of
from local.aws.executions import wait_until
from local.settings import StackSettings

TOY = Path(__file__).parent / "toy"
QUICK = StackSettings(
    schedule_seconds=None,
    poll_seconds=0.05,
    batch_window_seconds=0.2,
    retry_attempts=2,
    retry_backoff_seconds=0.01,
    init_timeout_seconds=30,
)


def toy_application() -> Application:
    """Toy handlers and a toy state machine under the repository's naming rule."""
    steps = functions_of(["Echo", "Hold", "Misbehave"], package="toy_handlers")
    (listen,) = functions_of(["Listen"], package="toy_handlers")
    return Application(root=TOY, definition=TOY / "toy.asl.json", steps=steps, stream_handler=listen)


def process_state(pid: int) -> str | None:
    """The letter that Linux has for what a process does (T: stopped, Z: waits to be reaped); None when it is gone."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return status.rpartition(")")[2].split()[0]


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    return process_state(pid) in (None, "Z")


def freeze(pid: int) -> None:
    """Stop a process as SIGSTOP does, and wait until it has stopped."""
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: process_state(pid) == "T" or None, 10, f"{pid} does not stop")

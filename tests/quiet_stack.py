"""The local stack that most tests want: what they ask for and what its stream sees is all that starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local.settings import StackSettings
from local.stack import LocalStack


@contextmanager
def quiet_stack(folder: Path, **settings: Any) -> Iterator[LocalStack]:
    """Without a schedule, with short waits, and with these settings besides."""
    quiet: dict[str, Any] = {"schedule_seconds": None, "batch_window_seconds": 0.2, "poll_seconds": 0.05}
    with LocalStack(folder, StackSettings(**quiet, **settings)) as running:
        yield running

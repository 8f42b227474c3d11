"""What all acts share: the stack, the producer, the watchers, and how an act claims something."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from receipt_chroma import SnapshotReader
from receipt_dynamo_stream.control.head import Head
from receipt_dynamo_stream.control.quarantine import QuarantinedRun
from receipt_dynamo_stream.control.table import ControlTable

from local.aws.executions import Execution
from local.demo.progress import DemoProgress
from local.demo.result import DemoFailed, DemoSettings
from local.demo.samples.model import Receipt
from local.demo.samples.producer import COLLECTIONS, Producer
from local.demo.watcher import Awaited, NotVisible, Watcher
from local.stack import LocalStack

T = TypeVar("T")

_LOOK_SECONDS = 0.05


@dataclass
class Stage:
    """`receipts`: those that the table holds now, as the producer last wrote them. `extras`: those for later acts."""

    settings: DemoSettings
    progress: DemoProgress
    stack: LocalStack
    producer: Producer
    rng: random.Random
    receipts: list[Receipt]
    extras: list[Receipt]
    watchers: dict[str, Watcher]
    closing: ExitStack
    readers: dict[str, SnapshotReader] = field(default_factory=dict)
    title: str = ""

    def act(self, number: int, title: str) -> None:
        """The next act begins."""
        self.title = f"act {number}"
        self.progress.act(title)

    def claim(self, holds: bool, expected: str, seen: object) -> None:
        """Raise DemoFailed unless what the act claims holds."""
        if not holds:
            raise DemoFailed(self.title, expected, seen)

    def expect(self, awaited: Callable[[str], Awaited]) -> None:
        """Measure, in both collections, how long a change takes to be seen."""
        for collection, watcher in self.watchers.items():
            watcher.expect(awaited(collection))

    def wait_visible(self, text: str) -> None:
        """Until all that is expected was seen by a reader. Raises DemoFailed."""
        with self.progress.waiting(text):
            for watcher in self.watchers.values():
                try:
                    watcher.wait(self.settings.patience_seconds)
                except NotVisible as problem:
                    raise DemoFailed(self.title, "every change to become visible", problem) from problem

    def wait_for(self, expected: str, look: Callable[[], T | None]) -> T:
        """What `look` answers once it is not None. Raises DemoFailed."""
        deadline = time.monotonic() + self.settings.patience_seconds
        while (answer := look()) is None:
            if time.monotonic() > deadline:
                raise DemoFailed(self.title, expected, f"not so after {self.settings.patience_seconds:g} seconds")
            time.sleep(_LOOK_SECONDS)
        return answer

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Nothing is pending, nothing runs, and the schedule starts nothing meanwhile."""
        self.wait_for("nothing to be pending", lambda: None if any(map(self.pending, COLLECTIONS)) else True)
        self.stack.schedule.pause()
        try:
            self.stack.executions.wait_until_quiet(self.settings.patience_seconds)
            yield
        finally:
            self.stack.schedule.resume()

    def replace(self, old: Receipt, new: Receipt) -> None:
        """The table holds `new` in place of `old`."""
        self.receipts[self.receipts.index(old)] = new

    @property
    def control(self) -> ControlTable:
        """The stack's control table."""
        return ControlTable(self.stack.client("dynamodb"), self.stack.connection.control_table)

    def head(self, collection: str) -> Head:
        """The collection's lease and pointer. Raises DemoFailed before its first execution."""
        head = self.control.head(collection).read()
        if head is None:
            raise DemoFailed(self.title, f"a HEAD of {collection}", "none")
        return head

    def pending(self, collection: str) -> int:
        """How many receipts wait."""
        return len(self.control.pending(collection).read())

    def quarantined(self, collection: str) -> list[QuarantinedRun]:
        """The runs that wait for a person."""
        return self.control.quarantine(collection).list()

    def executions(self, collection: str) -> list[Execution]:
        """Every execution so far, oldest first."""
        return self.stack.executions.find(collection)

    def open_reader(self, collection: str) -> SnapshotReader:
        """A reader of what is published, open until the demo ends."""
        return self.closing.enter_context(SnapshotReader(self.efs, collection, cache_dir=self.reader_cache))

    @property
    def efs(self) -> Path:
        """The folder that stands for the file system."""
        return self.stack.efs

    @property
    def reader_cache(self) -> Path:
        """Where readers keep their private copies."""
        return self.settings.folder / "readers"

"""The readers of a soak: of each collection one that threads share, and one in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from datetime import timedelta

from receipt_chroma import SnapshotReader

from local.application import REPOSITORY
from local.demo.samples.producer import COLLECTIONS

from .reading import Looker, Seen
from .stage import Stage


class Readers:
    """Read between `start` and `stop`."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._stop = threading.Event()
        self._shared: list[SnapshotReader] = []
        self._lookers: list[Looker] = []
        self._threads: list[threading.Thread] = []
        self._processes: list[subprocess.Popen[str]] = []

    @property
    def pids(self) -> list[int]:
        """Of the processes."""
        return [process.pid for process in self._processes]

    @property
    def answers(self) -> int:
        """Of the threads, so far."""
        return sum(looker.seen.answers for looker in self._lookers)

    def start(self) -> None:
        """Something was published already."""
        efs, cache = self._stage.stack.efs, self._stage.stack.folder / "readers"
        for seed, name in enumerate(COLLECTIONS):
            reader = SnapshotReader(efs, name, cache_dir=cache, refresh_every=timedelta(seconds=0.7))
            self._shared.append(reader)
            for refreshes in (True, False):
                self._lookers.append(Looker(reader, efs, refreshes=refreshes, seed=seed))
            command = [sys.executable, "-m", "tests.soak.reading", str(efs), name, str(cache)]
            pipe = subprocess.PIPE
            self._processes.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=REPOSITORY))
        for looker in self._lookers:
            self._threads.append(threading.Thread(target=looker.loop, args=(self._stop,), name="reader"))
            self._threads[-1].start()

    def stop(self) -> Seen:
        """What they saw, together. May be called before `start`."""
        self._stop.set()
        seen = Seen()
        for thread in self._threads:
            thread.join()
        for looker in self._lookers:
            seen += looker.seen
        for process in self._processes:
            said, _ = process.communicate(input="", timeout=60)
            if process.returncode:
                seen.wrong.append(f"a reading process ended with {process.returncode}")
                continue
            found = json.loads(said.splitlines()[-1])
            seen += Seen(**{**found, "errors": Counter(found["errors"])})
        for reader in self._shared:
            reader.close()
        return seen

"""What may only grow while a soak runs: versions, fences, CURRENT and SERVING."""

from __future__ import annotations

import threading

from receipt_chroma.snapshot.serving import Serving, read_serving
from receipt_dynamo_stream.control.head import Head

from .renewal import WORDS
from .stage import Stage, published


class Heads:
    """VersionsOnlyGrow, of each generation and of which one serves, looked at five times a second."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._heads: dict[str, Head] = {}
        self._shown: dict[str, str] = {}
        self._serves = Serving(WORDS, 0)
        self.problems: list[str] = []

    def look(self) -> None:
        """Compare with the time before."""
        for name in self._stage.kept_up:
            head, before = self._stage.head(name), self._heads.get(name)
            if head is None or not head.projected_version:
                continue
            if before is not None and (head.fence < before.fence or head.version < before.version):
                self.problems.append(f"{name}: HEAD went from {before} to {head}")
            self._heads[name] = head
            shown = published(self._stage, name)["snapshot_id"]
            if shown < self._shown.get(name, ""):
                self.problems.append(f"{name}: CURRENT went from {self._shown[name]} to {shown}")
            self._shown[name] = shown
        serves = read_serving(self._stage.stack.efs, WORDS)
        if serves < self._serves:
            self.problems.append(f"SERVING went from {self._serves} to {serves}")
        self._serves = serves

    def loop(self, stop: threading.Event) -> None:
        """Until `stop` is set."""
        while not stop.wait(0.2):
            self.look()

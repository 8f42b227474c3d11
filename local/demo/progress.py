"""How the demo tells what it does. The command renders it; tests and scripts keep it quiet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class DemoProgress(Protocol):
    """Where the demo tells its story. Everything here is for a person, never for a script."""

    def act(self, title: str) -> None:
        """A new act begins."""

    def say(self, text: str) -> None:
        """One sentence."""

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table of values, a row each."""

    def waiting(self, text: str) -> AbstractContextManager[None]:
        """Show that something takes a while, until the context ends."""


class QuietProgress:
    """Tells nobody, and remembers what was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def act(self, title: str) -> None:
        self.told.append(title)

    def say(self, text: str) -> None:
        self.told.append(text)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        self.told += [title, *(" ".join(str(cell) for cell in row) for row in (columns, *rows))]

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        self.told.append(text)
        yield

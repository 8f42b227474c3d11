"""How a long piece of work tells a person what it does, on stderr: rich where a terminal is, plain lines elsewhere."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from console.cli.tables import fitting_table
from operate.wording import count_of, inert, short_record


class InertConsole(Console):
    """A console on which no text of a stranger acts: the only sequences that it prints are its own colours."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As Console's; every part of a table comes through here, too."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(inert(segment.text), segment.style)


def stdout_console() -> Console:
    """The answer goes here."""
    return InertConsole(highlight=False)


def stderr_console() -> Console:
    """Everything that is not the answer goes here, so that `--json` leaves stdout to scripts."""
    return InertConsole(stderr=True, highlight=False)


def spinner(console: Console, text: str) -> AbstractContextManager[object]:
    """Shown while something is waited for, on a terminal only: errors stay the only line elsewhere."""
    return console.status(Text(text)) if console.is_terminal else nullcontext()


class Progress:
    """Tells acts, sentences and tables, and shows a spinner while something is waited for."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._acts = 0

    def act(self, title: str) -> None:
        """Begin the next act."""
        self._acts += 1
        self._console.print()
        self._console.print(Text(f"{self._acts}. {title}", style="bold"))

    def say(self, text: str) -> None:
        """One sentence."""
        self._console.print(Text(text))

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Values of any kind, a row each. Record ids are shortened; a table that is too wide is shown on its side."""
        short = [[short_record(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
        self._console.print(fitting_table(title, columns, short, width=self._console.width))

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """A spinner, gone when the work is done; elsewhere a line that stays."""
        if not self._console.is_terminal:
            self._console.print(Text(f"{text} …"))
        with spinner(self._console, text):
            yield

    @contextmanager
    def telling(self, text: str) -> Iterator[Callable[[str], None]]:
        """A spinner whose text is what it is told, on a terminal only."""
        if not self._console.is_terminal:
            yield lambda _told: None
            return
        with self._console.status(Text(text)) as status:
            yield lambda told: status.update(Text(told))

    @contextmanager
    def counting(self, text: str, total: int, noun: str) -> Iterator[Callable[[int], None]]:
        """A spinner that says how many of all are done, by what it yields; elsewhere a line that stays."""
        if not self._console.is_terminal:
            self._console.print(Text(f"{text}: {count_of(total, noun)} …"))
            yield lambda _done: None
            return
        with self._console.status(Text(text)) as status:
            yield lambda done: status.update(Text(f"{text}: {done:,} of {count_of(total, noun)}"))

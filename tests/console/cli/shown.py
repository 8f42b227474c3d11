"""What a part of the terminal's output looks like in so many columns."""

from io import StringIO

from rich.console import Console, RenderableType


def shown(part: RenderableType, width: int = 80) -> str:
    """Its text, of which nothing was cut off and no line is too long."""
    console = Console(file=StringIO(), width=width, highlight=False)
    console.print(part)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    assert all(len(line) <= width for line in text.splitlines())
    assert "…" not in text, "something was cut off"
    return text

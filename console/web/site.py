"""What all pages share: the stack that they show, and what has been asked of it lately."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

from flask import abort, current_app, g

from console.web.watch import Watch
from operate.contents.contents import Contents
from operate.stack import Stack

T = TypeVar("T")


@dataclass(frozen=True)
class Site:
    """`called` is what the stack is called; `logs` is where the workers of a local stack write."""

    stack: Stack
    contents: Contents
    called: str
    read_only: bool = False
    logs: Path | None = None
    watch: Watch = field(default_factory=Watch)


def site() -> Site:
    """The site that answers the request at hand."""
    return cast(Site, current_app.extensions["site"])


def seen(key: Hashable, seconds: float, ask: Callable[[], T]) -> T:
    """What `ask` answers, at most so many seconds old; the page says so where it could not be asked anew."""
    answer = site().watch.get(key, seconds, ask)
    if answer.problem is not None:
        g.stale = (answer.problem, answer.age)
    return answer.value


def collections() -> tuple[str, ...]:
    """The collections, and their generations that are kept up."""
    return seen("collections", 3, site().stack.collections.names)


def refuse_when_reading_only() -> None:
    """Aborts with 403 unless this console may act."""
    if site().read_only:
        abort(403, "This console only reads: it was started with --read-only.")

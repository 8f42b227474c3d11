"""Things that are opened once for all who name them, and closed when the last one lets go."""

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass
class _Entry(Generic[V]):
    """One thing and its users; locked while it is opened."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    value: V | None = None
    closing: ExitStack = field(default_factory=ExitStack)


class Shared(Generic[K, V]):
    """Open things by key. Safe to share between threads; nothing is kept that nobody uses."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[K, _Entry[V]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def has(self, key: K) -> bool:
        """Whether somebody has it open just now: then borrowing it costs nothing."""
        with self._lock:
            entry = self._entries.get(key)
            return entry is not None and entry.value is not None

    @contextmanager
    def borrow(self, key: K, open_one: Callable[[], AbstractContextManager[V]]) -> Iterator[V]:
        """The thing of a key, opened unless somebody has it open; raises what `open_one` raises.

        Who comes while it is opened waits, and opens it again if that failed.
        """
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            entry.users += 1
        try:
            with entry.lock:
                if entry.value is None:
                    entry.value = entry.closing.enter_context(open_one())
            yield entry.value
        finally:
            with self._lock:
                entry.users -= 1
                last = not entry.users
                if last:
                    del self._entries[key]
            if last:  # nobody finds it any more
                entry.closing.close()

"""Answers that pages ask for again and again: each is asked for once at a time, kept for a moment, and not at all while
AWS throttles."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from operate.throttling import is_throttled

T = TypeVar("T")

KEPT = 256
_FIRST_PAUSE_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 60.0


@dataclass(frozen=True)
class Seen(Generic[T]):
    """An answer, its age in seconds, and why it could not be asked for anew, if it could not."""

    value: T
    age: float
    problem: str | None


@dataclass
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    value: Any = None
    asked_at: float | None = None


class Watch:
    """Shared by all pages and threads. However many tabs are open, a service sees one asker.

    After a throttled call nothing is asked for 2, 4, 8 … 60 seconds; what was known is shown meanwhile, and says so.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._lock = threading.Lock()
        self._pause = 0.0
        self._silent_until = 0.0

    def get(self, key: Hashable, seconds: float, ask: Callable[[], T]) -> Seen[T]:
        """The answer of `ask`, at most `seconds` old unless AWS throttles. What `ask` raises is raised, but throttling
        only when there is no older answer."""
        entry = self._entry(key)
        if self._is_good(entry, seconds):
            return self._seen(entry)
        # Whoever has an older answer does not wait for the one who asks.
        if not entry.lock.acquire(blocking=entry.asked_at is None):
            return self._seen(entry)
        try:
            if not self._is_good(entry, seconds):
                entry.value, entry.asked_at = ask(), self._clock()
                self._pause = 0.0
        except Exception as error:
            if not is_throttled(error):
                raise
            self._back_off()
            if entry.asked_at is None:
                raise
        finally:
            entry.lock.release()
        return self._seen(entry)

    def forget(self) -> None:
        """Ask anew for everything: something was just done that changes the answers."""
        with self._lock:
            self._entries.clear()

    def _entry(self, key: Hashable) -> _Entry:
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            while len(self._entries) > KEPT:
                self._entries.popitem(last=False)
            return entry

    def _is_good(self, entry: _Entry, seconds: float) -> bool:
        if entry.asked_at is None:
            return False
        now = self._clock()
        return now < self._silent_until or now - entry.asked_at < seconds

    def _back_off(self) -> None:
        self._pause = min(self._pause * 2 or _FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        self._silent_until = self._clock() + self._pause

    def _seen(self, entry: _Entry) -> Seen[Any]:
        now = self._clock()
        age = now - (entry.asked_at or now)
        wait = self._silent_until - now
        problem = f"AWS asks for fewer calls: the next one is in {wait:.0f} s" if wait > 0 else None
        return Seen(entry.value, age, problem)

"""Whoever says stop: Ctrl-C, `kill`, and a terminal that is closed."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_TERMINAL = (1, 2)  # what is written there is written to the terminal, where there is one


@contextmanager
def stop_signal() -> Iterator[threading.Event]:
    """An event that Ctrl-C, SIGTERM and SIGHUP set; the signals are as before when the context ends."""
    stopped = threading.Event()
    with _told(stopped.set, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        yield stopped


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP interrupt as Ctrl-C does, so that what was started is stopped in order whoever says stop."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    with _told(interrupt, signal.SIGTERM, signal.SIGHUP):
        yield


@contextmanager
def _told(tell: Callable[[], None], *numbers: signal.Signals) -> Iterator[None]:
    """`tell` is called in the main thread, which alone may wait for signals. `nohup` stays what it is."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    terminal = [number for number in _TERMINAL if os.isatty(number)]  # one that is gone would say no

    def told(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            _leave(terminal)
        tell()

    hangs_up = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
    before = {number: signal.signal(number, told) for number in numbers if number != signal.SIGHUP or hangs_up}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(terminal: list[int]) -> None:
    """Whatever is still said goes nowhere: a write to a terminal that is gone fails, and would end the stopping."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in terminal:
        os.dup2(nowhere, number)
    os.close(nowhere)

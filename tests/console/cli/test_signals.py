"""Ctrl-C, `kill` and a closed terminal end a command in order."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.cli.signals import interruptible, stop_signal
from tests.console.cli.running import ENVIRONMENT

BOTH = [signal.SIGTERM, signal.SIGHUP]

WAITS = """
import os, pathlib, sys, time
from console.cli.signals import interruptible
os.open(sys.argv[2], os.O_RDWR)  # the first that a session opens is its terminal
with interruptible():
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        print("nobody reads this", flush=True)
        pathlib.Path(sys.argv[1]).write_text("stopped in order")
"""


@pytest.fixture(autouse=True)
def no_nohup() -> Iterator[None]:
    """These tests may themselves be run by `nohup`, which their own processes would inherit."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", BOTH)
def test_a_signal_interrupts_as_ctrl_c_does_and_is_as_before_then(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), interruptible():
        signal.raise_signal(number)
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", [signal.SIGINT, *BOTH])
def test_what_waits_for_a_stop_is_told_of_each_signal(number: signal.Signals) -> None:
    with stop_signal() as stopped:
        signal.raise_signal(number)
        assert stopped.is_set()


def test_what_nohup_started_outlives_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible(), stop_signal() as stopped:
            signal.raise_signal(signal.SIGHUP)
            assert not stopped.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_closed_terminal_does_not_break_the_stopping(tmp_path: Path) -> None:
    told = tmp_path / "told"
    terminal, its = pty.openpty()
    command = [sys.executable, "-c", WAITS, str(told), os.ttyname(its)]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=its, stderr=its, start_new_session=True) as waiting:
        os.close(its)
        said = b""
        while b"ready" not in said:
            said += os.read(terminal, 1024)
        os.close(terminal)
        waiting.wait(timeout=30)
    assert told.read_text() == "stopped in order"

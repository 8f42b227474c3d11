"""The process that decodes deltas: whatever a delta does to it is that delta's own."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from receipt_chroma.delta import read as delta_read
from receipt_chroma.delta.arrow import encode_arrow
from receipt_chroma.delta.reader import DeltaReader
from receipt_chroma.errors import (
    REFUSAL_LENGTH,
    DeltaCorrupt,
    DeltaReaderFailed,
    DeltaReaderUnavailable,
    DeltaRefused,
    DeltaTooLarge,
)

from .strangers import GOOD, read, shown

BROKEN = str(Path(__file__).parent / "broken_reader.py")
ARROW = {"delta.arrow": encode_arrow(GOOD)}


@pytest.fixture(scope="module")
def broken() -> Iterator[DeltaReader]:
    reader = DeltaReader(BROKEN)
    yield reader
    reader.close()


DEATHS: dict[str, tuple[type[DeltaRefused], str]] = {
    "dies": (DeltaReaderFailed, "SIGSEGV"),
    "memory": (DeltaTooLarge, "MB"),
    "time": (DeltaTooLarge, "processor time"),
    "fault": (DeltaReaderFailed, "ZeroDivisionError"),
    "recursion": (DeltaCorrupt, "deep"),
    "ends": (DeltaTooLarge, "without an answer"),
    "writes": (DeltaReaderFailed, "File too large"),
}


@pytest.mark.parametrize("form", DEATHS)
def test_what_ends_the_process_refuses_that_delta_and_the_next_is_read(broken: DeltaReader, form: str) -> None:
    error, words = DEATHS[form]
    with pytest.raises(error, match=words):
        broken.decode(form, "words", {"x": b""})
    assert len(broken.decode("arrow", "words", ARROW)) == len(GOOD)


def test_a_message_is_short_and_printable(broken: DeltaReader) -> None:
    with pytest.raises(DeltaReaderFailed) as raised:
        broken.decode("fault", "words", {"x": b""})
    assert len(str(raised.value)) <= REFUSAL_LENGTH
    assert str(raised.value).isprintable()


def test_it_has_no_credentials(broken: DeltaReader, monkeypatch: pytest.MonkeyPatch) -> None:
    broken.close()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    (told,) = broken.decode("environment", "words", {"x": b""})
    assert "AWS" not in told.id


def test_it_is_started_again_when_it_was_ended_from_outside() -> None:
    reader = DeltaReader()
    assert len(reader.decode("arrow", "words", ARROW)) == len(GOOD)
    process = reader._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert len(reader.decode("arrow", "words", ARROW)) == len(GOOD)
    reader.close()


def test_a_reader_that_cannot_be_started_is_no_fault_of_the_delta() -> None:
    with pytest.raises(DeltaReaderUnavailable):
        DeltaReader("-c", "raise SystemExit(3)").decode("arrow", "words", ARROW)


def test_threads_share_it() -> None:
    outcomes: list[int] = []
    threads = [threading.Thread(target=lambda: outcomes.append(len(read("arrow", ARROW)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [len(GOOD)] * 8


def test_a_fault_of_ours_costs_the_run_alone_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("something we did not think of")

    assert shown(read("arrow", ARROW)) == shown(GOOD)
    monkeypatch.setattr(delta_read, "checked_records", fault)
    with pytest.raises(DeltaReaderFailed, match="ZeroDivisionError: something we did not think of"):
        read("arrow", ARROW)


@pytest.mark.parametrize("error", [MemoryError, OSError, KeyboardInterrupt, DeltaReaderUnavailable])
def test_what_the_machine_lacks_is_no_fault_of_the_delta(
    monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def fault(*_: Any, **__: Any) -> None:
        raise error("no room")

    monkeypatch.setattr(delta_read, "checked_records", fault)
    with pytest.raises(error):
        read("arrow", ARROW)

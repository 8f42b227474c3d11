"""The watcher against snapshots that are published by the simplest means."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from receipt_chroma import Record

from local.demo.naive.published import NaiveRecord
from local.demo.watcher import Awaited, NotVisible, Watcher
from tests.demo.publishing import publish

VECTOR = np.ones(4, dtype="<f4").tobytes()
ID = "IMAGE#a#RECEIPT#00001#LINE#00001#WORD#00001"


@pytest.fixture
def watcher(tmp_path: Path) -> Iterator[Watcher]:
    watcher = Watcher(tmp_path / "efs", "words", tmp_path / "cache")
    watcher.start()
    yield watcher
    watcher.stop()


def awaited(text: str, since: float) -> Awaited:
    def shows(record: Record | None) -> bool:
        return record is not None and record.document == text

    return Awaited(f"text {text}", ID, shows, since)


def test_what_is_published_later_is_seen_and_measured(watcher: Watcher, tmp_path: Path) -> None:
    watcher.expect(awaited("MILK", time.monotonic()))
    with pytest.raises(NotVisible, match="1 changes are not in words, such as text MILK"):
        watcher.wait(0.1)
    publish(tmp_path / "efs", "words", {ID: NaiveRecord(VECTOR, "MILK", {"n": 1})})
    watcher.wait(10)
    (seconds,) = watcher.seconds
    assert 0.1 <= seconds < 10


def test_a_new_version_is_followed(watcher: Watcher, tmp_path: Path) -> None:
    publish(tmp_path / "efs", "words", {ID: NaiveRecord(VECTOR, "MILK", {"n": 1})})
    watcher.expect(awaited("MILK", time.monotonic()))
    watcher.wait(10)
    watcher.expect(awaited("EGGS", time.monotonic()))
    publish(tmp_path / "efs", "words", {ID: NaiveRecord(VECTOR, "EGGS", {"n": 1})}, version=2)
    watcher.wait(10)
    assert len(watcher.seconds) == 2


def test_what_is_visible_already_took_no_time(watcher: Watcher, tmp_path: Path) -> None:
    publish(tmp_path / "efs", "words", {ID: NaiveRecord(VECTOR, "MILK", {"n": 1})})
    watcher.expect(awaited("MILK", time.monotonic()))
    watcher.wait(10)
    watcher.expect(Awaited("deletion of another", "other", lambda record: record is None, time.monotonic()))
    watcher.wait(10)
    assert watcher.seconds[1] == 0.0


def test_a_problem_of_the_reader_is_raised_where_somebody_waits(watcher: Watcher, tmp_path: Path) -> None:
    watcher.expect(awaited("MILK", time.monotonic()))
    (tmp_path / "efs" / "words").mkdir(parents=True)
    (tmp_path / "efs" / "words" / "CURRENT").write_text("no JSON\n")
    with pytest.raises(Exception, match=r"CURRENT|JSON|words") as raised:
        watcher.wait(10)
    assert not isinstance(raised.value, NotVisible)


def test_a_watcher_that_saw_nothing_stops_at_once(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path, "words", tmp_path / "cache")
    watcher.start()
    watcher.stop()
    assert watcher.seconds == []

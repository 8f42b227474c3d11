import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from receipt_chroma.errors import SnapshotUnavailable
from receipt_chroma.reader import SnapshotReader, base, opening
from receipt_chroma.reader import refresher as refresher_module
from receipt_chroma.reader.refresher import Refresher

from ..history import History, label_of, seconds
from ..samples import vector

OFTEN = timedelta(milliseconds=5)
SOON = seconds(30)


@pytest.fixture
def background(history: History) -> Iterator[SnapshotReader]:
    """A reader of version 1 that refreshes by itself."""
    history.point(1)
    with history.reader(refresh_every=OFTEN) as reader:
        yield reader


class Switches:
    """Snapshots as they are opened: an event for each version."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._opened: dict[int, threading.Event] = {}
        self._lock = threading.Lock()
        open_snapshot = opening.open_snapshot

        def noting(current: Any, *rest: Any) -> Any:
            opened = open_snapshot(current, *rest)
            self[current.version].set()
            return opened

        monkeypatch.setattr(opening, "open_snapshot", noting)

    def __getitem__(self, version: int) -> threading.Event:
        with self._lock:
            return self._opened.setdefault(version, threading.Event())


def refreshers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "refresh-words"]


def test_it_follows_current_by_itself(
    history: History, background: SnapshotReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    switches = Switches(monkeypatch)
    for version in (2, 4):
        history.point(version)
        assert switches[version].wait(30)
        background.refresh(min_version=version, timeout=SOON)  # that it was opened, not yet that it is served
        assert label_of(background) == f"L{version}"


def test_refreshing_goes_on_after_an_error_and_the_error_is_logged(
    history: History, background: SnapshotReader, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failed = threading.Event()

    def full(*_: Any) -> Any:
        failed.set()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(opening, "open_snapshot", full)
        history.point(2)
        assert failed.wait(30)
        assert label_of(background) == "L1"
    background.refresh(min_version=2, timeout=SOON)
    assert any("No space left" in str(record.exc_text) for record in caplog.records)


def test_without_an_interval_no_thread_runs(history: History) -> None:
    history.point(1)
    with history.reader():
        assert refreshers() == []


def test_closing_ends_the_thread(history: History) -> None:
    history.point(1)
    reader = history.reader(refresh_every=OFTEN)
    assert len(refreshers()) == 1
    reader.close()
    assert refreshers() == []
    with pytest.raises(SnapshotUnavailable, match="closed"):
        reader.refresh(min_version=2)


def test_in_a_lambda_no_thread_starts_and_a_warning_says_so(
    history: History, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")
    history.point(1)
    with history.reader(refresh_every=OFTEN) as reader:
        assert refreshers() == []
        history.point(2)
        assert reader.version == 1
        assert reader.refresh() is True
    assert "call refresh()" in caplog.text


def test_an_interval_of_nothing_is_a_mistake_of_the_caller(history: History) -> None:
    history.point(1)
    with pytest.raises(ValueError, match="interval"):
        history.reader(refresh_every=timedelta(0))
    assert list(history.cache.iterdir()) == []


def test_a_snapshot_is_warm_before_it_is_served(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Watched(base.ChromaDir):
        def nearest(self, *arguments: Any, **options: Any) -> Any:
            asked.append(served[0].version if served else 0)
            return super().nearest(*arguments, **options)

    served: list[SnapshotReader] = []
    monkeypatch.setattr(base, "ChromaDir", Watched)
    history.point(1)
    with history.reader() as reader:
        served.append(reader)
        history.point(2)
        reader.refresh()
        assert reader.version == 2
    assert asked == [0, 1]


def test_closing_waits_for_a_refresh_that_runs_and_leaves_nothing_of_it(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, go_on = threading.Event(), threading.Event()
    open_snapshot = opening.open_snapshot

    def slow(*arguments: Any) -> Any:
        inside.set()
        assert go_on.wait(30)
        return open_snapshot(*arguments)

    history.point(1)
    reader = history.reader()
    monkeypatch.setattr(opening, "open_snapshot", slow)
    history.point(2)
    with ThreadPoolExecutor(2) as pool:
        refreshing = pool.submit(reader.refresh)
        assert inside.wait(30)
        closing = pool.submit(reader.close)
        assert reader._closing.wait(30)
        go_on.set()
        refreshing.exception(30)  # it switched, or it was told that the reader is closed
        closing.result(30)
    assert list(history.cache.iterdir()) == []


def test_threads_share_one_reader_while_it_switches(history: History) -> None:
    history.point(1)
    start = threading.Barrier(5)

    def look(reader: SnapshotReader) -> list[int]:
        start.wait(30)
        seen = []
        while not seen or seen[-1] < 4:
            reader.refresh()
            seen.append(int(label_of(reader).removeprefix("L")))
        return seen

    with history.reader() as reader, ThreadPoolExecutor(4) as pool:
        looking = [pool.submit(look, reader) for _ in range(4)]
        start.wait(30)
        for version in (2, 3, 4):
            history.point(version)
        for one in looking:
            seen = one.result(60)
            assert seen == sorted(seen)


def test_what_an_open_reader_answers_outlives_the_files_of_its_version(history: History) -> None:
    """Expiry deletes files on EFS that a reader still has open; on NFS that is no protection."""
    history.point(3)
    with history.reader() as reader:
        before = [record.embedding.tobytes() for record in reader.records()], reader.nearest(vector(5), 3)
        for path in history.shard(3).rglob("*"):
            if path.is_file():
                os.truncate(path, 0)
        assert ([record.embedding.tobytes() for record in reader.records()], reader.nearest(vector(5), 3)) == before


def test_stopping_a_refresher_ends_a_long_interval_at_once() -> None:
    refresher = Refresher(lambda: None, timedelta(days=1), name="refresh-words")
    assert len(refreshers()) == 1
    refresher.stop()
    refresher.stop()
    assert refreshers() == []
    assert refresher_module._IN_LAMBDA == "AWS_LAMBDA_RUNTIME_API"

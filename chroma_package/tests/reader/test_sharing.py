"""What snapshots have in common is opened once: a refresh opens what is new, and closes what nobody names."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from receipt_chroma.reader import open_files
from receipt_chroma.reader.shared import Shared
from receipt_chroma.records import Record

from ..samples import receipt, vector, word
from .layers import Layers


def words(number: int, seed: int = 0) -> list[Record]:
    return [word(1, place, seed * 1000 + number * 50 + place, of=receipt(number)) for place in (1, 2, 3)]


@pytest.fixture
def layers(tmp_path: Path) -> Layers:
    """Two shards; of six receipts in the bases the first was embedded again, in a segment."""
    layers = Layers(tmp_path, shards=2)
    layers.base({receipt(number): words(number) for number in range(6)})
    layers.segment({receipt(0): words(0, seed=1)})
    return layers


class Opened:
    """Names of the bases and segments that were opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.paths: list[str] = []
        open_base, read = open_files.open_base, open_files.read_proved_segment

        def noting_base(published: Path, *rest: Any, **options: Any) -> Any:
            self.paths.append(published.name)
            return open_base(published, *rest, **options)

        def noting_segment(path: Path, *rest: Any) -> Any:
            self.paths.append(path.name)
            return read(path, *rest)

        monkeypatch.setattr(open_files, "open_base", noting_base)
        monkeypatch.setattr(open_files, "read_proved_segment", noting_segment)

    def taken(self) -> list[str]:
        """Since it was asked last."""
        paths, self.paths = sorted(self.paths), []
        return paths


def test_a_refresh_opens_what_is_new_and_nothing_else(layers: Layers, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Opened(monkeypatch)
    with layers.reader() as reader:
        first, second = f"{1:010d}-{1:010d}-1-a", f"{2:010d}-{2:010d}-1-a.arrow"
        assert opened.taken() == [first, first, second]
        for number in range(3, 9):
            layers.segment({receipt(number): words(number, seed=2)})
            assert reader.refresh()
            assert opened.taken() == [f"{number:010d}-{number:010d}-1-a.arrow"]
            assert [record.id for record in reader.records()] == [record.id for record in layers.records]
        assert len(reader._files) == 2 + 7
        layers.base()
        assert reader.refresh(folds=True)
        assert opened.taken() == [f"{9:010d}-{9:010d}-1-a"] * 2
        assert len(reader._files) == 2
    assert len(reader._files) == 0
    assert list(layers.cache.iterdir()) == []


def test_a_query_that_runs_keeps_what_its_snapshot_named(layers: Layers) -> None:
    with layers.reader() as reader, reader._borrow() as before:
        expected = before.nearest(vector(3), 5)
        layers.segment({receipt(number): [] for number in range(6)})
        layers.base()
        assert reader.refresh(folds=True)
        assert reader.nearest(vector(3), 5) == reader.records() == []
        assert before.nearest(vector(3), 5) == expected
        assert len(reader._files) == 5


def test_a_refresh_that_fails_keeps_nothing_of_it_open(layers: Layers) -> None:
    with layers.reader() as reader:
        held = len(reader._files)
        newer = layers.segment({receipt(1): words(1, seed=5), receipt(2): words(2, seed=5), receipt(3): []})
        lost = next(shard.segments[-1] for shard in newer.shards if len(shard.segments) > 1)
        (layers.folder / lost.path).unlink()
        assert reader.refresh() is False
        assert (reader.version, len(reader._files)) == (2, held)


def test_reading_a_segment_writes_no_byte_and_reads_no_more_than_it_and_the_manifest(layers: Layers) -> None:
    with layers.reader() as reader:
        newer = layers.segment({receipt(1): words(1, seed=5)})
        before = counted()
        assert reader.refresh()
        after = counted()
        (entry,) = (one for shard in newer.shards for one in shard.segments if f"{3:010d}-{3:010d}" in one.path)
        assert after["wchar"] == before["wchar"]
        assert after["rchar"] - before["rchar"] < entry.size + len(newer.encode()) + 4_000


def counted() -> dict[str, int]:
    lines = Path("/proc/self/io").read_text().splitlines()
    return {name: int(value) for name, value in (line.split(": ") for line in lines)}


def test_what_is_shared_is_opened_by_one_and_closed_by_the_last() -> None:
    shared: Shared[str, list[str]] = Shared()
    log: list[str] = []
    together = threading.Barrier(4)

    @contextmanager
    def thing() -> Iterator[list[str]]:
        log.append("open")
        yield log
        log.append("close")

    def use() -> None:
        together.wait(30)
        with shared.borrow("key", thing) as one:
            assert one is log
            together.wait(30)

    with ThreadPoolExecutor(4) as pool:
        for running in [pool.submit(use) for _ in range(4)]:
            running.result(60)
    assert (log, len(shared)) == (["open", "close"], 0)


def test_what_could_not_be_opened_is_opened_by_the_next() -> None:
    shared: Shared[str, str] = Shared()

    @contextmanager
    def broken() -> Iterator[str]:
        raise FileNotFoundError
        yield ""

    @contextmanager
    def whole() -> Iterator[str]:
        yield "whole"

    with pytest.raises(FileNotFoundError), shared.borrow("key", broken):
        pass
    assert (len(shared), shared.has("key")) == (0, False)
    with shared.borrow("key", whole) as value, shared.borrow("key", broken) as same:
        assert (value, same, shared.has("key")) == ("whole", "whole", True)

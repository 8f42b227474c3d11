"""A reader that lives for ever: what a hundred refreshes leave behind."""

import gc
import os
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Self

import pytest
from receipt_chroma.reader import opening

from ..history import History, label_of
from ..samples import facts, receipt, run, vector, word
from ..world import World
from .layers import Layers

REFRESHES = 100
WARM_UP = 20
"""Refreshes before the first measure: allocators and caches fill up once."""

MEMORY_TOLERANCE = 8 << 20
"""Bytes of resident memory: 80 KB a refresh. Measured: 1 to 4 MB for 180 refreshes, and 360 MB for 100 of a reader that
does not close its old snapshots."""

ARENAS_TOLERANCE = 64 << 20
"""The same where shards are asked in threads, to each of which malloc gives an arena: 35 MB measured, and less than
8 with MALLOC_ARENA_MAX=2. Three shards that are not closed leave a gigabyte."""

NOISE = 40
"""Handles and threads that pools of this process may come to hold meanwhile: chromadb gives a base that stays open up
to ten connections, with a thread each, as it is asked. A leak has one or more for each refresh."""

SETTLE_SECONDS = 20
"""chromadb closes its database in threads of its own, a moment after close()."""


def entries(folder: str) -> int:
    return sum(1 for _ in Path(folder).iterdir())


@dataclass(frozen=True)
class Held:
    """What this process holds."""

    files: int
    threads: int
    folders: int
    memory: int

    @classmethod
    def now(cls, history: Layers | History) -> Self:
        gc.collect()
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return cls(
            files=entries("/proc/self/fd"),
            threads=entries("/proc/self/task"),
            folders=sum(1 for _ in history.cache.rglob("*")),
            memory=resident,
        )


def test_a_hundred_refreshes_leak_no_file_handle_thread_folder_or_memory(history: History) -> None:
    history.point(1)
    before: Held | None = None
    with history.reader() as reader:
        for number in range(1, WARM_UP + REFRESHES + 1):
            version = history.again()
            assert reader.refresh() is True
            assert (reader.version, len(reader.nearest(vector(number), 2)), label_of(reader)) == (version, 2, "L3")
            if number == WARM_UP:
                before = settled(history)
        assert_no_more_than(before, history)
    assert list(history.cache.iterdir()) == []


def test_nor_does_a_reader_of_several_shards_which_asks_them_in_threads(world: World, tmp_path: Path) -> None:
    world.shards = 3
    known = [facts([(1, 1)], of=receipt(number), runs=[run(number)]) for number in range(6)]
    for number, of in enumerate(known):
        world.upload(of.runs[0], [word(1, 1, number, of=receipt(number))])
    world.publish(*known)
    assert sum(shard.path is not None for shard in world.manifest.shards) == 3
    history = History(world.efs, tmp_path / "copy", [world.manifest])
    history.point(1)
    before: Held | None = None
    with history.reader() as reader:
        for number in range(1, WARM_UP + REFRESHES + 1):
            version = history.again()
            assert reader.refresh() is True
            assert (reader.version, len(reader.nearest(vector(number), 4)), reader.count()) == (version, 4, 6)
            if number == WARM_UP:
                before = settled(history)
        assert_no_more_than(before, history, ARENAS_TOLERANCE)
    assert list(history.cache.iterdir()) == []


@pytest.mark.parametrize(
    "folds", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["over one base", "with folds between"]
)
def test_nor_do_a_hundred_refreshes_with_segments_that_come_and_go(tmp_path: Path, folds: bool) -> None:
    layers = Layers(tmp_path, shards=2)
    layers.base({receipt(number): [word(1, 1, number, of=receipt(number))] for number in range(6)})
    before: Held | None = None
    with layers.reader() as reader:
        for number in range(1, WARM_UP + REFRESHES + 1):
            if folds and number % 5 == 0:
                layers.base()
            layers.forget_covered()
            layers.segment({receipt(number % 6): [word(1, 1, 100 + number, of=receipt(number % 6))]})
            assert reader.refresh(folds=True) is True
            assert (len(reader.nearest(vector(number), 4)), reader.count()) == (4, 6)
            assert len(reader._files) <= 2 + 7
            if number == WARM_UP:
                before = settled(layers)
        assert_no_more_than(before, layers, ARENAS_TOLERANCE)
    assert list(layers.cache.iterdir()) == []


@pytest.mark.slow
def test_a_hundred_refreshes_that_fail_half_way_leak_nothing_either(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index of the newest version has the right size and other bytes, and that is found after it was opened."""
    monkeypatch.setattr(opening, "RETRY_AFTER", timedelta(0))
    (pickle,) = history.shard(4).glob("*/index_metadata.pickle")
    pickle.write_bytes(b"x" * pickle.stat().st_size)
    before: Held | None = None
    history.point(3)
    with history.reader(verify=False) as reader:
        history.point(4)
        for number in range(1, WARM_UP + REFRESHES + 1):
            assert reader.refresh() is False
            if number == WARM_UP:
                before = settled(history)
        assert "cannot be opened" in str(reader.fallback_reason)
        assert_no_more_than(before, history)


def settled(history: Layers | History) -> Held:
    """What is held once nothing closes any more: the least of two equal measures in a row."""
    held = Held.now(history)
    while True:
        time.sleep(0.2)
        again = Held.now(history)
        if (again.files, again.threads) == (held.files, held.threads):
            return again
        held = again


def assert_no_more_than(before: Held | None, history: Layers | History, memory: int = MEMORY_TOLERANCE) -> None:
    assert before is not None
    until = time.monotonic() + SETTLE_SECONDS
    while (after := Held.now(history)).files > before.files + NOISE or after.threads > before.threads + NOISE:
        assert time.monotonic() < until, f"before: {before}, after: {after}"
        time.sleep(0.05)
    assert after.folders == before.folders
    assert after.memory - before.memory < memory, f"before: {before}, after: {after}"

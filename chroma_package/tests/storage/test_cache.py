"""Files from afar: fetched once, kept within a bound, never taken from under somebody who uses them."""

import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from receipt_chroma.errors import SnapshotUnavailable
from receipt_chroma.storage.cache import FileCache


class Source:
    """Files of so many bytes as their name says: `a/3` has three."""

    def __init__(self) -> None:
        self.fetched: list[str] = []

    def __call__(self, lacking: Mapping[str, Path]) -> None:
        for path, target in lacking.items():
            self.fetched.append(path)
            target.write_bytes(b"x" * size(path))


def size(path: str) -> int:
    return int(path.rpartition("/")[2])


def sizes(*paths: str) -> dict[str, int]:
    return {path: size(path) for path in paths}


def use(cache: FileCache, source: Source, *paths: str) -> list[str]:
    """What had to be fetched for it."""
    before = len(source.fetched)
    with cache.using(sizes(*paths), source):
        assert all((cache.folder / path).stat().st_size == size(path) for path in paths)
    return source.fetched[before:]


def kept(cache: FileCache) -> set[str]:
    files = (path.relative_to(cache.folder).as_posix() for path in cache.folder.rglob("*") if path.is_file())
    return {path for path in files if "/" in path}


@pytest.fixture
def source() -> Source:
    return Source()


def long_ago(cache: FileCache, path: str, seconds: int) -> None:
    os.utime(cache.folder / path, (seconds, seconds))


def test_only_what_lacks_is_fetched_by_whichever_process(tmp_path: Path, source: Source) -> None:
    cache = FileCache(tmp_path, 100)
    assert use(cache, source, "a/3", "b/4") == ["a/3", "b/4"]
    assert use(FileCache(tmp_path, 100), source, "b/4", "c/5") == ["c/5"]
    (tmp_path / "c/5").write_bytes(b"cut")
    assert use(cache, source, "b/4", "c/5") == ["c/5"]


def test_what_was_used_least_lately_makes_room(tmp_path: Path, source: Source) -> None:
    cache = FileCache(tmp_path, 10)
    use(cache, source, "a/3", "b/3", "c/3")
    for seconds, path in enumerate(("a/3", "b/3", "c/3"), 1):
        long_ago(cache, path, seconds)
    use(cache, source, "a/3")
    use(cache, source, "d/4")
    assert kept(cache) == {"a/3", "c/3", "d/4"}
    assert not (tmp_path / "b").exists(), "an empty folder stays"


def test_what_does_not_fit_is_refused_before_anything_is_fetched_or_removed(tmp_path: Path, source: Source) -> None:
    cache = FileCache(tmp_path, 10)
    use(cache, source, "a/3")
    with pytest.raises(SnapshotUnavailable, match=r"may hold 10 bytes, and the snapshot has 11"):
        use(cache, source, "b/4", "c/7")
    assert (source.fetched, kept(cache)) == (["a/3"], {"a/3"})


def test_what_somebody_uses_stays_until_it_is_let_go(tmp_path: Path, source: Source) -> None:
    cache, begun = FileCache(tmp_path, 5), threading.Event()

    def other() -> None:
        begun.set()
        use(FileCache(tmp_path, 5), source, "b/4")

    with ThreadPoolExecutor(1) as pool:
        with cache.using(sizes("a/3"), source):
            waiting = pool.submit(other)
            assert begun.wait(10)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.05)
            assert kept(cache) == {"a/3"}
        waiting.result(timeout=10)
    assert kept(cache) == {"b/4"}


def test_many_at_once_fetch_once(tmp_path: Path, source: Source) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: use(FileCache(tmp_path, 100), source, "a/3", "b/4"), range(6)))
    assert sorted(source.fetched) == ["a/3", "b/4"]


def test_a_fetch_that_fails_or_dies_leaves_nothing_behind(tmp_path: Path, source: Source) -> None:
    cache = FileCache(tmp_path, 10)

    def fails(lacking: Mapping[str, Path]) -> None:
        next(iter(lacking.values())).write_bytes(b"half")
        raise ConnectionError("cut off")

    with pytest.raises(ConnectionError), cache.using(sizes("a/8"), fails):
        pass
    assert kept(cache) == set()
    (tmp_path / ".fetching").mkdir(exist_ok=True)
    (tmp_path / ".fetching/0").write_bytes(b"of a process that was ended")
    assert use(cache, source, "a/8") == ["a/8"]
    assert kept(cache) == {"a/8"}


def test_what_is_found_to_be_damaged_is_fetched_again(tmp_path: Path, source: Source) -> None:
    cache = FileCache(tmp_path, 10)
    use(cache, source, "a/3", "b/3")
    cache.forget(["a/3", "never/1"])
    assert use(cache, source, "a/3", "b/3") == ["a/3"]

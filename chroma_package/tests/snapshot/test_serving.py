"""SERVING obeys the laws of CURRENT, on EFS and in the bucket: it only moves forward."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from receipt_chroma.errors import SnapshotUnavailable, StorageUnavailable
from receipt_chroma.snapshot import serving as serving_module
from receipt_chroma.snapshot.pointer import read_current, swap_pointer
from receipt_chroma.snapshot.serving import (
    Serving,
    read_serving,
    read_stored_serving,
    swap_serving,
    swap_stored_serving,
)
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.errors import TransientServiceError

from ..world import World
from .test_pointer import pointer

KEY = "snapshots/words/SERVING"
FIRST = Serving("words", 0)
UNREADABLE = [
    b"",
    b"{",
    b"null",
    b'{"generation": "words-2"}',
    b'{"generation": "words-2", "order": "x"}',
    b'{"generation": "words-1", "order": 1}',
    b'{"generation": "../words", "order": 1}',
    b'{"generation": "lines-2", "order": 1}',
    b"\xff",
]


def of(order: int) -> Serving:
    """The generation that serves after so many switches: one and the other in turn."""
    return Serving("words-2" if order % 2 else "words", order)


class Crossing(Bucket):
    """A bucket in which somebody else switches between every look and the write that follows it."""

    def put_over(self, key: str, content: bytes, tag: str | None) -> bool:
        other = of(read_stored_serving(self, "words").order + 1)
        Bucket(self.s3, self.name).put(key, other.encode())
        return Bucket.put_over(self, key, content, tag)


def holds_the_law(orders: list[int], swap: Callable[[Serving], bool], read: Callable[[], Serving]) -> None:
    highest = 0
    assert read() == FIRST
    for order in orders:
        assert swap(of(order)) == (order > highest)
        highest = max(highest, order)
        assert read() == of(highest)


@given(orders=st.lists(st.integers(0, 5), max_size=8))
def test_the_order_only_grows_on_efs(tmp_path_factory: pytest.TempPathFactory, orders: list[int]) -> None:
    root = tmp_path_factory.mktemp("efs")
    holds_the_law(orders, lambda one: swap_serving(root, "words", one), lambda: read_serving(root, "words"))


@settings(max_examples=20)
@given(orders=st.lists(st.integers(0, 5), max_size=6))
def test_the_order_only_grows_in_the_bucket(s3: Any, orders: list[int]) -> None:
    store = Bucket(s3, "serving-only-grows")
    s3.create_bucket(Bucket=store.name)
    store.delete_all([KEY])
    holds_the_law(
        orders, lambda one: swap_stored_serving(store, "words", one), lambda: read_stored_serving(store, "words")
    )


def test_it_is_one_json_line_and_the_same_on_both_sides(world: World, tmp_path: Path) -> None:
    assert swap_serving(tmp_path, "words", of(1))
    assert swap_stored_serving(world.store, "words", of(1))
    line = (tmp_path / "words/SERVING").read_bytes()
    assert line.endswith(b"\n")
    assert json.loads(line) == {"generation": "words-2", "order": 1}
    assert world.store.read(KEY) == line


def test_of_two_the_one_with_the_higher_order_is_the_later_one() -> None:
    assert max(of(1), of(3), of(2)) == of(3)
    assert of(1) > FIRST
    assert max(of(1), Serving("words", 1)) == of(1), "of one order, which is never given twice, neither is later"


@pytest.mark.parametrize("text", UNREADABLE)
def test_one_that_cannot_be_read_is_named_and_written_again(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "words/SERVING"
    path.parent.mkdir()
    path.write_bytes(text)
    with pytest.raises(SnapshotUnavailable, match=str(path)):
        read_serving(tmp_path, "words")
    assert swap_serving(tmp_path, "words", of(1))
    assert read_serving(tmp_path, "words") == of(1)


@pytest.mark.parametrize("text", UNREADABLE)
def test_one_in_the_bucket_that_cannot_be_read_is_named_and_written_again(world: World, text: bytes) -> None:
    world.store.put(KEY, text)
    with pytest.raises(SnapshotUnavailable, match=KEY):
        read_stored_serving(world.store, "words")
    assert swap_stored_serving(world.store, "words", of(1))
    assert read_stored_serving(world.store, "words") == of(1)


def test_a_folder_in_its_place_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "words/SERVING").mkdir(parents=True)
    with pytest.raises(SnapshotUnavailable, match="is a folder"):
        read_serving(tmp_path, "words")
    assert swap_serving(tmp_path, "words", of(1))
    assert read_serving(tmp_path, "words") == of(1)


def test_many_writers_at_once_end_at_the_latest_switch(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda order: swap_serving(tmp_path, "words", of(order)), [5, 3, 8, 1, 7, 2, 6, 4]))
    assert read_serving(tmp_path, "words") == of(8)
    assert sorted(path.name for path in (tmp_path / "words").iterdir()) == ["CURRENT.lock", "SERVING"]


def test_a_publication_and_a_switch_do_not_touch_what_the_other_wrote(tmp_path: Path) -> None:
    swap_pointer(tmp_path, "words", pointer(1))
    swap_serving(tmp_path, "words", of(1))
    swap_pointer(tmp_path, "words", pointer(2))
    assert (read_current(tmp_path, "words").version, read_serving(tmp_path, "words")) == (2, of(1))


def test_a_crash_before_the_rename_leaves_what_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    swap_serving(tmp_path, "words", of(1))
    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        swap_serving(tmp_path, "words", of(2))
    monkeypatch.undo()
    assert read_serving(tmp_path, "words") == of(1)
    assert swap_serving(tmp_path, "words", of(2))


def test_a_file_server_that_is_away_is_a_reason_to_try_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stale(*_: object) -> None:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(serving_module, "write_atomically", stale)
    with pytest.raises(StorageUnavailable):
        swap_serving(tmp_path, "words", of(1))


@pytest.mark.parametrize("first", [0, 2])
def test_what_somebody_wrote_since_it_was_compared_with_is_never_written_over(world: World, first: int) -> None:
    swap_stored_serving(world.store, "words", of(first))
    crossing = Crossing(world.s3, world.bucket)
    assert swap_stored_serving(crossing, "words", of(first + 1)) is False
    assert read_stored_serving(world.store, "words") == of(first + 1)
    assert swap_stored_serving(crossing, "words", of(first + 3)) is False
    assert read_stored_serving(world.store, "words") == of(first + 3)


def test_who_is_crossed_again_and_again_tries_later(world: World) -> None:
    with pytest.raises(TransientServiceError, match="by others"):
        swap_stored_serving(Crossing(world.s3, world.bucket), "words", of(100))

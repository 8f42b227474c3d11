"""CURRENT in the bucket obeys the laws of the one on EFS."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from receipt_chroma.errors import SnapshotUnavailable
from receipt_chroma.snapshot.pointer import Current, swap_pointer
from receipt_chroma.snapshot.stored_pointer import read_stored_current, swap_stored_pointer
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.errors import TransientServiceError

from ..world import World
from .test_pointer import pointer

KEY = "snapshots/words/CURRENT"


class Crossing(Bucket):
    """A bucket in which somebody else writes between every look and the write that follows it."""

    def put_over(self, key: str, content: bytes, tag: str | None) -> bool:
        there = read_stored_current(self, "words")
        other = pointer((there.version if there else 0) + 1, 9)
        Bucket(self.s3, self.name).put(key, Current.of(other).encode())
        return Bucket.put_over(self, key, content, tag)


@pytest.fixture
def store(world: World) -> Bucket:
    """An empty bucket."""
    return world.store


@settings(max_examples=20)
@given(order=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), max_size=6))
def test_versions_only_grow(s3: Any, tmp_path_factory: pytest.TempPathFactory, order: list[tuple[int, int]]) -> None:
    store = Bucket(s3, "versions-only-grow")
    s3.create_bucket(Bucket=store.name)
    store.delete_all([KEY])
    highest: tuple[int, int] | None = None
    for version, fence in order:
        moves = highest is None or (version, fence) > highest
        assert swap_stored_pointer(store, "words", pointer(version, fence)) == moves
        highest = max(highest or (0, 0), (version, fence))
        found = read_stored_current(store, "words")
        assert found is not None
        assert found.place == highest


def test_it_is_the_line_that_is_on_efs(store: Bucket, tmp_path: Path) -> None:
    assert read_stored_current(store, "words") is None
    swap_stored_pointer(store, "words", pointer(3, 7), before=pointer(2, 6))
    swap_pointer(tmp_path, "words", pointer(3, 7), before=pointer(2, 6))
    assert store.read(KEY) == (tmp_path / "words/CURRENT").read_bytes()


@pytest.mark.parametrize("text", [b"", b"{", b"null", b'{"version": "x"}', b"\xff"])
def test_one_that_cannot_be_read_is_named_and_written_again(store: Bucket, text: bytes) -> None:
    store.put(KEY, text)
    with pytest.raises(SnapshotUnavailable, match=KEY):
        read_stored_current(store, "words")
    assert swap_stored_pointer(store, "words", pointer(1))
    assert read_stored_current(store, "words") == Current.of(pointer(1))


@pytest.mark.parametrize("first", [None, 2])
def test_what_somebody_wrote_since_it_was_compared_with_is_never_written_over(store: Bucket, first: int | None) -> None:
    if first:
        swap_stored_pointer(store, "words", pointer(first))
    assert swap_stored_pointer(Crossing(store.s3, store.name), "words", pointer(3)) is False
    found = read_stored_current(store, "words")
    assert found is not None
    assert found.place == (3, 9)


def test_who_is_crossed_again_and_again_tries_later(store: Bucket) -> None:
    with pytest.raises(TransientServiceError, match="by others"):
        swap_stored_pointer(Crossing(store.s3, store.name), "words", pointer(100))

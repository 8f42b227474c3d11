"""A version that only folded what is served has its records: it is served at once, and opened at leisure."""

import shutil
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from receipt_chroma.errors import VersionNotServed
from receipt_chroma.reader import SnapshotReader, opening
from receipt_chroma.records import Record

from ..history import seconds
from ..samples import receipt, vector, word
from .layers import Layers


@pytest.fixture
def layers(tmp_path: Path) -> Layers:
    """Version 1 is a base, and 2 a segment over it."""
    layers = Layers(tmp_path)
    layers.base({receipt(number): words(number) for number in range(4)})
    layers.segment({receipt(0): words(0, seed=1)})
    return layers


@pytest.fixture
def reader(layers: Layers) -> Iterator[SnapshotReader]:
    """It serves version 2."""
    with layers.reader() as reader:
        yield reader


def words(number: int, seed: int = 0) -> list[Record]:
    return [word(1, place, seed * 1000 + number * 50 + place, of=receipt(number)) for place in (1, 2, 3)]


def opened(reader: SnapshotReader) -> int:
    """The version whose files are open."""
    with reader._borrow() as snapshot:
        return snapshot.opened.version


def answers(reader: SnapshotReader) -> Any:
    got = [(one.id, one.embedding.tobytes(), one.document, one.metadata) for one in reader.records()]
    return got, reader.nearest(vector(3), 5), reader.count()


def test_a_fold_is_served_at_once_by_what_is_open_and_changes_no_answer(layers: Layers, reader: SnapshotReader) -> None:
    before = answers(reader)
    folded = layers.base()
    assert reader.refresh() is True
    assert (reader.version, reader.snapshot_id, opened(reader)) == (3, folded.snapshot_id, 2)
    assert (reader.behind_seconds, reader.fallback_reason) == (0.0, None)
    assert reader.refresh() is False
    assert answers(reader) == before


def test_it_is_opened_when_the_caller_has_time(layers: Layers, reader: SnapshotReader) -> None:
    before = answers(reader)
    layers.base()
    reader.refresh()
    assert reader.refresh(folds=True) is False, "the version was served already"
    assert (reader.version, opened(reader), len(reader._files)) == (3, 3, 1)
    assert answers(reader) == before
    assert reader.refresh(folds=True) is False


def test_the_background_opens_it_by_itself(layers: Layers, monkeypatch: pytest.MonkeyPatch) -> None:
    third, open_snapshot = threading.Event(), opening.open_snapshot

    def noting(current: Any, *rest: Any) -> Any:
        snapshot = open_snapshot(current, *rest)
        if current.version == 3:
            third.set()
        return snapshot

    monkeypatch.setattr(opening, "open_snapshot", noting)
    with layers.reader(refresh_every=timedelta(milliseconds=5)) as reader:
        layers.base()
        assert third.wait(30)
        reader.refresh()  # it waits for the one that runs: that it was opened is not yet that it is served
        assert (reader.version, opened(reader)) == (3, 3)


def test_who_waits_for_a_fold_has_it(layers: Layers, reader: SnapshotReader) -> None:
    layers.base()
    assert reader.refresh(min_version=3, timeout=seconds(0)) is True
    assert (reader.version, opened(reader)) == (3, 2)
    with pytest.raises(VersionNotServed):
        reader.refresh(min_version=4, timeout=seconds(0))


def test_several_folds_are_stood_for_and_what_was_published_after_them_is_opened(
    layers: Layers, reader: SnapshotReader
) -> None:
    layers.base()
    reader.refresh()
    layers.base()
    assert reader.refresh() is True
    assert (reader.version, opened(reader)) == (4, 2)
    layers.segment({receipt(1): []})
    assert reader.refresh() is True
    assert (reader.version, opened(reader)) == (5, 5)
    assert [one.id for one in reader.records()] == [one.id for one in layers.records]


def test_a_first_opening_opens_the_fold(layers: Layers) -> None:
    layers.base()
    with layers.reader() as reader:
        assert (reader.version, opened(reader)) == (3, 3)


def test_when_the_files_of_what_is_open_go_the_fold_is_opened_at_once(layers: Layers, reader: SnapshotReader) -> None:
    before, old = answers(reader), layers.folder / "shards/0000" / f"{1:010d}-{1:010d}-1-a"
    layers.base()
    reader.refresh()
    assert opened(reader) == 2
    shutil.rmtree(old)
    assert reader.refresh() is False
    assert (reader.version, opened(reader)) == (3, 3)
    assert answers(reader) == before


def test_it_is_not_left_for_long(layers: Layers, reader: SnapshotReader, monkeypatch: pytest.MonkeyPatch) -> None:
    layers.base()
    reader.refresh()
    assert opened(reader) == 2
    monkeypatch.setattr(opening, "FOLD_WITHIN", timedelta(0))
    reader.refresh()
    assert opened(reader) == 3


def test_a_fold_that_cannot_be_opened_is_served_all_the_same_and_the_reader_says_so(
    layers: Layers, reader: SnapshotReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "RETRY_AFTER", timedelta(0))
    before = answers(reader)
    folded = layers.base()
    reader.refresh()
    base = layers.folder / str(folded.shards[0].path)
    base.rename(base.with_name("hidden"))
    assert reader.refresh(folds=True) is False
    assert "0000000003-0000000003-1 cannot be opened" in str(reader.fallback_reason)
    assert (reader.version, opened(reader), answers(reader)) == (3, 2, before)
    base.with_name("hidden").rename(base)
    reader.refresh(folds=True)
    assert (opened(reader), reader.fallback_reason) == (3, None)


def test_a_fold_with_another_digest_is_no_fold_of_what_is_served(layers: Layers, reader: SnapshotReader) -> None:
    layers.segment({receipt(0): words(0, seed=2)})
    layers.base()
    assert reader.refresh() is True
    assert (reader.version, opened(reader)) == (4, 4)

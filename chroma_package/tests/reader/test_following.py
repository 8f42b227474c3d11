"""A reader follows the generation that SERVING names, whole, forward only, and answers of one model."""

import shutil
import threading
from datetime import timedelta
from typing import Any

import pytest
from receipt_chroma import QuestionInvalid, SnapshotUnavailable, UnknownCollection, WrongModel
from receipt_chroma.reader import SnapshotReader, opening
from receipt_chroma.snapshot.serving import Serving, swap_serving
from receipt_chroma.storage.tree import CURRENT, SERVING

from ..history import seconds
from ..samples import receipt, vector
from .generations import MODEL, content, served, should_be, switch, vectors
from .layers import Layers
from .mounts import private_copies, private_databases

pytestmark = pytest.mark.usefixtures("mount")


def test_a_switch_is_seen_by_the_next_refresh_and_the_way_back_by_the_one_after(
    words: Layers, newer: Layers, reader: SnapshotReader
) -> None:
    assert served(reader) == ("words", "", 1)
    assert reader.refresh() is False
    switch(newer, 1)
    assert reader.refresh() is True
    assert (served(reader), vectors(reader)) == (("words-2", MODEL, 1), should_be(newer))
    newer.segment(content(500, 3))
    assert reader.refresh() is True
    assert (served(reader), reader.count()) == (("words-2", MODEL, 2), 9)
    words.segment({receipt(1): []})
    switch(words, 2)
    assert reader.refresh() is True
    assert (served(reader), vectors(reader)) == (("words", "", 2), should_be(words))
    assert reader.fallback_reason is None


def test_who_opens_after_a_switch_opens_what_serves_and_nothing_else(words: Layers, newer: Layers) -> None:
    switch(newer, 1)
    with words.reader() as reader:
        assert served(reader) == ("words-2", MODEL, 1)
        assert private_databases(words.cache) == 1


def test_one_that_was_told_its_generation_stays_with_it(words: Layers, newer: Layers) -> None:
    with words.reader(generation="words-2") as before, words.reader(generation="words") as first:
        assert (served(before), served(first)) == (("words-2", MODEL, 1), ("words", "", 1))
        switch(newer, 1)
        words.segment(content(0, 3))
        assert (before.refresh(), first.refresh()) == (False, True)
        assert (served(before), served(first)) == (("words-2", MODEL, 1), ("words", "", 2))
        assert first.behind_seconds == 0.0
    for wrong in ("lines-2", "words-1", "words-02", "../words", "words-2/x", ""):
        with pytest.raises(UnknownCollection, match="no generation of words"):
            words.reader(generation=wrong)
    with pytest.raises(UnknownCollection, match="'words-2'"):
        SnapshotReader(words.efs, "words-2")


def test_a_question_of_another_model_is_refused_by_the_very_snapshot_that_would_answer(
    newer: Layers, reader: SnapshotReader
) -> None:
    assert reader.nearest(vector(11), 1, model="") == reader.nearest(vector(11), 1)
    with pytest.raises(WrongModel, match=r"of the model 'embed-3', and words serves, whose model is ''") as refused:
        reader.nearest(vector(11), 1, model=MODEL)
    assert (refused.value.generation, refused.value.model) == ("words", "")
    switch(newer, 1)
    reader.refresh()
    with pytest.raises(WrongModel, match=r"words-2 serves, whose model is 'embed-3'"):
        reader.query([vector(511, 16)], model="")
    assert reader.nearest(vector(511), 1, model=reader.model)[0].distance == 0.0
    assert reader.query([vector(511)], n_results=1, model=MODEL)["ids"][0] == [newer.records[0].id]
    with pytest.raises(QuestionInvalid, match="16 dimensions"):
        reader.nearest(vector(511, 16), model=MODEL)


def test_a_query_that_runs_ends_on_the_generation_that_it_began_with_and_then_that_is_closed(
    words: Layers, newer: Layers, reader: SnapshotReader
) -> None:
    with reader._borrow() as before:
        switch(newer, 1)
        assert reader.refresh()
        assert {one.id: one.embedding.tobytes() for one in before.records([r.id for r in words.records])} == should_be(
            words
        )
        assert private_databases(words.cache) == 3
    assert (before.closed.is_set(), private_databases(words.cache), len(reader._files)) == (True, 1, 1)


def test_a_generation_that_cannot_be_opened_leaves_the_old_one_which_goes_on(
    words: Layers, newer: Layers, reader: SnapshotReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "RETRY_AFTER", timedelta(0))
    newer.segment(content(500, 3))
    assert newer.manifest is not None
    lost = newer.folder / newer.manifest.shards[0].segments[0].path
    lost.rename(lost.with_name("aside"))
    switch(newer, 1)
    assert reader.refresh() is False
    assert served(reader) == ("words", "", 1), "version 1 of words-2 may be of before it was filled"
    assert "words-2 serves, and cannot be opened" in str(reader.fallback_reason)
    words.segment(content(0, 3))
    assert reader.refresh() is True
    assert (served(reader), reader.fallback_reason is None) == (("words", "", 2), False)
    lost.with_name("aside").rename(lost)
    assert reader.refresh() is True
    assert (served(reader), reader.fallback_reason) == (("words-2", MODEL, 2), None)


def test_what_could_not_be_opened_is_not_tried_at_every_refresh(
    newer: Layers, reader: SnapshotReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(newer.folder / "shards")
    switch(newer, 1)
    assert reader.refresh() is False
    monkeypatch.setattr(opening, "open_snapshot", None)  # who calls it fails
    assert reader.refresh() is False
    assert "words-2 serves, and cannot be opened" in str(reader.fallback_reason)


def test_a_generation_without_any_snapshot_leaves_the_old_one(words: Layers, reader: SnapshotReader) -> None:
    swap_serving(words.efs, "words", Serving("words-3", 1))
    assert reader.refresh() is False
    assert (reader.generation, "words-3 serves, and cannot be opened" in str(reader.fallback_reason)) == ("words", True)


def test_a_first_opening_falls_back_within_the_generation_that_serves(words: Layers, newer: Layers) -> None:
    newer.segment(content(500, 3))
    assert newer.manifest is not None
    (newer.folder / newer.manifest.shards[0].segments[0].path).unlink()
    switch(newer, 1)
    with words.reader() as reader:
        assert served(reader) == ("words-2", MODEL, 1)
        assert "cannot be opened" in str(reader.fallback_reason)
    shutil.rmtree(newer.folder / "shards")
    with pytest.raises(SnapshotUnavailable, match="words-2: no snapshot can be opened"):
        words.reader()
    assert private_copies(words.cache) == []


@pytest.mark.parametrize("text", [b"", b'{"generation": "lines-2", "order": 7}', b"\xff"])
def test_an_unreadable_serving_leaves_what_is_served_which_goes_on_and_opens_nothing_new(
    words: Layers, newer: Layers, reader: SnapshotReader, text: bytes
) -> None:
    switch(newer, 1)
    reader.refresh()
    (words.folder / SERVING).write_bytes(text)
    newer.segment(content(500, 3))
    assert reader.refresh() is True
    assert served(reader) == ("words-2", MODEL, 2)
    assert "SERVING cannot be read" in str(reader.fallback_reason)
    with pytest.raises(SnapshotUnavailable, match="SERVING cannot be read"):
        words.reader()
    switch(newer, 1)
    assert (reader.refresh(), reader.fallback_reason) == (False, None)


@pytest.mark.parametrize("goes", [Serving("words", 2), Serving("words", 3), None])
def test_a_reader_never_goes_back_to_an_earlier_switch(
    words: Layers, newer: Layers, reader: SnapshotReader, goes: Serving | None
) -> None:
    switch(newer, 3)
    reader.refresh()
    path = words.folder / SERVING
    path.unlink() if goes is None else path.write_bytes(goes.encode())
    words.segment(content(0, 3))
    assert reader.refresh() is False
    assert (served(reader), reader.behind_seconds, reader.fallback_reason) == (("words-2", MODEL, 1), 0.0, None)


def test_two_switches_that_nobody_looked_at_change_nothing(
    words: Layers, newer: Layers, reader: SnapshotReader
) -> None:
    switch(newer, 1)
    switch(words, 2)
    assert reader.refresh() is False
    (words.folder / SERVING).write_bytes(Serving("words-2", 1).encode())
    assert reader.refresh() is False, "the second one was seen"


def test_the_background_follows_a_switch_too(words: Layers, newer: Layers, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, open_snapshot = threading.Event(), opening.open_snapshot

    def noting(current: Any, manifest: Any, *rest: Any) -> Any:
        snapshot = open_snapshot(current, manifest, *rest)
        opened.set()
        return snapshot

    with words.reader(refresh_every=timedelta(milliseconds=5)) as reader:
        monkeypatch.setattr(opening, "open_snapshot", noting)
        switch(newer, 1)
        assert opened.wait(30)
        reader.refresh(min_version=1, of="words-2", timeout=seconds(30))  # that it was opened, not yet that it serves
        assert vectors(reader) == should_be(newer)


def test_a_fold_of_the_other_generation_is_no_fold_of_what_is_served(words: Layers, newer: Layers) -> None:
    """Equal records by chance: the digests of two generations say nothing of each other."""
    same = Layers(words.efs.parent, shards=2, generation="words-3", model="again")
    same.segment(content(0, 1, 2))
    same.base()
    with words.reader() as reader:
        switch(same, 1)
        assert reader.refresh(folds=False) is True
        assert served(reader) == ("words-3", "again", 2)


def test_what_served_before_may_be_gone(words: Layers, newer: Layers, reader: SnapshotReader) -> None:
    switch(newer, 1)
    reader.refresh()
    for path in words.folder.iterdir():
        if path.name != SERVING:
            path.unlink() if path.is_file() else shutil.rmtree(path)
    assert (reader.refresh(), reader.fallback_reason) == (False, None)
    with words.reader() as fresh:
        assert vectors(fresh) == vectors(reader) == should_be(newer)
    assert not (words.folder / CURRENT).exists()

"""The conformance tests of readers run on both mounts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from receipt_chroma.reader import SnapshotReader

from . import mounts
from .generations import MODEL, content
from .layers import Layers


@pytest.fixture(params=[mounts.FOLDER, mounts.BUCKET])
def mount(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the test's readers read from."""
    monkeypatch.setattr(mounts, "kind", request.param)
    return str(request.param)


@pytest.fixture
def words(tmp_path: Path) -> Layers:
    """The collection's first generation, of two receipts."""
    words = Layers(tmp_path, shards=2)
    words.base(content(0, 1, 2))
    return words


@pytest.fixture
def newer(tmp_path: Path) -> Layers:
    """Its second one, with one shard and other vectors for the same records."""
    newer = Layers(tmp_path, generation="words-2", model=MODEL)
    newer.base(content(500, 1, 2))
    return newer


@pytest.fixture
def reader(words: Layers, newer: Layers) -> Iterator[SnapshotReader]:
    """A reader from before the switch."""
    with words.reader() as reader:
        yield reader

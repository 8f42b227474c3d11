"""Nothing is read that is not, byte for byte, what the manifest names."""

from collections.abc import Callable
from pathlib import Path

import pytest
from receipt_chroma.errors import SnapshotUnavailable
from receipt_chroma.segment.content import Segment
from receipt_chroma.segment.file import encode_segment
from receipt_chroma.snapshot.manifest import Manifest

from ..samples import receipt, vector, word
from .layers import Layers


@pytest.fixture
def layers(tmp_path: Path) -> Layers:
    """Version 1 is a base, 2 has a segment over it, 3 is another base, 4 has two segments over that."""
    layers = Layers(tmp_path)
    for _ in range(2):
        layers.base({receipt(number): [word(1, 1, number, of=receipt(number))] for number in range(3)})
        layers.segment({receipt(0): [word(1, 1, 100, of=receipt(0))]})
    layers.segment({receipt(1): [word(1, 1, 101, of=receipt(1))]})
    return layers


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def swap_bytes(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[1::-1] + content[2:])


def other_segment(path: Path) -> None:
    path.write_bytes(encode_segment(Segment.of({receipt(2).key: []})))


def base_files() -> list[str]:
    return ["chroma.sqlite3", "data_level0.bin", "header.bin", "length.bin", "link_lists.bin", "index_metadata.pickle"]


@pytest.mark.parametrize("damage", [flip, cut, Path.unlink])
@pytest.mark.parametrize("name", base_files())
def test_a_base_with_any_other_byte_is_not_opened_and_the_version_before_is_served(
    layers: Layers, name: str, damage: Callable[[Path], None]
) -> None:
    manifest = layers.manifest
    assert manifest is not None
    path = str(manifest.shards[0].path)
    (file,) = (found for found in (layers.folder / path).rglob(name))
    if file.stat().st_size:
        damage(file)
    else:  # no record has a link above the lowest level
        file.write_bytes(b"x")
    with layers.reader() as reader:
        assert reader.version == 2
        assert name in str(reader.fallback_reason)


@pytest.mark.parametrize("damage", [flip, cut, swap_bytes, other_segment, Path.unlink])
@pytest.mark.parametrize("newest", [True, False], ids=["newest", "older"])
def test_a_segment_with_any_other_byte_is_not_read_and_the_newest_version_without_it_is_served(
    layers: Layers, damage: Callable[[Path], None], newest: bool
) -> None:
    manifest = layers.manifest
    assert manifest is not None
    entry = manifest.shards[0].segments[-1 if newest else 0]
    damage(layers.folder / entry.path)
    with layers.reader() as reader:
        assert reader.version == (4 if newest else 3)
        assert Path(entry.path).name in str(reader.fallback_reason)
        assert len(reader.nearest(vector(1), 5)) == 3


def test_a_reader_that_serves_something_keeps_it_when_a_new_segment_is_damaged(layers: Layers) -> None:
    with layers.reader() as reader:
        newer = layers.segment({receipt(2): []})
        flip(layers.folder / newer.shards[0].segments[-1].path)
        assert reader.refresh() is False
        assert (reader.version, reader.count()) == (5, 3)
        assert "differs from its manifest" in str(reader.fallback_reason)


def test_a_base_that_is_open_is_not_proved_again(layers: Layers) -> None:
    """What is in memory is right, whatever becomes of the file."""
    with layers.reader() as reader:
        newer = layers.segment({receipt(2): []})
        flip(next((layers.folder / str(newer.shards[0].path)).rglob("data_level0.bin")))
        assert reader.refresh() is True
        assert (reader.version, reader.count(), reader.fallback_reason) == (6, 2, None)
    with layers.reader() as reader:
        assert reader.version == 2


def test_without_verifying_sizes_and_the_database_are_proved_all_the_same(layers: Layers) -> None:
    manifest = layers.manifest
    assert manifest is not None
    folder = layers.folder / str(manifest.shards[0].path)
    flip(next(folder.rglob("length.bin")))  # chromadb does not miss it
    with layers.reader(verify=False) as reader:
        assert reader.version == 5
    cut(next(folder.rglob("length.bin")))
    with layers.reader(verify=False) as reader:
        assert reader.version == 2
    flip(layers.folder / "shards/0000" / first_base(layers) / "chroma.sqlite3")
    with pytest.raises(SnapshotUnavailable):
        layers.reader(verify=False)
    assert list(layers.cache.iterdir()) == []


def first_base(layers: Layers) -> str:
    manifests = sorted((layers.folder / "manifests").glob("*.json"))
    return Path(str(Manifest.decode(manifests[0].read_bytes()).shards[0].path)).name

"""A base has nothing beside what is in use: hnswlib writes memory that it never filled, with what was there before."""

from pathlib import Path

import pytest
from receipt_chroma.private_shard import index_segments, shrink_directory
from receipt_chroma.shard.chroma_dir import ChromaDir
from receipt_chroma.shard.hnsw_files import DATA_FILE, LENGTH_FILE, read_header

from ..samples import word
from ..uploads import publish_receipts
from ..world import World

NUMBERS = range(1, 22)


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A closed directory of 21 records, whose index has room for more."""
    folder = tmp_path / "shard"
    with ChromaDir.create(folder, "words") as directory:
        directory.add([word(1, number) for number in NUMBERS])
    return folder


def unused_in(folder: Path) -> list[bytes]:
    """What the index's files have beside its elements."""
    found = []
    for segment in index_segments(folder):
        header = read_header(segment)
        found.append((segment / DATA_FILE).read_bytes()[header.elements * header.element_size :])
        found.append((segment / LENGTH_FILE).read_bytes())
    return found


def test_what_memory_had_before_is_not_left_and_chroma_reads_searches_and_adds_as_ever(closed: Path) -> None:
    (segment,) = index_segments(closed)
    header = read_header(segment)
    for name, used in ((DATA_FILE, header.elements * header.element_size), (LENGTH_FILE, 0)):
        whole = (segment / name).read_bytes()
        (segment / name).write_bytes(whole[:used] + b"\xab" * (len(whole) - used))
    sizes = [(segment / name).stat().st_size for name in (DATA_FILE, LENGTH_FILE)]
    shrink_directory(closed)
    assert [(segment / name).stat().st_size for name in (DATA_FILE, LENGTH_FILE)] == sizes
    assert header.capacity > header.elements == len(NUMBERS)
    assert not any(map(any, unused_in(closed)))
    with ChromaDir.open_for_writing(closed, "words") as directory:
        directory.add([word(1, 99)])
        found = {directory.nearest(one.embedding, 1)[0][1] for one in (word(1, n) for n in (*NUMBERS, 99))}
    assert found == {word(1, n).id for n in (*NUMBERS, 99)}


def test_every_base_that_is_published_has_nothing_but_what_is_in_use(world: World) -> None:
    publish_receipts(world, range(1, 9))
    assert world.commit_fold(world.fold(rebuild=True))
    bases = [world.folder / str(shard.path) for shard in world.manifest.shards]
    unused = [one for base in bases for one in unused_in(base)]
    assert len(unused) >= 2
    assert not any(map(any, unused))

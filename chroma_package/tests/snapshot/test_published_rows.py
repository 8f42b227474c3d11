"""What an operator sees of a shard is the naive union: a base, and every segment laid over it in turn."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receipt_chroma.errors import SegmentInvalid, ShardInvalid
from receipt_chroma.records import Record, content_of
from receipt_chroma.segment.content import Segment
from receipt_chroma.segment.file import encode_segment
from receipt_chroma.segment.places import ShardContent
from receipt_chroma.shard.chroma_dir import ChromaDir
from receipt_chroma.shard.index import write_index
from receipt_chroma.snapshot.manifest import ManifestSegment, ManifestShard
from receipt_chroma.snapshot.published_rows import PublishedRows, receipt_places
from receipt_chroma.storage.files import sha256_of
from receipt_chroma.storage.tree import INDEX_FILE
from receipt_dynamo_stream.round.report import FileEntry

from ..samples import receipt, word

Contents = Mapping[str, list[Record]]

RECEIPTS = [receipt(number) for number in range(5)]
DOCUMENTS = ["MILK", "crème", None]


def words_of(number: int, words: Mapping[int, int]) -> list[Record]:
    """Words of a receipt, their text by number."""
    of = RECEIPTS[number]
    return [word(1, one, of=of, document=DOCUMENTS[text], key=text) for one, text in sorted(words.items())]


contents = st.dictionaries(
    st.integers(0, 4), st.dictionaries(st.integers(1, 12), st.integers(0, 2), max_size=4), max_size=5
).map(lambda drawn: {RECEIPTS[number].key: words_of(number, words) for number, words in drawn.items()})
BASE: Contents = {RECEIPTS[n].key: words_of(n, {1: n % 3, 2: 0, 11: 1}) for n in range(3)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection's folder that has the base."""
    folder = tmp_path_factory.mktemp("rows")
    with ChromaDir.create(folder / "base", "words") as directory:
        directory.add([record for records in BASE.values() for record in records])
    write_index(folder / "base", Segment.of(BASE).receipts, {})
    (folder / "segments").mkdir()
    return folder


def shard_of(folder: Path, segments: list[Contents], *, base: bool = True, plain: bool = False) -> ManifestShard:
    """A shard over the base, if any; a plain one is of schema version 1."""
    entries = []
    for number, laid in enumerate(segments):
        segment = Segment.of(laid)
        content, path = encode_segment(segment), f"segments/{number}.arrow"
        (folder / path).write_bytes(content)
        entries.append(ManifestSegment(path, len(content), sha256_of(content), segment.receipts))
    if not base:
        return ManifestShard(0, segments=tuple(entries))
    whole = ShardContent.of(Segment.of(BASE).receipts)
    files = () if plain else (FileEntry(INDEX_FILE, 0, ""),)
    return ManifestShard(
        0, "base", files, base_records=whole.records, base_digest=whole.digest, segments=tuple(entries)
    )


def union(segments: list[Contents], *, base: bool) -> dict[str, list[Record]]:
    """The naive model."""
    shard = dict(BASE) if base else {}
    for segment in segments:
        shard |= segment
    return {key: records for key, records in shard.items() if records}


@given(st.lists(contents, max_size=4), st.booleans(), st.booleans())
def test_ids_texts_and_receipts_are_those_of_the_union(
    folder: Path, segments: list[Contents], base: bool, plain: bool
) -> None:
    shard, expected = shard_of(folder, segments, base=base, plain=plain), union(segments, base=base)
    records = sorted((one for some in expected.values() for one in some), key=lambda record: record.id)
    with PublishedRows.open(folder, "words", shard) as rows:
        ids = [one.id for one in records]
        assert list(rows.ids()) == ids
        assert rows.texts([*ids, f"{RECEIPTS[0].key}#LINE#00009#WORD#00001", "odd"]) == {
            one.id: (one.document, one.metadata) for one in records
        }
        for of in RECEIPTS:
            assert list(rows.ids(receipt=of)) == [one.id for one in expected.get(of.key, [])]
        for text in ("milk", "CRÈME", "#00011", "nowhere"):
            found = [one.id for one in records if text.lower() in f"{one.id}\0{one.document}".lower()]
            assert list(rows.ids(containing=text)) == found
            assert list(rows.ids(containing=text, receipt=RECEIPTS[1])) == [
                one for one in found if one.startswith(f"{RECEIPTS[1].key}#")
            ]
    places = receipt_places(folder, "words", shard)
    assert {key: place.records for key, place in places.items()} == {key: len(some) for key, some in expected.items()}
    for key, place in places.items():
        if place.digest is None:
            assert (plain, place.path) == (True, "base")
        else:
            assert place.digest == content_of(key, expected[key]).digest


def test_only_the_segments_that_a_question_needs_are_read(folder: Path) -> None:
    first, second = RECEIPTS[0], RECEIPTS[1]
    shard = shard_of(folder, [{first.key: words_of(0, {1: 0})}, {second.key: words_of(1, {1: 0})}])
    (folder / shard.segments[1].path).unlink()
    assert len(receipt_places(folder, "words", shard)) == 3
    with PublishedRows.open(folder, "words", shard) as rows:
        assert len(list(rows.ids(receipt=first))) == 1
        assert len(list(rows.ids(receipt=RECEIPTS[2]))) == 3
        with pytest.raises(FileNotFoundError):
            list(rows.ids(receipt=second))


def test_what_is_not_that_of_the_manifest_is_refused(folder: Path) -> None:
    shard = shard_of(folder, [{RECEIPTS[0].key: words_of(0, {1: 0})}])
    path = folder / shard.segments[0].path
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with PublishedRows.open(folder, "words", shard) as rows, pytest.raises(SegmentInvalid, match="sha256"):
        list(rows.ids())
    lying = ManifestShard(0, "base", shard.files, base_records=9, base_digest="0" * 64)
    with pytest.raises(ShardInvalid, match="not that of its manifest"):
        receipt_places(folder, "words", lying)
